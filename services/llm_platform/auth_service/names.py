"""Names that people give: in any script, but never with characters that hide, reorder or break what is read.

Names are kept in Unicode's form NFC, so that two that look the same are the same
(https://unicode.org/reports/tr15/). Searches compare them without their case.
"""

from __future__ import annotations

import unicodedata

from llm_platform.core.errors import Code, PlatformError

LONGEST = 100
_JOINERS = frozenset("\u200c\u200d")
"""Invisible, yet part of how Persian, Hindi or emoji are written: allowed between other characters."""
_MOST_READ = 1_000
"""Of what an identity provider calls somebody."""
_IN_USER_NAMES = frozenset("._@+-")


def check_name(name: str, what: str) -> str:
    """The name in NFC. Raises INVALID_REQUEST. ``what`` is named so, e.g. "A team"."""
    name = unicodedata.normalize("NFC", name)
    visible = name[:1] + "".join(character for character in name[1:-1] if character not in _JOINERS) + name[1:][-1:]
    if not (1 <= len(name) <= LONGEST and visible.isprintable() and name.strip() == name):
        raise PlatformError(
            Code.INVALID_REQUEST,
            f"{what}'s name has 1 to {LONGEST} printable characters, without spaces around them.",
            param="name",
        )
    return name


def check_user_name(name: str) -> str:
    """The name in NFC. Raises INVALID_REQUEST."""
    name = unicodedata.normalize("NFC", name)
    if not (1 <= len(name) <= LONGEST and name[0].isalnum() and all(map(_is_of_user_name, name))):
        raise PlatformError(
            Code.INVALID_REQUEST,
            f"A user's name has 1 to {LONGEST} letters, digits or . _ @ + - and begins with a letter or digit.",
            param="name",
        )
    return name


def user_name_of(text: str) -> str:
    """What may be a user's name and is closest to the text: one word, in NFC; empty when nothing of it may be."""
    normal = unicodedata.normalize("NFC", text[:_MOST_READ])
    words = "".join(each if _is_of_user_name(each) else " " for each in normal).split()
    name = unicodedata.normalize("NFC", ".".join(words))
    begin = next((index for index, each in enumerate(name) if each.isalnum()), len(name))
    return name[begin : begin + LONGEST]


def _is_of_user_name(character: str) -> bool:
    # Marks: vowels and accents of many scripts are characters of their own.
    return character.isalnum() or character in _IN_USER_NAMES or unicodedata.category(character) in {"Mn", "Mc"}


def fold(name: str) -> str:
    """As searches compare it."""
    return unicodedata.normalize("NFC", name).casefold()
