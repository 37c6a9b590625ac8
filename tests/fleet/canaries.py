"""Secrets that must not come out: planted in the processes under test, and looked for in all that these leave behind.

What is given to a fleet as a secret (its settings, values of ``secrets set``, keys that it makes) is one as well.
"""

from __future__ import annotations

import base64
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from llm_platform.core.redaction import is_sensitive

_LEAST_LENGTH = 12
"""What is shorter stands in a log by chance."""
_MADE = ("secret", "password", "key")
"""Fields of what the command line prints that hold something that was made."""


class LeakedError(AssertionError):
    """A planted secret came out."""


class Canaries:
    """Values without the prefixes that redaction knows: they stay hidden only where nobody writes them at all."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        for name in ("provider-key", "user-key", "vault-token", "database-password", "webhook-secret"):
            self.add(name, f"canary-{name}-{secrets.token_hex(12)}")
        self.environment = {"VAULT_TOKEN": self["vault-token"], "PGPASSWORD": self["database-password"]}
        """For the processes: what an operator's shell may hold."""

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def add(self, name: str, value: str) -> None:
        if len(value) >= _LEAST_LENGTH:
            self.values[name] = value

    def learn(self, given: Any, place: str = "") -> None:
        """Every secret in settings, or in what a command printed."""
        if isinstance(given, Mapping):
            for name, value in given.items():
                self._learn_field(str(name), value, f"{place}.{name}")
        elif isinstance(given, list):
            for number, value in enumerate(given):
                self.learn(value, f"{place}.{number}")

    def look(self, text: str | bytes, where: str) -> None:
        """Raises LeakedError."""
        if found := self.found_in(text):
            raise LeakedError(f"{', '.join(found)} can be read in {where}")

    def found_in(self, text: str | bytes) -> list[str]:
        """Names of those that stand in the text: as they are, in base64, percent-encoded or in hex."""
        content = text.encode() if isinstance(text, str) else text
        return [name for name, value in self.values.items() if any(form in content for form in _forms(value))]

    def look_in_files(self, files: Iterable[Path]) -> None:
        """Raises LeakedError that names every file."""
        leaks = [
            f"{', '.join(found)} in {file}" for file in sorted(files) if (found := self.found_in(_content(file)))
        ]  # fmt: skip
        if leaks:
            raise LeakedError("can be read: " + "; ".join(leaks))

    def look_in_metrics(self, url: str) -> None:
        """Also in what a service says of its health. One that does not answer says nothing. Raises LeakedError."""
        for path in ("/metrics", "/ready", "/health"):
            try:
                with urllib.request.urlopen(url + path, timeout=1) as response:
                    text = response.read()
            except urllib.error.HTTPError as error:
                text = error.read()
            except (OSError, ValueError):
                continue
            self.look(text, url + path)

    def _learn_field(self, name: str, value: Any, place: str) -> None:
        if not isinstance(value, str):
            self.learn(value, place)
        elif is_sensitive(name) or name in _MADE:
            self.add(place, value)
        elif "://" in value and (password := urlsplit(value).password):
            self.add(place, unquote(password))


def _forms(value: str) -> set[bytes]:
    raw = value.encode()
    # Of base64 what does not depend on the bytes around it.
    shifted = (base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3))
    return {raw, quote(value, safe="").encode(), raw.hex().encode(), *shifted}


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.is_file() else b""
    except FileNotFoundError:
        return b""
