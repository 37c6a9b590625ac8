"""A login at Vault or OpenBao that is kept alive, and its failures by name. Calls block; any thread may make them.

Log in by AppRole (https://developer.hashicorp.com/vault/docs/auth/approle), or with a token that was given. The token
is renewed after two thirds of its lease; one that is gone is replaced by a new login in the call that finds out.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn, TypeVar

import hvac
import requests
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, VaultDown, VaultError, VaultNotInitialized
from requests.adapters import HTTPAdapter

from llm_platform.core.config import Vault
from llm_platform.core.errors import CannotStartError, Code, PlatformError
from llm_platform.core.redaction import Secret

RETRY_SECONDS = 1.0
_RENEW_AT = 2 / 3

Result = TypeVar("Result")


class VaultAwayError(PlatformError):
    """Vault is sealed, or cannot be reached: what it said last may be used."""


class VaultSilentError(VaultAwayError):
    """Vault gave no answer to tell what became of the request: a write may have been made."""


class UnusableAuthorityError(CannotStartError):
    """The file that Vault's certificate is to be checked with cannot be used."""


class _Lease(NamedTuple):
    """Times of the monotonic clock; a token without an end has them at infinity."""

    seconds: float
    renew_at: float
    ends_at: float
    renewable: bool


class VaultSession:
    """Runs work with an hvac client that is logged in."""

    def __init__(self, settings: Vault, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Does not connect. Raises UnusableAuthorityError."""
        self._settings = settings
        self._clock = clock
        self._seconds = settings.timeout / 1000
        self._http = requests.Session()
        # Neither proxies, nor ~/.netrc, nor another CA by the environment: secrets go where the configuration says.
        self._http.trust_env = False
        self._http.verify = _checked_authority(settings)
        self._http.mount("https://", HTTPAdapter(pool_connections=1, pool_maxsize=threads))
        self._http.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=threads))
        self._client = self._new_client("")
        self._lock = threading.Lock()
        self._lease: _Lease | None = None
        self._unwrapped: tuple[Secret[str], Secret[str]] | None = None

    def __call__(self, work: Callable[[Any], Result]) -> Result:
        """``work`` is given hvac's client and raises hvac's errors; what it leaves of them is named here.

        Raises VaultAwayError, PERMISSION_DENIED, UNAVAILABLE.
        """
        with self._named_failures():
            used = self._token()
            try:
                return work(self._client)
            except Forbidden:
                if not self._replaced(used):
                    raise
            return work(self._client)

    def close(self) -> None:
        """Ends idle connections."""
        self._http.close()

    def _new_client(self, token: str) -> Any:
        # A token of None would be looked for in the environment and in ~/.vault-token.
        return hvac.Client(
            url=self._settings.address,
            token=token,
            verify=self._http.verify,
            timeout=self._seconds,
            session=self._http,
            namespace=self._settings.namespace,
        )

    def _token(self) -> Secret[str]:
        """The token as it stands in the client, fit to be used."""
        with self._lock:
            if self._lease is None:
                self._log_in()
            elif self._clock() >= self._lease.renew_at:
                self._renew(self._lease)
            return Secret(self._client.token)

    def _replaced(self, used: Secret[str]) -> bool:
        """After a refusal: whether there is another token than ``used`` now. False when that one is still good."""
        with self._lock:
            if self._client.token != used.reveal():
                return True
            try:
                self._client.auth.token.lookup_self()
            except Forbidden:
                self._lease = None
                self._log_in()
                return True
            return False

    def _renew(self, lease: _Lease) -> None:
        if lease.renewable:
            try:
                new = _lease(self._client.auth.token.renew_self()["auth"], self._clock())
            except (Forbidden, InvalidRequest):
                pass  # gone, or as old as it may get
            except (VaultError, requests.RequestException):
                if self._clock() < lease.ends_at:
                    return  # the token is good until then; the call itself says what is wrong
                raise
            else:
                # Near the end of its longest life a token is renewed for less and less.
                if self._settings.token is not None or new.seconds >= lease.seconds / 2:
                    self._lease = new
                    return
        self._lease = None
        self._log_in()

    def _log_in(self) -> None:
        if self._settings.token is not None:
            self._client.token = self._settings.token.get_secret_value()
            try:
                found = self._client.auth.token.lookup_self()["data"]
            except Forbidden:
                _refuse_login("the token; configure a new one")
            lease = _lease({"lease_duration": found["ttl"], "renewable": found.get("renewable", False)}, self._clock())
        else:
            try:
                login = self._new_client("").auth.approle.login(
                    role_id=self._settings.role_id,
                    secret_id=self._secret_id().reveal(),
                    use_token=False,
                    mount_point=self._settings.auth_mount,
                )["auth"]
            except (Forbidden, InvalidRequest, InvalidPath):
                _refuse_login("the role id or the secret id; give a new secret id, and look at vault.auth_mount")
            self._client.token = login["client_token"]
            lease = _lease(login, self._clock())
        self._check_mount()
        self._lease = lease

    def _secret_id(self) -> Secret[str]:
        settings = self._settings
        if settings.secret_id_file is not None:
            try:
                given = Secret(settings.secret_id_file.read_text("ascii").strip())
            except (OSError, ValueError):
                raise PlatformError(
                    Code.UNAVAILABLE, "The file vault.secret_id_file cannot be read.", retry_after=RETRY_SECONDS
                ) from None
        else:
            given = Secret(settings.secret_id.get_secret_value() if settings.secret_id else "")
        if not settings.secret_id_wrapped:
            return given
        if self._unwrapped is None or self._unwrapped[0] != given:
            try:
                inside = self._new_client(given.reveal()).sys.unwrap()["data"]["secret_id"]
            except (Forbidden, InvalidRequest):
                _refuse_login(
                    "to unwrap the secret id: it is too old, or was unwrapped before - by whom? Give a new one"
                )
            self._unwrapped = (given, Secret(inside))
        return self._unwrapped[1]

    def _check_mount(self) -> None:
        """Version 1 would answer as if it were empty. Who may not ask here is told by the calls themselves."""
        with contextlib.suppress(Forbidden, InvalidPath):
            found = (self._client.read(f"sys/internal/ui/mounts/{self._settings.mount}") or {}).get("data", {})
            if found and (found.get("type"), (found.get("options") or {}).get("version")) != ("kv", "2"):
                self._refuse_mount()

    def _refuse_mount(self) -> NoReturn:
        raise PlatformError(
            Code.UNAVAILABLE,
            f"Vault has no KV engine of version 2 at {self._settings.mount}/; mount one there, or correct vault.mount.",
            retry_after=RETRY_SECONDS,
        )

    @contextlib.contextmanager
    def _named_failures(self) -> Iterator[None]:
        """hvac's messages hold addresses and paths of requests; these do not."""
        try:
            yield
        except VaultNotInitialized:
            raise away("is not initialized; initialize and unseal it") from None
        except VaultDown as error:
            sealed = any("sealed" in each for each in error.errors or ())
            raise away("is sealed; unseal it" if sealed else "is not in service; look at its log") from None
        except Forbidden:
            raise PlatformError(
                Code.PERMISSION_DENIED,
                "Vault does not permit this to secrets-service; its policy or vault.mount or vault.prefix is not right "
                "(docs/secrets.md has the policy).",
            ) from None
        except InvalidPath:
            self._refuse_mount()
        except VaultError as error:
            raise _silent(f"failed ({type(error).__name__}); look at its log") from None
        except requests.Timeout:
            raise unanswered(self._seconds) from None
        except requests.exceptions.SSLError:
            raise away("has a certificate that is not trusted; look at vault.authority and vault.address") from None
        except requests.ConnectionError:
            raise _silent("cannot be reached; look whether it runs, and at vault.address") from None
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise _silent(f"does not answer as Vault does ({type(error).__name__}); look at vault.address") from None


def away(what: str) -> VaultAwayError:
    """Vault ``what``."""
    return VaultAwayError(Code.UNAVAILABLE, f"Vault {what}.", retry_after=RETRY_SECONDS)


def unanswered(seconds: float) -> VaultSilentError:
    """Nothing came within the time."""
    return _silent(f"did not answer within {seconds:g} s")


def _silent(what: str) -> VaultSilentError:
    return VaultSilentError(Code.UNAVAILABLE, f"Vault {what}.", retry_after=RETRY_SECONDS)


def _refuse_login(what: str) -> NoReturn:
    raise PlatformError(Code.UNAVAILABLE, f"Vault refuses {what}.", retry_after=RETRY_SECONDS) from None


def _lease(login: dict[str, Any], now: float) -> _Lease:
    seconds = float(login["lease_duration"]) or float("inf")  # 0: no end
    return _Lease(seconds, now + seconds * _RENEW_AT, now + seconds, bool(login["renewable"]))


def _checked_authority(settings: Vault) -> str | bool:
    if settings.authority is None:
        return True
    try:
        ssl.create_default_context(cafile=settings.authority)
    except (OSError, ssl.SSLError) as error:
        raise UnusableAuthorityError(
            f"vault.authority {settings.authority} is no PEM bundle that can be read: {error.strerror or error}."
        ) from None
    return str(settings.authority)
