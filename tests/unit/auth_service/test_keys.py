from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from llm_platform.auth_service import keys


def test_a_key_has_its_documented_shape_and_256_random_bits() -> None:
    new = keys.new_key()
    assert re.fullmatch(r"sk-llm-[a-z2-7]{16}-[0-9A-Za-z]{43}", new.text)
    assert 62**43 > 2**256
    assert new.text.startswith(keys.shown(new.key_id) + "-")
    assert keys.is_well_formed(new.text)


def test_keys_do_not_repeat() -> None:
    assert len({keys.new_key().text for _ in range(1_000)}) == 1_000


def test_the_id_is_found_in_the_key_and_in_what_may_be_shown_of_it() -> None:
    new = keys.new_key()
    assert keys.key_id_of(new.text) == keys.key_id_of(keys.shown(new.key_id)) == new.key_id


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    assert len(keys.key_id_of(text)) <= 16
    assert not keys.is_well_formed(text)
    assert len(keys.digest(b"pepper", text)) == 64


def test_what_is_kept_depends_on_the_whole_key_and_on_the_pepper() -> None:
    text = keys.new_key().text
    kept = keys.digest(b"a" * 32, text)
    assert kept != keys.digest(b"b" * 32, text)
    assert kept != keys.digest(b"a" * 32, text[:-1] + ("a" if text[-1] != "a" else "b"))
