"""The command line on stores of its own: in this process, or as users run it, in one of its own."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import structlog

from llm_platform.cli.app import main
from llm_platform.core.logging import _output

SERVICES = Path(__file__).parents[3] / "services"

Done = subprocess.CompletedProcess[str]


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

    def __call__(self, *arguments: str, stdin: str | bytes = "", **environment: str) -> Done:
        """All that a process of its own would do, but for starting it: that takes a second each time."""
        given, out, err = (io.TextIOWrapper(io.BytesIO(start), "utf-8") for start in (_bytes(stdin), b"", b""))
        with (
            patch.dict(os.environ, {**self.environment, **environment}, clear=True),
            patch.object(sys, "argv", ["llm-gateway", *arguments]),
            patch.object(sys, "stdin", given),
            chdir(self.directory),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        code = ended.value.code
        return Done(arguments, code if isinstance(code, int) else int(code is not None), _text(out), _text(err))

    def process(self, *arguments: str, stdin: str = "") -> Done:
        return subprocess.run(
            [sys.executable, "-m", "llm_platform", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.directory,
            env=self.environment,
        )

    def json(self, *arguments: str, stdin: str = "") -> Any:
        done = self(*arguments, "--format", "json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


@pytest.fixture(autouse=True)
def _logging_apart() -> Iterator[None]:
    """A command directs all logging of its process; after the test it is as before."""
    configure, before = structlog.configure, structlog.get_config()
    root = logging.getLogger()
    handlers, level, stream = list(root.handlers), root.level, _output._stream

    def uncached(**settings: Any) -> None:
        configure(**{**settings, "cache_logger_on_first_use": False})

    try:
        with patch.object(structlog, "configure", uncached):
            yield
    finally:
        configure(**before)  # the very same objects: loggers of modules hold on to them
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)
        _output.open(stream)


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)
