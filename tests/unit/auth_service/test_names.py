"""Names in any script."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_platform.auth_service.names import LONGEST, check_name, check_user_name, fold, user_name_of
from llm_platform.core.errors import Code, PlatformError
from tests.unit.auth_service.parts import refused

_HIDDEN = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.text(max_size=LONGEST + 5))
def test_what_is_taken_is_in_nfc_short_visible_and_taken_as_it_is_the_next_time(text: str) -> None:
    for check in (lambda name: check_name(name, "A key"), check_user_name):
        try:
            name = check(text)
        except PlatformError:
            continue
        assert unicodedata.is_normalized("NFC", name)
        assert 1 <= len(name) <= LONGEST
        assert not _BIDI & set(name)
        assert not _HIDDEN & {unicodedata.category(character) for character in name}
        assert check(name) == name
        assert len(fold(name)) <= 3 * LONGEST


@pytest.mark.parametrize(
    "name",
    [
        "Zoë",
        "Jürgen Müller",
        "北京",
        "محمد",
        "می‌خواهم",
        "हिन्दी",
        "क्‍ष",
        "👩‍💻 tools",
        "a/b (c) #1",
        "O'Brien; DROP TABLE--",
    ],
)
def test_names_of_every_script_are_taken(name: str) -> None:
    assert check_name(name, "A team") == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("name", ["zoë", "用户", "мария", "محمد", "हिन्दी", "ann@example.com", "0", "a+b"])
def test_names_of_users_are_taken_in_every_script(name: str) -> None:
    assert check_user_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " a",
        "a ",
        "a\u00a0",
        "a\tb",
        "a\nb",
        "a\0b",
        "\u202eevil",
        "a\u2066b",
        "\u200dx",
        "x\u200d",
        "\ud800",
        "\ue000",
    ],
)
def test_what_hides_or_reorders_is_refused(name: str) -> None:
    with refused(Code.INVALID_REQUEST, "name"):
        check_name(name, "A team")
    with refused(Code.INVALID_REQUEST, "name"):
        check_user_name(name)


@pytest.mark.parametrize("name", [".ann", "ann lee", "a/b", "a'b", "a%", "a\u200db", "\u0301a", "x" * 101])
def test_names_of_users_are_one_word(name: str) -> None:
    with refused(Code.INVALID_REQUEST, "name"):
        check_user_name(name)


def test_one_that_looks_the_same_is_the_same() -> None:
    assert check_user_name("zoe\u0308") == check_user_name("zoë")


@given(st.text())
@example("\u0301" * 200)
@example("x" * 99 + "\u0958" * 50)
def test_whatever_an_identity_provider_says_becomes_a_name_of_a_user_or_none(text: str) -> None:
    name = user_name_of(text)
    assert not name or check_user_name(name) == name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("zoe", "zoe"),
        ("zoe@example.com", "zoe@example.com"),
        ("Zoe\u0308  M\u00fcller", "Zo\u00eb.M\u00fcller"),
        ("DOMAIN\\zoe", "DOMAIN.zoe"),
        ("auth0|5f7c", "auth0.5f7c"),
        ("._zoe", "zoe"),
        ("\u202ezoe\0", "zoe"),
        ("\ud800 !", ""),
        ("x" * 101, "x" * 100),
    ],
)
def test_of_what_an_identity_provider_says_all_is_kept_that_may_be_in_a_name(said: str, name: str) -> None:
    assert user_name_of(said) == name
