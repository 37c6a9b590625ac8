"""Secrets do not leave the process: by type first, by pattern as the last line of defence.

``Secret`` is what a key, password or token travels in. Whatever turns it into text shows
``[redacted]``; only ``reveal()`` gives the value, so that every use can be found by name.
``redact`` cleans text that came from elsewhere (a provider's message, a traceback, a URL).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Generic, NoReturn, TypeVar

from pydantic import SecretBytes, SecretStr

REDACTED = "[redacted]"

Value = TypeVar("Value", str, bytes)


class Secret(Generic[Value]):
    """A secret text or bytes. It compares and hashes like its value, and never shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value: Value = value

    def reveal(self) -> Value:
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(REDACTED, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is not pickled or copied out of the process.")


_SENSITIVE_NAME = re.compile(
    r"(?i)(?:^|[_.-])(?:authorization|cookie|password|passwd|secret|api[_-]?key|apikey|(?:access|private|secrets?|signing|encryption)[_-]?key|"
    r"token|credential|x-goog-api-key|secret[_-]?id)s?$"
)
# Ids, counts and limits carry "token" and "key" in their names without being secret.
_HARMLESS_NAME = re.compile(r"(?i)^(?:key_id|max_tokens|tokens|.*_tokens|tokens_.*|secrets)$")


def is_sensitive(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    return _SENSITIVE_NAME.search(name) is not None and _HARMLESS_NAME.match(name) is None


_WORD = r"[A-Za-z0-9._~+/=\-]"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Authorization: Bearer X, also as it looks inside a dict's repr or in JSON.
    (
        re.compile(
            r"(?i)((?:proxy-)?authorization|x-api-key|x-goog-api-key|api[-_]key)"
            rf"""((?:[\\"']+\s*[:=,]|\s*[:=])\s*(?:b?[\\"'(])*)(?:(?:bearer|basic)\s+)?(?!\[redacted\]){_WORD}{{4,}}"""
        ),
        rf"\1\2{REDACTED}",
    ),
    (re.compile(rf"(?i)\b(bearer|basic)\s+(?!\[redacted\]){_WORD}{{8,}}"), rf"\1 {REDACTED}"),
    # Keys of providers and of this platform, by their well-known prefixes.
    (re.compile(r"\b(?:(?:sk|pk|rk|xai)-|(?:sk|gsk|hf)_|hvs\.)[A-Za-z0-9_\-]{12,}"), REDACTED),
    (re.compile(r"\bAIza[A-Za-z0-9_\-]{20,}"), REDACTED),
    # ?key=… and other credentials in a query, user:password@ in a URL.
    (
        re.compile(
            r"(?i)([?&](?:api[-_]?key|key|access[-_]?token|token|password|secret|sig(?:nature)?)=)"
            r"""(?!\[redacted\])[^&\s"'\\<>]+"""
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"""([A-Za-z][A-Za-z0-9+.\-]*://[^\s:/@"'\\]*):(?!\[redacted\])[^\s/@"'\\]+@"""), rf"\1:{REDACTED}@"),
    (
        re.compile(
            r"""(?i)([\\"']?\b[\w.-]*(?:password|passwd|secret|secret_id|access_token|private_key)[\\"']*\s*[:=]\s*(?:b?[\\"'(])*)"""
            r"""(?!\[redacted\]|None\b|null\b|true\b|false\b)[^\s"'\\,;)}&]{3,}"""
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REDACTED),
)
# A text without any of these, in lower case, cannot match a pattern: most lines stop here.
_SIGNS = (
    "sk-", "sk_", "pk-", "rk-", "xai-", "hf_", "hvs.", "aiza", "earer ", "basic ", "authorization", "api-key",
    "api_key", "key=", "token", "sig", "password", "passwd", "secret", "@", "private",
)  # fmt: skip


def redact(text: str) -> str:
    """The text with everything that looks like a credential replaced."""
    lowered = text.lower()
    for sign in _SIGNS:
        if sign in lowered:
            break
    else:
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


_PLAIN = frozenset((int, float, bool, type(None)))


class EventRedactor:
    """Cleans the fields of log events in place, at a cost fit for the request path.

    The same words come again and again (methods, paths, models), so what was found clean is
    remembered. ``clean`` answers whether the event holds only plain fields; if not, the rendered
    line has to be redacted as a whole.
    """

    def __init__(self, remember: int = 4096, longest: int = 256) -> None:
        self._remember = remember
        self._longest = longest
        self._names: set[str] = set()
        self._values: set[str] = set()

    def clean(self, event: MutableMapping[str, Any]) -> bool:
        plain = True
        for name, value in event.items():
            kind = type(value)
            if kind in _PLAIN:
                continue
            if name not in self._names:
                if is_sensitive(name):
                    event[name] = REDACTED
                    continue
                self._learn(self._names, name)
            if kind is not str:
                plain = False
            elif value not in self._values:
                event[name] = cleaned = redact(value)
                if cleaned is value:
                    self._learn(self._values, value)
        return plain

    def _learn(self, known: set[str], text: str) -> None:
        if len(text) > self._longest:
            return
        if len(known) >= self._remember:
            known.clear()
        known.add(text)


def redacted(value: Any) -> Any:
    """A copy of plain data (as of a configuration) without its secrets: by type, by name, by pattern."""
    if isinstance(value, Secret | SecretStr | SecretBytes):
        return REDACTED
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {
            name: REDACTED if is_sensitive(str(name)) and isinstance(item, str | bytes) and item else redacted(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item) for item in value]
    return value if type(value) in _PLAIN else redact(str(value))
