from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher

from llm_platform.auth_service.passwords import MAX_LENGTH, WAITING, Passwords
from llm_platform.core.errors import Code, PlatformError

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_a_password_is_kept_as_argon2id_and_verifies() -> None:
    passwords = Passwords(QUICK)
    encoded = await passwords.hash("correct horse battery")
    assert encoded.startswith("$argon2id$")
    assert await passwords.verify(encoded, "correct horse battery")
    assert not await passwords.verify(encoded, "correct horse batterY")


def test_the_default_parameters_are_those_of_rfc_9106() -> None:
    hasher = Passwords()._hasher
    assert (hasher.memory_cost, hasher.time_cost, hasher.parallelism) == (64 * 1024, 3, 4)


@pytest.mark.parametrize("password", ["", "short", "x" * (MAX_LENGTH + 1)])
async def test_lengths_out_of_bounds_are_refused(password: str) -> None:
    with pytest.raises(PlatformError) as refusal:
        await Passwords(QUICK).hash(password)
    assert (refusal.value.code, refusal.value.param) == (Code.INVALID_REQUEST, "password")


@pytest.mark.case(26)
async def test_a_user_without_a_password_costs_the_same_work_and_never_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(QUICK)
    verified: list[str] = []

    def matches(encoded: str, _password: str) -> bool:
        verified.append(encoded)
        return True

    monkeypatch.setattr(passwords, "_matches", matches)
    assert not await passwords.verify(None, "whatever it is")
    assert not await passwords.verify("", "whatever it is")
    assert len(verified) == 2
    assert all(encoded.startswith("$argon2id$") for encoded in verified)


async def test_a_damaged_hash_is_a_mismatch() -> None:
    assert not await Passwords(QUICK).verify("not a hash", "correct horse battery")


async def test_too_many_at_once_are_refused_and_the_others_served() -> None:
    passwords = Passwords(QUICK)
    results = await asyncio.gather(
        *(passwords.hash("correct horse battery") for _ in range(WAITING + 5)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, PlatformError)]
    assert [error.code for error in refused] == [Code.OVERLOADED] * 5
