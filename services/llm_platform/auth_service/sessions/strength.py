"""What a password must be besides long enough (``passwords.MIN_LENGTH``)."""

from __future__ import annotations

from llm_platform.core.errors import Code, PlatformError

DIFFERENT = 5
"""Characters that differ."""
_SHORTEST_NAME = 4
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "98765432109876543210")


def check_strength(password: str, name: str) -> None:
    """Raises INVALID_REQUEST with what is wrong; the password is not in it."""
    plain = password.casefold()
    if len(set(plain)) < DIFFERENT:
        raise _weak(f"It has fewer than {DIFFERENT} different characters")
    if len(name) >= _SHORTEST_NAME and name.casefold() in plain:
        raise _weak("It contains the user's name")
    if any(plain in row for row in _ROWS):
        raise _weak("It is a row of the keyboard or the alphabet")


def _weak(reason: str) -> PlatformError:
    return PlatformError(Code.INVALID_REQUEST, f"This password is too easy to guess. {reason}.", param="new_password")
