"""The command line as users run it: a process of its own, on stores of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SERVICES = Path(__file__).parents[3] / "services"


class CommandLine:
    """Runs ``llm-gateway`` with a data directory of this test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "config.yaml"
        self.config.write_text(json.dumps({"service": {"data_dir": str(directory / "data")}}))
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SERVICES),
            "LLM_GATEWAY_CONFIG": str(self.config),
        }

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "llm_platform", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.directory,
            env={**self.environment, **environment},
        )

    def json(self, *arguments: str, stdin: str = "") -> Any:
        done = self(*arguments, "--format", "json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)
