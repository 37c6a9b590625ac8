"""The Python that ours and LiteLLM run on, and environments of it.

It is the distribution's, which the images have too: compiled with profile-guided optimization. One that a version
manager compiled without it takes half as long again for the same code, which says nothing of what is installed.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.contestant import CACHE

DISTRIBUTION = "/usr/bin/python3"
OLDEST = (3, 11)


@functools.cache
def interpreter() -> tuple[str, str]:
    """The path of the Python to measure with, and its version."""
    if Path(DISTRIBUTION).exists():
        found = subprocess.run(
            [DISTRIBUTION, "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        if tuple(int(part) for part in found.split(".")[:2]) >= OLDEST:
            return DISTRIBUTION, found
    return sys.executable, sys.version.partition(" ")[0]


def environment(name: str, requirements: Sequence[str]) -> Path:
    """The Python of an environment of its own with ``requirements`` (pip's arguments) in it, made once."""
    program, version = interpreter()
    directory = CACHE / f"{name}-python{version}"
    python = directory / "bin" / "python"
    complete = directory / ".complete"
    if not complete.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([str(uv), "venv", "--quiet", "--clear", "--python", program, str(directory)], check=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "--quiet", "--python", str(python), "install", *requirements], check=True
        )
        complete.touch()
    return python
