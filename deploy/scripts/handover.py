"""Tells the operator where the platform is and, once, the first credentials, which are then forgotten.

usage: handover.py STATE-DIRECTORY
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def entries() -> dict[str, int]:
    """Public entry -> port."""
    catalog: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "catalog.yml").read_text())
    return {name: one["ports"]["http"] for name, one in catalog["services"].items() if one.get("public")}


def addresses(ports: dict[str, int]) -> list[str]:
    return [f"  {name:<12} http://127.0.0.1:{port}/v1" for name, port in ports.items()]


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
    lines = ["", "The platform answers at", *addresses(entries()), ""]
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
