"""Tells the operator where the platform is and, once, the first credentials, which are then forgotten.

usage: handover.py STATE-DIRECTORY
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def addresses(catalog: dict[str, Any]) -> Iterator[str]:
    """Entries, then what people open in a browser."""
    public = {name: one["ports"]["http"] for name, one in catalog["services"].items() if one.get("public")}
    width = max(map(len, public)) + 1
    for name, port in sorted(public.items(), key=lambda one: one[0] in catalog["delegates"]):
        path = "" if name in catalog["delegates"] else "/v1"
        yield f"  {name:<{width}} http://127.0.0.1:{port}{path}"


def credentials(first: dict[str, str]) -> list[str]:
    return [
        "Shown this once, kept only as hashes:",
        f"  administrator  {first['admin']}",
        f"  password       {first['password']}",
        f"  first API key  {first['key']}",
        "",
        "Try it:",
        f"  curl http://127.0.0.1:8000/v1/chat/completions -H 'Authorization: Bearer {first['key']}' \\",
        "    -H 'Content-Type: application/json' \\",
        """    -d '{"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}'""",
    ]


def main(state: str) -> int:
    handed = Path(state, "first-access.json")
    catalog: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "catalog.yml").read_text())
    lines = ["", "The platform answers at", *addresses(catalog), ""]
    if handed.exists():
        lines += credentials(json.loads(handed.read_text()))
    else:
        lines += [
            "The administrator's password and the first key were shown at the first deploy. Another key:",
            f"  {'sudo ' if os.geteuid() else ''}/etc/llm-platform/operator/llm-gateway keys create NAME",
        ]
    print("\n".join(lines))
    handed.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
