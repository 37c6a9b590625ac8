"""What the store of routing rules promises, on every database it can be kept in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from llm_platform.core.actor import Actor, actor
from llm_platform.core.config import Config
from llm_platform.core.database import open_database
from llm_platform.core.errors import Code, PlatformError
from llm_platform.head.app import Head, open_head
from llm_platform.head.store.schema import routing_revisions
from llm_platform.proto import common_pb2, routing_pb2
from llm_platform.proto.routing_pb2 import (
    GetRevisionRequest,
    ImportRulesRequest,
    ListRevisionsRequest,
    PutRulesRequest,
    RestoreRevisionRequest,
    RoutingRevision,
)
from llm_platform.proto.rules_pb2 import ProviderDefinition, ProviderModel, RoutingDocument
from tests.unit.head.parts import ProviderStates, Proxy, RecordingLedger, Replica

EMPTY = common_pb2.Empty()
ANNA = Actor("user_anna", "anna", "user", "admin", "org_platform", platform=True)


class Site:
    """Heads on one database. ``file`` is the configuration file as it is now."""

    def __init__(self, database: str, directory: Path) -> None:
        self.directory = directory
        self.stores = {"routing_url": database}
        self.file: dict[str, Any] = {"providers": {"old": {"type": "echo", "models": ["m"]}}}
        self.proxy = Replica("old")

    def config(self) -> Config:
        service = {"data_dir": str(self.directory)}
        return Config.model_validate({"service": service, "stores": self.stores, **self.file})

    @asynccontextmanager
    async def head(self) -> AsyncIterator[Head]:
        arguments: tuple[Any, ...] = (Proxy(), RecordingLedger(), ProviderStates())
        replicas: Any = {"one": self.proxy}
        async with open_head(self.config(), *arguments, replicas=replicas, reread=self.config) as head:
            async with asyncio.timeout(60):
                while head.rules.problem():  # noqa: ASYNC110 - a server is opened when it can be
                    await asyncio.sleep(0.05)
            yield head


@pytest.fixture
def site(database: str, tmp_path: Path) -> Site:
    return Site(database, tmp_path / "data")


def document(*names: str, strategy: str = "") -> RoutingDocument:
    models = [ProviderModel(name="m", upstream="m-1")]
    return RoutingDocument(
        strategy=strategy, providers=[ProviderDefinition(name=name, type="echo", models=models) for name in names]
    )


async def put(head: Head, etag: str, *names: str, note: str = "") -> RoutingRevision:
    return await head.routing.put_rules(PutRulesRequest(document=document(*names), etag=etag, note=note))


async def refusal(call: Any) -> tuple[Code, str | None]:
    with pytest.raises(PlatformError) as caught:
        await call
    return caught.value.code, caught.value.param


async def decided(head: Head) -> str:
    return (await head.routing.decide(routing_pb2.DecideRequest(model="m"))).primary.provider


async def numbers(head: Head) -> list[int]:
    return [each.number for each in (await head.routing.list_revisions(ListRevisionsRequest())).items]


async def eventually_decided(head: Head, provider: str) -> None:
    async with asyncio.timeout(15):
        while await decided(head) != provider:  # noqa: ASYNC110 - another head changes it
            await asyncio.sleep(0.05)


async def test_nothing_is_stored_until_somebody_changes_the_rules(site: Site) -> None:
    async with site.head() as head:
        rules = await head.routing.rules(EMPTY)
        assert (rules.number, rules.etag, rules.source, rules.actor) == (0, "0", "file", "")
        assert [each.name for each in rules.document.providers] == ["old"]
        assert await numbers(head) == []


async def test_the_first_change_keeps_what_the_file_said(site: Site) -> None:
    token = actor.set(ANNA)
    try:
        async with site.head() as head:
            made = await put(head, "0", "new", note="moved")
            assert (made.number, made.etag, made.source, made.actor, made.note) == (2, "2", "api", "anna", "moved")
            assert [change.path for change in made.changes] == ["providers.new", "providers.old"]
            first = await head.routing.get_revision(GetRevisionRequest(number=1))
            assert (first.source, first.actor) == ("file", "configuration file")
            assert [each.name for each in first.document.providers] == ["old"]
            assert await numbers(head) == [2, 1]
            assert await decided(head) == "new"
    finally:
        actor.reset(token)


async def test_every_field_of_a_stored_definition_is_there(site: Site) -> None:
    async with site.head() as head:
        made = await put(head, "0", "new")
        (definition,) = made.document.providers
        assert {field.name for field, _ in definition.ListFields()} == {
            field.name for field in ProviderDefinition.DESCRIPTOR.fields
        }
        assert (definition.weight, definition.timeout_ms, definition.enabled) == (1, 30_000, True)


async def test_a_change_of_rules_that_were_changed_meanwhile_is_refused(site: Site) -> None:
    async with site.head() as head:
        await put(head, "0", "new")
        for etag in ("0", "1", "3"):
            assert await refusal(put(head, etag, "other")) == (Code.CONFLICT, "etag")
        for etag in ("", "x", "-1"):
            assert await refusal(put(head, etag, "other")) == (Code.INVALID_REQUEST, "etag")
        assert await numbers(head) == [2, 1]


async def test_of_two_changes_at_once_one_wins_whichever_head_it_was_sent_to(site: Site) -> None:
    async with site.head() as one, site.head() as other:
        for etag in ("0", "2", "3"):
            done = await asyncio.gather(
                *(put(head, etag, f"p{at}-{etag}") for at, head in enumerate((one, other, one, other))),
                return_exceptions=True,
            )
            assert sum(isinstance(each, RoutingRevision) for each in done) == 1
            refused = [each for each in done if isinstance(each, PlatformError)]
            assert {each.code for each in refused} <= {Code.CONFLICT, Code.UNAVAILABLE}
        assert await numbers(one) == [4, 3, 2, 1]


async def test_another_head_follows_and_a_new_one_begins_with_the_newest(site: Site) -> None:
    async with site.head() as one, site.head() as other:
        await put(one, "0", "new")
        await eventually_decided(other, "new")
        async with site.head() as later:
            assert await decided(later) == "new"
            assert (await later.routing.rules(EMPTY)).number == 2


async def test_an_earlier_revision_is_restored_as_a_new_one(site: Site) -> None:
    async with site.head() as head:
        await put(head, "0", "new")
        made = await head.routing.restore_revision(RestoreRevisionRequest(number=1, etag="2"))
        assert (made.number, made.source, made.restored) == (3, "restore", 1)
        assert await decided(head) == "old"
        assert await refusal(head.routing.restore_revision(RestoreRevisionRequest(number=9, etag="3"))) == (
            Code.NOT_FOUND,
            "number",
        )


async def test_the_file_is_not_applied_any_more_but_can_be_taken_again(site: Site) -> None:
    async with site.head() as head:
        await put(head, "0", "new")
        assert not (await head.routing.rules(EMPTY)).file_differs
    site.file = {"providers": {"third": {"type": "echo", "models": {"m": "m-3"}, "api_key": "sk-of-the-file"}}}
    async with site.head() as head:
        assert await decided(head) == "new"
        assert (await head.routing.rules(EMPTY)).file_differs
        made = await head.routing.import_rules(ImportRulesRequest(etag="2"))
        assert (made.number, made.source) == (3, "file")
        assert "sk-of-the-file" not in str(made)
        assert await decided(head) == "third"
        assert not (await head.routing.rules(EMPTY)).file_differs


async def test_invalid_rules_are_refused_with_the_field_and_change_nothing(site: Site) -> None:
    bad = document("new")
    bad.providers[0].base_url = "ftp://x"
    twice = document("new", "new")
    nameless = document("bad name")
    unknown = document("new", strategy="luck")
    async with site.head() as head:
        for given, param in (
            (bad, "providers.new.base_url"),
            (twice, "providers[1].name"),
            (nameless, "providers[0].name"),
            (unknown, "strategy"),
            (RoutingDocument(), "providers"),
        ):
            request = PutRulesRequest(document=given, etag="0")
            assert await refusal(head.routing.put_rules(request)) == (Code.INVALID_REQUEST, param)
        assert await refusal(head.routing.put_rules(PutRulesRequest(etag="0"))) == (Code.INVALID_REQUEST, "document")
        assert await numbers(head) == []
        assert await decided(head) == "old"


async def test_a_list_of_revisions_comes_in_pages_with_what_each_changed(site: Site) -> None:
    async with site.head() as head:
        await put(head, "0", "a")
        for number in range(2, 6):
            await put(head, str(number), "a", f"b{number}")
        first = await head.routing.list_revisions(ListRevisionsRequest(page_size=4))
        rest = await head.routing.list_revisions(ListRevisionsRequest(page_token=first.next_page_token))
        assert [each.number for each in (*first.items, *rest.items)] == [6, 5, 4, 3, 2, 1]
        assert rest.next_page_token == ""
        assert [change.path for change in first.items[-1].changes] == ["providers.b2"]
        assert not first.items[0].HasField("document")
        wrong = head.routing.list_revisions(ListRevisionsRequest(page_token="x"))
        assert await refusal(wrong) == (Code.INVALID_REQUEST, "page_token")


async def test_a_change_that_changes_nothing_makes_no_revision(site: Site) -> None:
    async with site.head() as head:
        await put(head, "0", "new")
        assert (await put(head, "2", "new")).number == 2
        assert await numbers(head) == [2, 1]


async def test_a_database_that_was_made_anew_does_not_end_the_rules(site: Site) -> None:
    async with site.head() as head:
        await put(head, "0", "new")
        opened = open_database(site.stores["routing_url"], "llm_platform.head.migrations")
        async with opened as engine, engine.begin() as connection:
            await connection.execute(delete(routing_revisions))
        async with asyncio.timeout(15):
            while "is empty" not in (head.rules.problem() or ""):  # noqa: ASYNC110 - head looks by itself
                await asyncio.sleep(0.05)
        assert await decided(head) == "new"
        assert (await put(head, "2", "newer")).number == 3
        assert await numbers(head) == [3, 2]
