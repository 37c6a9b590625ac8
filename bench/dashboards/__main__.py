"""``make bench-dashboards``: seeds a stack of its own, then asks everything that the dashboards' pages ask.

python -m bench.dashboards [--database postgresql] [--keys N] [--rows N] [--format json]

Exits 1 when the 95th percentile of an operation is over the limit, or a sum is not the ledger's.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from bench.dashboards.measure import Measured, measured
from bench.dashboards.operations import TOTALS, operations
from bench.dashboards.population import Size
from bench.dashboards.stack import Amount, Stack, filled


def main() -> None:
    options = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, its files are removed
    size = Size(options.organizations, options.users, options.keys, options.audit)
    amount = Amount(size, options.rows, options.days, options.calls)
    with (
        tempfile.TemporaryDirectory(prefix="bench-dashboards-") as directory,
        filled(Path(directory), options.database, amount, options.seed, _say) as stack,
    ):
        wrong = _wrong_sum(stack)
        asked = [each for each in operations(stack) if options.only in each.name]
        results = [measured(each, options.times, options.limit, _say) for each in asked]
        if options.stay:
            _say(f"stays until enter is pressed: {directory}, {stack.admin.url}")
            input()
    over = [each.name for each in results if max(each.serial.p95, each.at_once.p95) > options.limit or each.failed]
    if options.format == "json":
        print(json.dumps({"facts": stack.facts, "results": [dataclasses.asdict(each) for each in results]}, indent=1))
    else:
        print(_table(stack, results))
    if wrong:
        _say(wrong)
    if over:
        _say(f"over {options.limit} ms or failed: {'; '.join(over)}")
    sys.exit(1 if wrong or over else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.dashboards", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--organizations", type=int, default=20)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=5_000_000, help="of usage, about (default 5 million)")
    parser.add_argument("--days", type=int, default=95, help="that these are of (default 95)")
    parser.add_argument("--calls", type=int, default=50_000, help="of the last day, as entries (default 50,000)")
    parser.add_argument("--audit", type=int, default=100_000, help="entries of the audit log (default 100,000)")
    parser.add_argument("--times", type=int, default=100, help="each operation, alone and four at once (default 100)")
    parser.add_argument("--limit", type=float, default=300.0, help="milliseconds of a p95 (default 300)")
    parser.add_argument("--only", default="", metavar="TEXT", help="operations with this in their names")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stay", action="store_true", help="keep it running at the end, to look at")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    return parser.parse_args()


def _wrong_sum(stack: Stack) -> str:
    rows = stack.admin.get(TOTALS).json()["rows"]
    reported = sum(int(row["cost"]) for row in rows)
    return "" if reported == stack.facts["cost"] else f"reports say {reported}, the ledger {stack.facts['cost']}"


def _table(stack: Stack, results: list[Measured]) -> str:
    facts = ", ".join(f"{count:,} {name}" for name, count in stack.facts.items() if name != "cost")
    lines = [
        f"{facts}; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors.",
        "",
        "| operation, ms | p50 | p95 | max | 4 at once: p50 | p95 | max |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for each in results:
        times = [value for part in (each.serial, each.at_once) for value in (part.p50, part.p95, part.max)]
        lines.append(f"| {each.name} | {' | '.join(f'{value:.0f}' for value in times)} |")
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
