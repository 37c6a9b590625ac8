"""Values and passphrases: asked for on a terminal, else read from standard input; never an argument."""

from __future__ import annotations

import getpass
import sys

from llm_platform.cli.output import fail


def read_secret(what: str, *, twice: bool = False) -> bytes:
    """``twice``: a person types it again, since nobody sees it. Exits 1 when it is empty."""
    if not sys.stdin.isatty():
        value = sys.stdin.buffer.read().rstrip(b"\r\n")
    else:
        value = getpass.getpass(f"{what}: ").encode()
        if twice and getpass.getpass("Again: ").encode() != value:
            raise fail("the two are not the same, nothing was done.")
    if not value:
        raise fail("the value is empty, nothing was stored.")
    return value
