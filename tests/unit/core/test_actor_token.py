"""Tokens that say who acts: what is believed, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from llm_platform.core.actor import MOST_TEAMS, Actor
from llm_platform.core.actor_token import LEEWAY_SECONDS, Claims, InvalidTokenError, sign, verify

NOW = 1_800_000_000
DOMAIN = "prod.example"
KEY = OKPKey.generate_key("Ed25519", {"kid": "sig_1"})
ZOE = Actor("usr_1", "Zoë 零", "user", "developer", "org_1", platform=False)
CLAIMS = Claims(ZOE, "ses_1", NOW + 300)


async def find(key_id: str) -> OKPKey | None:
    return KEY if key_id == "sig_1" else None


async def believed(text: str, now: float = NOW, audience: str = DOMAIN) -> Claims:
    return await verify(text, find, audience, now)


def forged(changes: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    """A token by the right key, with other claims (None: without)."""
    claims = {
        "iss": "auth-service",
        "aud": DOMAIN,
        "sub": "usr_1",
        "name": "Zoë",
        "kind": "user",
        "role": "developer",
        "org": "org_1",
        "platform": False,
        "sid": "ses_1",
        "iat": NOW,
        "exp": NOW + 300,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(header or {"alg": "Ed25519", "kid": "sig_1"}, kept, KEY, algorithms=["Ed25519"])


async def test_a_token_says_who_acts() -> None:
    assert await believed(sign(KEY, CLAIMS, DOMAIN, NOW)) == CLAIMS
    assert (await believed(forged({}))).actor.teams == ()  # of the release before
    many = CLAIMS._replace(actor=ZOE._replace(teams=tuple(f"team_{number:032x}" for number in range(MOST_TEAMS))))
    assert await believed(sign(KEY, many, DOMAIN, NOW)) == many
    with pytest.raises(InvalidTokenError):
        await believed(forged({"teams": [1]}))


async def test_a_token_ends_with_its_time_and_the_leeway_for_clocks() -> None:
    text = sign(KEY, CLAIMS, DOMAIN, NOW)
    assert await believed(text, NOW + 300 + LEEWAY_SECONDS - 1)
    with pytest.raises(InvalidTokenError):
        await believed(text, NOW + 300 + LEEWAY_SECONDS)
    with pytest.raises(InvalidTokenError):
        await believed(text, NOW - LEEWAY_SECONDS - 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "staging.example"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
        {"role": "root"},
        {"role": ["owner"]},
        {"kind": "operator"},
        {"kind": "service"},
        {"platform": "yes"},
        {"org": None},
        {"sid": 7},
    ],
)
async def test_claims_that_are_not_auth_services_prove_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        await believed(forged(changes))


def unsigned() -> str:
    """With an empty signature and ``{"alg":"none","kid":"sig_1"}``."""
    return f"eyJhbGciOiJub25lIiwia2lkIjoic2lnXzEifQ.{sign(KEY, CLAIMS, DOMAIN, NOW).split('.')[1]}."


def signed_with_the_public_key() -> str:
    """HMAC with the public key as the secret, which believes the header's algorithm fall for."""
    secret = OctKey.import_key(json.dumps(KEY.as_dict(private=False)))
    return jwt.encode({"alg": "HS256", "kid": "sig_1"}, {"sub": "usr_1"}, secret)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        "é.é.é",
        "x" * 5_000,
        unsigned(),
        signed_with_the_public_key(),
        forged({}, {"alg": "Ed25519"}),
        forged({}, {"alg": "Ed25519", "kid": "sig_2"}),
        sign(OKPKey.generate_key("Ed25519", {"kid": "sig_1"}), CLAIMS, DOMAIN, NOW),
        sign(KEY, CLAIMS, DOMAIN, NOW)[:-8] + "AAAAAAAA",
    ],
)
async def test_what_auth_service_did_not_sign_proves_nothing(text: str) -> None:
    with pytest.raises(InvalidTokenError):
        await believed(text)
