"""An OpenID Connect provider as a client of it sees it: discovery, the exchange of a code, the check of ID tokens.

OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE). Keys and addresses come from the provider's own documents,
which are believed for an hour. Algorithms are public-key ones only, whatever a token's header says.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from llm_platform.core.config.model import Oidc
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger

if TYPE_CHECKING:
    import aiohttp

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
FRESH_SECONDS = 3600.0
PAUSE_SECONDS = 10.0
"""Between two looks for a key that is not known."""
TIMEOUT_SECONDS = 5.0
MAX_BYTES = 1024 * 1024
LEEWAY_SECONDS = 60
"""How far the provider's clock may be from ours."""

log = get_logger("auth-service.oidc")


class RefusedLoginError(Exception):
    """Whoever comes back from the provider has proved nothing. Says why, without the token."""


class Provider:
    """Talks to the provider of ``settings``."""

    def __init__(self, settings: Oidc, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._document: dict[str, Any] = {}
        self._keys: dict[str, Key] = {}
        self._known_at = -float("inf")
        self._loading = asyncio.Lock()

    async def authorization_url(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in. Raises UNAVAILABLE."""
        document = await self._discovered()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        address = str(document["authorization_endpoint"])
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"

    async def exchange(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> dict[str, Any]:
        """The claims of the ID token that the code is exchanged for. Raises RefusedLoginError, UNAVAILABLE."""
        document = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self._settings.client_id,
        }
        answer = await self._ask(str(document["token_endpoint"]), form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise RefusedLoginError(f"the provider refused the code ({str(answer.get('error', 'no ID token'))[:50]})")
        return await self.check(token, nonce, str(answer.get("access_token", "")))

    async def check(self, token: str, nonce: str, access_token: str = "") -> dict[str, Any]:
        """The claims of an ID token for us. Raises RefusedLoginError, UNAVAILABLE."""
        try:
            header = jws.extract_compact(token.encode()).headers()
            key = await self._key(str(header.get("kid", "")))
            decoded = jwt.decode(token, key, algorithms=ALGORITHMS)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"value": self._settings.issuer}, "aud": {"value": self._settings.client_id}},
                {"nonce": nonce, "client_id": self._settings.client_id, "access_token": access_token},
            )
            claims.validate(now=int(self._clock()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError) as error:
            raise RefusedLoginError(f"the ID token does not hold: {error}") from None
        said = dict(decoded.claims)
        # What the library takes as optional when it is empty.
        if not nonce or said.get("nonce") != nonce or not isinstance(said.get("sub"), str) or not said["sub"]:
            raise RefusedLoginError("the ID token is not of this login")
        return said

    async def _key(self, key_id: str) -> Key:
        await self._discovered()
        if key_id not in self._keys and self._clock() - self._known_at >= PAUSE_SECONDS:
            await self._discovered(0)
        if key_id in self._keys:
            return self._keys[key_id]
        raise RefusedLoginError("the provider does not know the key that signed the ID token")

    async def _discovered(self, max_age: float = FRESH_SECONDS) -> dict[str, Any]:
        async with self._loading:
            if self._clock() - self._known_at > max_age or not self._document:
                document = await self._ask(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
                self._check_document(document)
                keys = KeySet.import_key_set(await self._ask(str(document["jwks_uri"]))).keys  # type: ignore[arg-type]
                self._keys = {str(key.kid or ""): key for key in keys}
                self._document, self._known_at = document, self._clock()
            return self._document

    def _check_document(self, document: Mapping[str, Any]) -> None:
        if document.get("issuer") != self._settings.issuer:
            raise _unavailable("it names another issuer than the configuration")
        plain = self._settings.issuer.startswith("http://")  # allowed on the loopback only
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            address = document.get(name)
            if not isinstance(address, str) or not (address.startswith("https://") or plain):
                raise _unavailable(f"its {name} is not an https address")

    async def _ask(self, url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object that a GET, or a POST of ``form`` as the client, is answered with. Raises UNAVAILABLE."""
        import aiohttp  # a process without such logins does not load it

        confidential = form is not None and self._settings.client_secret is not None
        headers = {"Authorization": self._credentials()} if confidential else {}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT_SECONDS), headers=headers) as session,
                session.request(
                    "GET" if form is None else "POST", url, data=form, ssl=self._tls(), allow_redirects=False
                ) as response,
            ):
                content = await _limited(response)
                answer = json.loads(content)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError) as error:
            raise _unavailable(type(error).__name__) from None
        if not isinstance(answer, dict) or response.status >= 500 or (form is None and response.status != 200):
            raise _unavailable(f"it answered with status {response.status}")
        return answer

    def _credentials(self) -> str:
        """RFC 6749, section 2.3.1."""
        secret = self._settings.client_secret
        pair = (self._settings.client_id, secret.get_secret_value() if secret is not None else "")
        return f"Basic {base64.b64encode(':'.join(map(quote_plus, pair)).encode()).decode()}"

    def _tls(self) -> ssl.SSLContext | bool:
        authority = self._settings.authority
        return ssl.create_default_context(cafile=str(authority)) if authority is not None else True


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    content = await response.content.read(MAX_BYTES + 1)
    while len(content) <= MAX_BYTES and (more := await response.content.read(MAX_BYTES + 1 - len(content))):
        content += more
    if len(content) > MAX_BYTES:
        raise ValueError("too large")
    return content


def _unavailable(reason: str) -> PlatformError:
    log.warning("the identity provider cannot be used", reason=reason)
    return PlatformError(Code.UNAVAILABLE, f"The identity provider cannot be used: {reason}.", retry_after=5)
