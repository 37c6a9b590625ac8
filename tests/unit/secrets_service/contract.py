"""What docs/secrets.md promises whatever the store is: a subclass gives the ``config`` of an empty one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from llm_platform.core.actor import Actor, actor
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import secrets_pb2
from llm_platform.secrets_service.app import open_secrets
from llm_platform.secrets_service.service import MAX_VALUE_BYTES, SecretService
from tests.unit.secrets_service.calls import (
    EVERYTHING,
    PATH,
    audited,
    called_by,
    changes,
    delete,
    describe,
    disable,
    enable,
    get,
    info,
    is_refused,
    overlapping,
    put,
    refusal_of,
    rotate,
    told,
)

Open = Callable[[Config], Any]


@pytest.fixture
async def replica() -> AsyncIterator[Open]:
    """Opens a secrets-service with a configuration; it is closed with the test."""
    async with AsyncExitStack() as stack:

        async def opened(config: Config) -> SecretService:
            return await stack.enter_async_context(open_secrets(config))

        yield opened


@pytest.fixture
async def secrets(config: Config, replica: Open) -> SecretService:
    service: SecretService = await replica(config)
    return service


class SecretsContract:
    async def test_a_secret_is_put_read_listed_and_deleted(self, secrets: SecretService) -> None:
        assert await put(secrets, value=b"one") == 1
        assert await put(secrets, value=b"two", expected_version=1) == 2
        assert (await get(secrets), await get(secrets, version=1)) == (b"two", b"one")
        await put(secrets, path="ruvector-api-key")
        (found,) = (await secrets.list(secrets_pb2.ListSecretsRequest(prefix="llm/"))).items
        assert (found.path, found.current_version, list(found.versions)) == (PATH, 2, [1, 2])
        assert found.updated_at.startswith("20")
        assert found.updated_at.endswith("Z")
        await delete(secrets)
        assert [found.path for found in (await secrets.list(EVERYTHING)).items] == ["ruvector-api-key"]
        for version in (0, 1, 2):
            assert (await refusal_of(get(secrets, version=version))).code is Code.NOT_FOUND
        assert (await refusal_of(delete(secrets))).code is Code.NOT_FOUND

    async def test_an_empty_store_lists_nothing_and_is_ready(self, secrets: SecretService) -> None:
        assert not (await secrets.list(EVERYTHING)).items
        await secrets.check()
        assert (await refusal_of(get(secrets))).code is Code.NOT_FOUND

    async def test_numbers_do_not_come_back_after_a_deletion(self, secrets: SecretService) -> None:
        await put(secrets)
        await put(secrets)
        await delete(secrets)
        assert (await refusal_of(put(secrets, expected_version=2))).code is Code.CONFLICT
        assert await put(secrets, value=b"new", expected_version=0) == 3
        assert await get(secrets) == b"new"
        assert (await refusal_of(get(secrets, version=2))).code is Code.NOT_FOUND

    async def test_the_ten_newest_versions_are_kept(self, secrets: SecretService) -> None:
        for number in range(12):
            await put(secrets, value=b"%d" % number)
        assert await get(secrets, version=3) == b"2"
        assert (await refusal_of(get(secrets, version=2))).code is Code.NOT_FOUND
        assert list((await info(secrets)).versions) == list(range(3, 13))

    @pytest.mark.parametrize("value", [b"k", b"\x00\xff\xfe", b'{"a": 1}\n', "ü".encode(), b"x" * MAX_VALUE_BYTES])
    async def test_a_value_comes_back_byte_for_byte(self, secrets: SecretService, value: bytes) -> None:
        await put(secrets, value=value)
        assert await get(secrets) == value

    async def test_of_two_writers_that_saw_the_same_version_one_is_refused(self, config: Config, replica: Open) -> None:
        here, there = await replica(config), await replica(config)
        await put(here)
        writes = (put(each, value=b"mine", expected_version=1) for each in (here, there, here, there))
        answers = await asyncio.gather(*writes, return_exceptions=True)
        refused = [each for each in answers if isinstance(each, PlatformError)]
        assert [each for each in answers if each not in refused] == [2]
        assert {each.code for each in refused} == {Code.CONFLICT}
        assert {each.message for each in refused} == {
            f"The newest version of secret {PATH} is 2, not 1 (0: there is none)."
        }

    async def test_writers_that_expect_nothing_all_write(self, config: Config, replica: Open) -> None:
        here, there = await replica(config), await replica(config)
        assert sorted(await asyncio.gather(*(put(each) for each in (here, there) * 3))) == [1, 2, 3, 4, 5, 6]

    async def test_a_watch_sees_what_another_replica_changes(self, config: Config, replica: Open) -> None:
        here, there = await replica(config), await replica(config)
        await put(here, path="llm/a")
        watch = here.watch(secrets_pb2.ListSecretsRequest(prefix="llm/"))
        assert await changes(watch, 1) == [("llm/a", 1)]
        await put(there, path="other")
        await put(there, path="llm/a")
        await told(watch, "llm/a", 2)
        await delete(there, path="llm/a")
        await told(watch, "llm/a", 0)

    async def test_every_access_leaves_a_line(self, secrets: SecretService, config: Config) -> None:
        await put(secrets)
        await get(secrets)
        await refusal_of(get(secrets, version=7))
        await refusal_of(put(secrets, expected_version=0))
        await refusal_of(get(secrets, path="no path, perhaps a secret"))
        await secrets.list(secrets_pb2.ListSecretsRequest(prefix="llm/"))
        await rotate(secrets)
        await overlapping(secrets)
        await describe(secrets, description="x")
        await disable(secrets, 1)
        await enable(secrets, 1)
        await delete(secrets, version=1)
        await delete(secrets)
        assert audited(config) == [
            ("put", PATH, 1, "ok"),
            ("get", PATH, 1, "ok"),
            ("get", PATH, 7, "not_found"),
            ("put", PATH, 0, "conflict"),
            ("get", "", 0, "invalid_request"),
            ("list", "llm/", 0, "ok"),
            ("rotate", PATH, 2, "ok"),
            ("get", PATH, 2, "ok"),
            ("get", PATH, 1, "ok"),
            ("describe", PATH, 2, "ok"),
            ("disable", PATH, 1, "ok"),
            ("enable", PATH, 1, "ok"),
            ("delete", PATH, 1, "ok"),
            ("delete", PATH, 2, "ok"),
        ]

    async def test_what_was_put_is_there_for_the_next_process(self, config: Config) -> None:
        async with open_secrets(config) as secrets:
            await put(secrets, value=b"kept")
        async with open_secrets(config) as secrets:
            assert await get(secrets) == b"kept"

    # What is known of a secret

    async def test_a_secret_is_described_and_says_who_made_and_changed_it(self, secrets: SecretService) -> None:
        anna = Actor("usr_1", "anna", "user", "admin", "org_1", platform=True)
        with called_by("operator"):
            await put(secrets)
        actor_token = actor.set(anna)
        try:
            with called_by("admin-dashboard"):
                await put(secrets)
                await describe(
                    secrets, description="of the team", labels={"team": "red", "env": "prod"}, expires_at="2031-05-01"
                )
        finally:
            actor.reset(actor_token)
        found = await info(secrets)
        assert (found.description, dict(found.labels)) == ("of the team", {"team": "red", "env": "prod"})
        assert found.expires_at == "2031-05-01T00:00:00.000Z"
        assert (found.created_by, found.updated_by) == ("operator", "anna")
        assert [(each.version, each.created_by, each.enabled) for each in found.details] == [
            (1, "operator", True),
            (2, "anna", True),
        ]
        assert all(each.created_at.startswith("20") for each in found.details)

        await describe(secrets, labels={"team": "blue"}, removed_labels=["env"], expires_at="")
        found = await info(secrets)
        assert (found.description, dict(found.labels), found.expires_at) == ("of the team", {"team": "blue"}, "")

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"description": "x" * 501}, "description"),
            ({"labels": {"llm.x": "1"}}, "labels"),
            ({"labels": {"a b": "1"}}, "labels"),
            ({"labels": {"a": "x" * 129}}, "labels"),
            ({"labels": {"a": ""}}, "labels"),
            ({"labels": {f"l{number}": "x" for number in range(21)}}, "labels"),
            ({"expires_at": "soon"}, "expires_at"),
        ],
    )
    async def test_an_odd_description_is_refused_and_changes_nothing(
        self, secrets: SecretService, fields: dict[str, Any], param: str
    ) -> None:
        await put(secrets)
        before = await info(secrets)
        refusal = await refusal_of(describe(secrets, **fields))
        assert (refusal.code, refusal.param) == (Code.INVALID_REQUEST, param)
        assert await info(secrets) == before

    async def test_what_is_not_there_cannot_be_described_or_rotated(self, secrets: SecretService) -> None:
        for call in (describe(secrets, description="x"), rotate(secrets), disable(secrets, 1), enable(secrets, 1)):
            assert (await refusal_of(call)).code is Code.NOT_FOUND
        assert not (await secrets.list(EVERYTHING)).items

    # Versions

    async def test_a_disabled_version_cannot_be_read_until_it_is_enabled(self, secrets: SecretService) -> None:
        await put(secrets, value=b"one")
        await put(secrets, value=b"two")
        await disable(secrets, 2)
        assert (await refusal_of(get(secrets))).code is Code.NOT_FOUND  # the older one does not take its place
        assert (await refusal_of(get(secrets, version=2))).code is Code.NOT_FOUND
        assert await get(secrets, version=1) == b"one"
        found = await info(secrets)
        assert (found.current_version, list(found.versions)) == (0, [1])
        await enable(secrets, 2)
        assert await get(secrets) == b"two"
        assert (await info(secrets)).current_version == 2

    async def test_one_version_is_destroyed_and_the_others_stay(self, secrets: SecretService) -> None:
        await put(secrets, value=b"one")
        await put(secrets, value=b"two")
        await delete(secrets, version=1)
        assert await get(secrets) == b"two"
        for call in (get(secrets, version=1), enable(secrets, 1), disable(secrets, 1), delete(secrets, version=1)):
            assert (await refusal_of(call)).code is Code.NOT_FOUND
        await delete(secrets, version=2)
        assert (await refusal_of(get(secrets))).code is Code.NOT_FOUND
        assert await put(secrets) == 3

    # Rotation

    async def test_a_rotation_leaves_the_version_before_valid_for_the_overlap(self, secrets: SecretService) -> None:
        await put(secrets, value=b"old")
        assert await rotate(secrets, value=b"new", overlap_seconds=3600) == 2
        assert await overlapping(secrets) == [(2, b"new"), (1, b"old")]
        assert await get(secrets, version=1) == b"old"
        [old, new] = (await info(secrets)).details
        assert old.valid_until > old.created_at
        assert (old.enabled, new.enabled, new.valid_until) == (True, True, "")
        assert await rotate(secrets, value=b"newer", overlap_seconds=3600) == 3
        assert await overlapping(secrets) == [(3, b"newer"), (2, b"new"), (1, b"old")]

    async def test_who_does_not_ask_for_it_is_not_told_what_overlaps(self, secrets: SecretService) -> None:
        await put(secrets, value=b"old")
        await rotate(secrets, value=b"new", overlap_seconds=3600)
        for version in (0, 2):
            request = secrets_pb2.GetSecretRequest(path=PATH, version=version, with_overlap=bool(version))
            assert not (await secrets.get(request)).overlapping

    async def test_after_the_overlap_the_version_before_is_disabled(self, secrets: SecretService) -> None:
        await put(secrets, value=b"old")
        await rotate(secrets, value=b"new", overlap_seconds=1)
        assert (await is_refused(lambda: get(secrets, version=1))).code is Code.NOT_FOUND
        assert await overlapping(secrets) == [(2, b"new")]
        assert [each.enabled for each in (await info(secrets)).details] == [False, True]
        await enable(secrets, 1)
        assert await get(secrets, version=1) == b"old"

    async def test_an_overlap_of_nothing_ends_the_version_before_at_once(self, secrets: SecretService) -> None:
        await put(secrets, value=b"leaked")
        await rotate(secrets, value=b"new", overlap_seconds=0)
        assert (await refusal_of(get(secrets, version=1))).code is Code.NOT_FOUND
        assert await overlapping(secrets) == [(2, b"new")]

    async def test_the_end_of_an_overlap_is_told_to_who_watches(self, secrets: SecretService) -> None:
        await put(secrets, value=b"old")
        await rotate(secrets, value=b"new", overlap_seconds=1)
        watch = secrets.watch(EVERYTHING)
        async with asyncio.timeout(15):
            while [each.enabled for each in (await anext(watch)).details] != [False, True]:
                pass

    async def test_of_two_rotations_that_saw_the_same_version_one_is_refused(self, secrets: SecretService) -> None:
        await put(secrets)
        await rotate(secrets, expected_version=1)
        assert (await refusal_of(rotate(secrets, expected_version=1))).code is Code.CONFLICT

    @pytest.mark.parametrize(
        ("fields", "param"), [({"overlap_seconds": 2_592_001}, "overlap_seconds"), ({"value": b""}, "value")]
    )
    async def test_an_odd_rotation_is_refused_and_changes_nothing(
        self, secrets: SecretService, fields: dict[str, Any], param: str
    ) -> None:
        await put(secrets)
        refusal = await refusal_of(rotate(secrets, **fields))
        assert (refusal.code, refusal.param) == (Code.INVALID_REQUEST, param)
        assert list((await info(secrets)).versions) == [1]
