"""``llm-gateway run``: a service that cannot run says what to set."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import CommandLine


@pytest.mark.parametrize(
    ("service", "missing"),
    [
        ("tail", "peers.head"),
        ("gateway", "peers.head"),
        ("head", "listen.grpc"),
        ("model-proxy", "listen.grpc"),
        ("auth-service", "listen"),
        ("secrets-service", "listen"),
        ("billing", "listen"),
    ],
)
def test_a_service_that_is_not_configured_names_the_setting_in_a_line(
    cli: CommandLine, service: str, missing: str
) -> None:
    settings = {"service": {"data_dir": str(cli.directory / "data")}, "listen": {"host": "127.0.0.1", "http": 0}}
    cli.config.write_text(json.dumps(settings))
    done = cli.process("run", service, "--config", str(cli.config))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (failure,) = [line for line in lines if line["event"] == "cannot start"]
    assert done.returncode == 1
    assert missing in failure["reason"]
    assert "exception" not in failure
    assert "Traceback" not in done.stderr
