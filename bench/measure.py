"""Measures one contestant under one load: throughput, latency, CPU and memory of all its processes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.contestant import Contestant

WRK_SCRIPT = """
wrk.method = "POST"
wrk.path = %(path)s
wrk.body = %(body)s
wrk.headers = {%(headers)s}
done = function(summary, latency, requests)
  io.write(string.format('RESULT {"requests":%%d,"seconds":%%f,"p50":%%f,"p99":%%f,"errors":%%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Sample:
    """One round. Latencies in milliseconds, CPU in microseconds a request over all processes, memory in MB."""

    requests_per_second: float
    cpu: float
    cpu_by_process: dict[str, float]
    p50: float
    p99: float
    rss: float
    errors: int


def cpu_seconds(contestant: Contestant) -> dict[str, float]:
    """User and system seconds of each named process, with its children."""
    spent = {}
    for name, pid in contestant.processes().items():
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        spent[name] = sum(sum(one.cpu_times()[:2]) for one in family)
    return spent


def rss_megabytes(contestant: Contestant) -> dict[str, float]:
    found = {}
    for name, pid in contestant.processes().items():
        root = psutil.Process(pid)
        found[name] = sum(one.memory_info().rss for one in [root, *root.children(recursive=True)]) / 1e6
    return found


def buffered(contestant: Contestant, connections: int, seconds: int) -> Sample:
    """wrk: one request after the other on each connection."""
    script = WRK_SCRIPT % {
        "path": json.dumps(contestant.path),
        "body": json.dumps(contestant.body(stream=False)),
        "headers": ", ".join(f"[{json.dumps(k)}]={json.dumps(v)}" for k, v in contestant.headers().items()),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        before = cpu_seconds(contestant)
        done = subprocess.run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", file.name),
                f"http://127.0.0.1:{contestant.port}",
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 60,
        )
        after = cpu_seconds(contestant)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    result = json.loads(line.removeprefix("RESULT "))
    by_process = {name: (after[name] - before[name]) * 1e6 / max(result["requests"], 1) for name in after}
    return Sample(
        result["requests"] / result["seconds"],
        sum(by_process.values()),
        by_process,
        result["p50"],
        result["p99"],
        sum(rss_megabytes(contestant).values()),
        result["errors"],
    )


def streamed(contestant: Contestant, connections: int, rounds: int) -> Sample:
    """Paced streams; p50 and p99 are of the time to the first event."""
    arguments = {
        "port": contestant.port,
        "connections": connections,
        "rounds": rounds,
        "path": contestant.path,
        "headers": contestant.headers(),
        "body": contestant.body(stream=True),
    }
    before = cpu_seconds(contestant)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("streams.py")), json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60 * rounds + 60,
    )
    after = cpu_seconds(contestant)
    result = json.loads(done.stdout)
    by_process = {name: (after[name] - before[name]) * 1e6 / max(result["requests"], 1) for name in after}
    first = sorted(result["first_event"]) or [0.0]
    return Sample(
        result["requests"] / (statistics.fmean(result["whole"]) * rounds or 1),
        sum(by_process.values()),
        by_process,
        first[len(first) // 2] * 1e3,
        first[int(len(first) * 0.99)] * 1e3,
        sum(rss_megabytes(contestant).values()),
        result["failures"],
    )
