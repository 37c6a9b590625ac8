"""The section ``limits``: what it says nothing about is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_platform.core.config import Config
from llm_platform.core.config.file import ConfigError, read


def load(folder: Path, **sections: object) -> Config:
    file = folder / "config.yaml"
    file.write_text(json.dumps(sections))
    return read(file, {}).config


def test_models_and_providers_have_limits(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        limits={
            "models": {"echo": {"requests_per_minute": 60, "requests_burst": 5}},
            "providers": {"echo": {"tokens_per_minute": 10, "tokens_burst": 600, "concurrency": 3}},
        },
    )
    assert config.limits.models["echo"].requests_burst == 5
    assert config.limits.providers["echo"].concurrency == 3


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"limits": {"models": {"echoo": {}}}}, "limits.models.echoo: no provider serves it (did you mean echo?)"),
        ({"limits": {"providers": {"open": {}}}}, "limits.providers.open: no such provider (known here: echo)"),
        (
            {"limits": {"models": {"echo": {"requests_burst": 5}}}},
            "limits.models.echo.requests_burst: has no effect without requests_per_minute",
        ),
        (
            {"limits": {"providers": {"echo": {"tokens_per_minute": 10, "tokens_burst": 601}}}},
            "limits.providers.echo.tokens_burst: must be at most 60 times tokens_per_minute",
        ),
        ({"traffic": {"tokens_burst": 5}}, "traffic.tokens_burst: has no effect without tokens_per_minute"),
        ({"limits": {"models": {"echo": {"concurrency": -1}}}}, "limits.models.echo.concurrency: must be greater than"),
        ({"limits": {"models": {"echo": {"rpm": 1}}}}, "limits.models.echo.rpm: unknown key"),
    ],
)
def test_what_has_no_effect_is_refused(tmp_path: Path, sections: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, **sections)
    assert says in str(refused.value)


def test_an_entry_that_is_not_told_of_providers_takes_any_model(tmp_path: Path) -> None:
    tls = {"certificate": "/c", "key": "/k", "authority": "/a", "trust_domain": "x"}
    load(tmp_path, tls=tls, peers={"head": ["h:1"]}, limits={"models": {"gpt-5": {"concurrency": 1}}})


def test_the_burst_of_keys_may_go_with_the_limit_of_the_security_section(tmp_path: Path) -> None:
    load(tmp_path, security={"rate_limit_rpm": 60}, traffic={"requests_burst": 5})
