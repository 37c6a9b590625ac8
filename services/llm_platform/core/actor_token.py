"""The token that says who acts: a JWT signed by auth-service, which any service can check by its public keys.

A dashboard exchanges the session of whoever signed in for one and sends it with each call (``rpc/on_behalf.py``).
It lives five minutes: that is the longest that a role taken away or a session ended may still count elsewhere.

Ed25519 is the only algorithm, whatever a token's header says (RFC 8725, section 3.1; the name is RFC 9864's).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from llm_platform.core.actor import ROLES, Actor

LIFETIME_SECONDS = 300
LEEWAY_SECONDS = 10
"""How far the clocks of two hosts may be apart."""
ISSUER = "auth-service"
MAX_CHARACTERS = 4_000
"""Of a token; ours have about 600, and 50 more for each team."""

_ALGORITHM = "Ed25519"
_KINDS = ("user", "service_account")


class InvalidTokenError(Exception):
    """The token proves nothing. Says why, without the token."""


class Claims(NamedTuple):
    """What a token says."""

    actor: Actor
    session_id: str
    """Empty for a program, which has no session."""
    expires_at: int
    """Unix seconds."""


FindKey = Callable[[str], Awaitable[OKPKey | None]]
"""The public key of that id, if auth-service vouches for it."""


def sign(key: OKPKey, claims: Claims, audience: str, now: float) -> str:
    """``key`` is private and has a ``kid``; ``audience`` is the trust domain that the token is for."""
    actor = claims.actor
    return jwt.encode(
        {"alg": _ALGORITHM, "kid": key.kid},
        {
            "iss": ISSUER,
            "aud": audience,
            "sub": actor.id,
            "name": actor.name,
            "kind": actor.kind,
            "role": actor.role,
            "org": actor.organization_id,
            "platform": actor.platform,
            "teams": list(actor.teams),
            "sid": claims.session_id,
            "iat": int(now),
            "exp": claims.expires_at,
        },
        key,
        algorithms=[_ALGORITHM],
    )


async def verify(text: str, find_key: FindKey, audience: str, now: float) -> Claims:
    """Who acts. Raises InvalidTokenError, and what ``find_key`` raises when it cannot be asked."""
    if len(text) > MAX_CHARACTERS or not text.isascii():
        raise InvalidTokenError("it is not a token")
    key = await find_key(_key_id(text))
    if key is None:
        raise InvalidTokenError("auth-service does not know the key that signed it")
    rules = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": audience},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        token = jwt.decode(text, key, algorithms=[_ALGORITHM])
        rules.validate(token.claims)
    except (JoseError, ValueError) as error:
        raise InvalidTokenError(getattr(error, "description", "") or str(error) or type(error).__name__) from None
    return _claims(token.claims)


def _key_id(text: str) -> str:
    try:
        header = jws.extract_compact(text.encode()).protected
    except (JoseError, ValueError):
        raise InvalidTokenError("it is not a token") from None
    key_id = header.get("kid")
    if header.get("alg") != _ALGORITHM or not isinstance(key_id, str):
        raise InvalidTokenError("it is signed in a way that is not accepted")
    return key_id


def _claims(said: dict[str, Any]) -> Claims:
    texts = [said.get(name) for name in ("sub", "name", "kind", "role", "org", "sid")]
    if not all(isinstance(text, str) for text in texts) or not isinstance(said.get("platform"), bool):
        raise InvalidTokenError("claims are missing")
    if said["kind"] not in _KINDS or said["role"] not in ROLES or not said["sub"]:
        raise InvalidTokenError("its kind or role is unknown")
    teams = said.get("teams", [])  # the release before does not name them
    if not isinstance(teams, list) or not all(isinstance(team, str) for team in teams):
        raise InvalidTokenError("its teams are none")
    actor = Actor(said["sub"], said["name"], said["kind"], said["role"], said["org"], said["platform"], tuple(teams))
    return Claims(actor, said["sid"], int(said["exp"]))
