"""Exports: under a passphrase, and refused when they are not what was written."""

from __future__ import annotations

import json

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.secrets_service import passphrase
from llm_platform.secrets_service.archive import ArchivedSecret, pack, unpack

WORDS = b"correct horse battery staple"
SECRETS = [
    ArchivedSecret("llm/openai/api_key", b"\x00\xffcanary", "of the team", {"env": "prod"}, "2031-05-01T00:00:00.000Z"),
    ArchivedSecret("other", b"x"),
]


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase, "COST", 2**10)


def test_what_was_packed_comes_back_and_is_not_readable_in_between() -> None:
    packed = pack(SECRETS, WORDS)
    assert unpack(packed, WORDS) == SECRETS
    for shown in (b"canary", b"openai", b"of the team"):
        assert shown not in packed
    assert pack(SECRETS, WORDS) != packed
    assert "canary" not in repr(SECRETS)


def test_a_passphrase_that_is_too_short_is_refused() -> None:
    with pytest.raises(PlatformError) as refused:
        pack(SECRETS, b"short")
    assert refused.value.param == "passphrase"


@pytest.mark.parametrize("words", [b"", b"another passphrase", WORDS + b" "])
def test_another_passphrase_opens_nothing(words: bytes) -> None:
    with pytest.raises(PlatformError, match=r"passphrase is wrong.*Nothing was imported"):
        unpack(pack(SECRETS, WORDS), words)


def test_every_truncated_or_changed_export_is_refused() -> None:
    packed = pack(SECRETS, WORDS)
    for end in range(len(packed)):
        with pytest.raises(PlatformError) as refused:
            unpack(packed[:end], WORDS)
        assert refused.value.code is Code.INVALID_REQUEST
    for at in range(0, len(packed), 3):
        changed = packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
        with pytest.raises(PlatformError, match="Nothing was imported"):
            unpack(changed, WORDS)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 9}, "use the newer one"),
        ({"archive": "other"}, "no export of secrets"),
        ({"derivation": {"salt": "AAAAAAAAAAAAAAAAAAAAAA==", "n": 2**30}}, "passphrase is wrong, or"),
        ({"derivation": {"salt": "", "n": 2**10}}, "passphrase is wrong, or"),
    ],
)
def test_an_export_of_another_kind_or_with_an_unbearable_cost_is_refused(
    changes: dict[str, object], reason: str
) -> None:
    header, body = pack(SECRETS, WORDS).split(b"\n", 1)
    changed = json.dumps(json.loads(header) | changes).encode()
    with pytest.raises(PlatformError, match=reason):
        unpack(changed + b"\n" + body, WORDS)
