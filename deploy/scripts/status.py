"""Prints the replicas of an environment as a table or as JSON.

usage: status.py [--format table|json] STATUS.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

COLUMNS = ("replica", "host", "wanted", "running", "healthy", "release", "since")


def rows(status: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"host": host, **replica} for host, replicas in status.items() for replica in replicas]


def table(found: list[dict[str, Any]]) -> str:
    lines = [COLUMNS, *(tuple(cell(row[column]) for column in COLUMNS) for row in found)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(COLUMNS))]
    printed = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    reasons = [f"{row['replica']}: {row['reason']}" for row in found if row["reason"]]
    return "\n".join([*printed, *([""] if reasons else []), *reasons])


def cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "-"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("status", type=Path)
    given = parser.parse_args()
    found = rows(json.loads(given.status.read_text()))
    if given.format == "json":
        print(json.dumps(found, indent=2))
    elif all(row["state"] == "missing" for row in found):
        print("nothing is deployed here; `./deploy.sh ENVIRONMENT deploy` changes that")
    else:
        print(table(found))
    return 0 if all(row["healthy"] for row in found if row["wanted"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
