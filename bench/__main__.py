"""``make bench``: installs the peers, then measures all of them in interleaved rounds.

python -m bench [--rounds N] [--seconds S] [--only NAME ...] [--output DIRECTORY]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench import measure, report
from bench.contestant import ROOT, Contestant, free_port
from bench.peers.litellm import LiteLlm
from bench.peers.nginx import Nginx
from bench.peers.platform import Standalone, StandaloneWithStores, ThreeHops, ThreeHopsWithStores
from bench.peers.portkey import Portkey
from bench.python import interpreter

CONTESTANTS: tuple[type[Contestant], ...] = (
    Standalone,
    StandaloneWithStores,
    ThreeHops,
    ThreeHopsWithStores,
    LiteLlm,
    Portkey,
    Nginx,
)
CONNECTIONS = (1, 16, 64)
SLOW = {"LiteLLM"}
"""Given fewer streams a round: at its speed the others' number would take minutes."""


def main() -> None:
    options = arguments()
    chosen = [one for one in CONTESTANTS if not options.only or one.name in options.only]
    install(chosen)
    options.output.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, list[measure.Sample]]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        contestants = start(chosen, directory, stack)
        idle = {one.name: measure.rss_megabytes(one) for one in contestants}
        for number in range(options.rounds):
            for load, run in loads(options.seconds):
                for contestant in contestants:
                    say(f"round {number + 1}/{options.rounds}  {load:<14} {contestant.name}")
                    sample = run(contestant)
                    results.setdefault(load, {}).setdefault(contestant.name, []).append(sample)
    text = written(results, idle)
    (options.output / "report.md").write_text(text)
    (options.output / "samples.json").write_text(
        json.dumps(
            {load: {n: [dataclasses.asdict(s) for s in v] for n, v in c.items()} for load, c in results.items()},
            indent=1,
        )
    )
    report.plot(results, options.output / "report.png")
    print(text)
    print(f"Written to {options.output}/report.md, report.png and samples.json.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument("--seconds", type=int, default=5, help="of each buffered load (default 5)")
    parser.add_argument(
        "--only", nargs="*", metavar="NAME", help="contestants: " + ", ".join(c.name for c in CONTESTANTS)
    )
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results")
    return parser.parse_args()


def install(chosen: list[type[Contestant]]) -> None:
    if shutil.which("wrk") is None:
        subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], check=True)
    for one in chosen:
        say(f"installing {one.name}")
        one.install()


def start(chosen: list[type[Contestant]], directory: Path, stack: ExitStack) -> list[Contestant]:
    """The mock provider and every contestant, warmed up with a few requests of both kinds."""
    port = free_port()
    upstream = subprocess.Popen([sys.executable, "-m", "bench.upstream", str(port)], cwd=ROOT)
    stack.callback(upstream.wait)
    stack.callback(upstream.terminate)
    contestants = []
    for one in chosen:
        say(f"starting {one.name}")
        contestant = one(directory / one.__name__, port)
        stack.callback(contestant.stop)
        contestant.start()
        contestants.append(contestant)
    time.sleep(3)
    for contestant in contestants:
        sample = measure.buffered(contestant, 4, 2)
        streams = measure.streamed(contestant, 2, 1)
        if sample.errors or streams.errors:
            sys.exit(f"{contestant.name} fails: {sample.errors} buffered, {streams.errors} streamed errors")
    return contestants


def loads(seconds: int) -> list[tuple[str, Callable[[Contestant], measure.Sample]]]:
    def buffered(connections: int) -> Callable[[Contestant], measure.Sample]:
        return lambda contestant: measure.buffered(contestant, connections, seconds)

    def streamed(connections: int) -> Callable[[Contestant], measure.Sample]:
        return lambda contestant: measure.streamed(contestant, connections, 1 if contestant.name in SLOW else 4)

    return [(f"JSON c={n}", buffered(n)) for n in CONNECTIONS] + [(f"SSE c={n}", streamed(n)) for n in CONNECTIONS]


def written(results: dict[str, dict[str, list[measure.Sample]]], idle: dict[str, dict[str, float]]) -> str:
    parts = [
        f"# Benchmark, {time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, Python {interpreter()[1]}\n",
        "Same mock provider, interleaved rounds, medians. JSON: 1 KB replies. SSE: 52 events 5 ms apart; its p50 and "
        "p99 are of the time to the first event. Ours runs with authentication, limits, ledger, metrics, logs on and "
        "traces sampled at 1 %.\n",
        report.table(results),
        report.ratios(results),
        report.stores(
            results, [(Standalone.name, StandaloneWithStores.name), (ThreeHops.name, ThreeHopsWithStores.name)]
        ),
    ]
    three_hops = results.get("JSON c=64", {}).get(ThreeHops.name)
    if three_hops:
        parts.append(report.stages(three_hops))
    parts.append("## Memory when idle (RSS MB)\n")
    parts += [f"* {name}: " + ", ".join(f"{p} {mb:.0f}" for p, mb in each.items()) for name, each in idle.items()]
    return "\n".join(parts) + "\n"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
