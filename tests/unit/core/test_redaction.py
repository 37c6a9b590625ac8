"""Secrets are redacted by type, by name and by pattern."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest
from pydantic import SecretStr

from llm_platform.core.redaction import REDACTED, EventRedactor, Secret, is_sensitive, redact, redacted

CANARY = "canary-4f1d9b7e2c"


@pytest.mark.parametrize("value", [CANARY, CANARY.encode()])
def test_a_secret_never_becomes_text(value: str | bytes) -> None:
    secret = Secret(value)
    shown = f"{secret} {secret!r} {secret!s} {secret:>40} %s" % secret + repr({"nested": [secret]})
    assert CANARY not in shown
    assert secret.reveal() == value


def test_a_secret_does_not_leave_the_process() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(CANARY))
    with pytest.raises(TypeError):
        json.dumps(Secret(CANARY))


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret("")
    assert len({Secret("a"), Secret("a")}) == 1


@pytest.mark.case(21)
@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f"authorization=Basic {CANARY}==",
        f"{{'Authorization': 'Bearer {CANARY}'}}",
        f'{{"x-api-key": "{CANARY}"}}',
        f'{{\\"x-api-key\\": \\"{CANARY}\\"}}',
        f"(b'x-api-key', b'{CANARY}')",
        f"headers: x-goog-api-key: {CANARY}",
        f"https://example.com/v1/models?key={CANARY}&alt=sse",
        f"GET /v1beta/models?alt=sse&api_key={CANARY} HTTP/1.1",
        f"https://user:{CANARY}@example.com/path",
        f"postgresql+asyncpg://platform:{CANARY}@db.example:5432/ledger",
        f"Incorrect API key provided: sk-proj-{CANARY}.",
        f"key AIzaSy{CANARY.replace('-', '')}abcdefghijk is invalid",
        f"password={CANARY}",
        f"{{'db_password': '{CANARY}'}}",
        f"client_secret: {CANARY}",
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}",
    ],
)
def test_a_credential_in_a_text_is_replaced(text: str) -> None:
    cleaned = redact(text)
    assert CANARY not in cleaned
    assert CANARY.replace("-", "") not in cleaned
    assert REDACTED in cleaned
    assert redact(cleaned) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "request",
        "POST /v1/chat/completions",
        "max_tokens must be at least 1",
        "the token limit of this key is reached",
        "key_0199aabbccdd spent 12 of 20 tokens",
        "set llm/openai/api_key with: llm-gateway secrets set llm/openai/api_key",
        "https://api.openai.com/v1/chat/completions?alt=sse",
        "Set the password first.",
        "the headers x-api-key, Authorization and x-goog-api-key are read",
        "llm_requests_total and llm-platform-something-long",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "name", ["api_key", "openai_api_key", "password", "authorization", "secret", "token", "secrets_key", "x-api-key"]
)
def test_names_that_hold_secrets(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name", ["key_id", "max_tokens", "input_tokens", "tokens_per_minute", "api_key_header", "model", "secrets_key_file"]
)
def test_names_that_do_not(name: str) -> None:
    assert not is_sensitive(name)


def test_plain_data_is_copied_without_its_secrets() -> None:
    data = {
        "providers": {"x": {"api_key": SecretStr(CANARY), "base_url": f"https://u:{CANARY}@h/", "weight": 1}},
        "list": [Secret(CANARY), f"Bearer {CANARY}", None, True],
        "password": CANARY,
        "path": Path("/var/lib"),
        "empty": {"api_key": None},
    }
    cleaned = redacted(data)
    assert CANARY not in json.dumps(cleaned)
    assert cleaned["providers"]["x"]["weight"] == 1
    assert cleaned["empty"] == {"api_key": None}
    assert cleaned["path"] == "/var/lib"


class TestEventRedactor:
    def test_a_word_seen_as_a_value_does_not_pass_as_a_name(self) -> None:
        redactor = EventRedactor()
        redactor.clean({"field": "password"})
        event = {"password": CANARY}
        redactor.clean(event)
        assert event == {"password": REDACTED}

    def test_what_it_remembers_is_bounded(self) -> None:
        redactor = EventRedactor(remember=10)
        for number in range(1000):
            redactor.clean({"id": f"value-{number}"})
        assert len(redactor._values) <= 10

    def test_it_says_when_an_event_holds_more_than_plain_fields(self) -> None:
        assert EventRedactor().clean({"a": 1, "b": "text", "c": None})
        assert not EventRedactor().clean({"a": ["nested"]})
