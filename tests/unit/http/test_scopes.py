"""Limits of several scopes, over HTTP: whose limit refuses, what headers say, how blocks are taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from llm_platform.core.actor import PLATFORM_ORGANIZATION
from llm_platform.core.config import Config
from llm_platform.core.errors import PlatformError
from llm_platform.http.limits import RateLimits
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.service import MemoryLimiter
from tests.unit.http.parts import CHAT, STREAM, FixedKeys, ScriptedInference, client_of, config, entry_server

Limits = common_pb2.Limits


class Clock:
    def __init__(self) -> None:
        self.now = 10**12

    def __call__(self) -> int:
        return self.now


class Counted(MemoryLimiter):
    """The real limiter at a standing clock, and what it was asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(default_ttl_seconds=60, clock_ns=self.clock)
        self.asked: list[limiter_pb2.Acquire] = []
        self.replies: list[limiter_pb2.AcquireReply] = []
        self.ended: list[limiter_pb2.Finish] = []
        self.told = asyncio.Event()

    async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
        replies = await super().acquire(request)
        self.asked += request.items
        self.replies += replies.items
        return replies

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        self.ended += request.items
        self.told.set()
        return await super().finish(request)


@pytest.fixture
def counted() -> Counted:
    return Counted()


class Client:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, **fields: object) -> aiohttp.ClientResponse:
        async with self._session.post("/v1/chat/completions", json=CHAT | fields) as response:
            await response.read()
            return response


@asynccontextmanager
async def client(
    counted: Counted, keys: FixedKeys, inference: ScriptedInference | None = None, settings: Config | None = None
) -> AsyncIterator[Client]:
    inference = inference or ScriptedInference()
    async with (
        entry_server(inference, keys=keys, limiter=counted, settings=settings) as server,
        client_of(server) as session,
    ):
        yield Client(session)


@pytest.mark.parametrize(
    ("name", "subject", "says"),
    [
        ("user_limits", "user:user_1", "The keys of this user together made"),
        ("team_limits", "team:team_1", "The keys of this team together made"),
        ("organization_limits", f"organization:{PLATFORM_ORGANIZATION}", "The keys of this organisation together made"),
    ],
)
async def test_the_refusal_names_whose_limit_it_is_and_when_to_come_back(
    counted: Counted, name: str, subject: str, says: str
) -> None:
    keys = FixedKeys(Limits(requests_per_minute=600), **{name: Limits(requests_per_minute=2)})
    async with client(counted, keys) as caller:
        assert [(await caller.post()).status for _ in range(2)] == [200, 200]
        async with caller._session.post("/v1/chat/completions", json=CHAT) as refused:
            error = (await refused.json())["error"]
    assert refused.status == 429
    assert error["message"] == f"{says} too many requests a minute. Wait, then try again."
    assert refused.headers["retry-after"] == "30"
    assert refused.headers["x-ratelimit-limit-requests"] == "2"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert {scope.subject for item in counted.asked for scope in item.scopes} == {subject}


@pytest.mark.case(13)
async def test_headers_tell_of_the_scope_with_the_least_left_and_fall_at_once(counted: Counted) -> None:
    """Requests are nearly used up by the team, tokens by the model; neither waits for a stream's end."""
    started, waiting = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        started.set()
        await waiting.wait()

    inference = ScriptedInference()
    keys = FixedKeys(
        Limits(requests_per_minute=1_000, tokens_per_minute=1_000_000), team_limits=Limits(requests_per_minute=10)
    )
    settings = config(limits={"models": {"m": {"tokens_per_minute": 20_000}}}, providers=PROVIDERS)
    async with client(counted, keys, inference, settings) as caller:
        first = await caller.post(max_tokens=1_000)
        inference.before = hold
        under_way = asyncio.ensure_future(caller.post(max_tokens=1_000, stream=True))
        async with asyncio.timeout(10):
            await started.wait()
        inference.before = None
        second = await caller.post(max_tokens=1_000)
        waiting.set()
        streamed = await under_way
        last = await caller.post(max_tokens=1_000)
    for response, used in ((first, 1), (streamed, 2), (second, 3), (last, 4)):
        assert response.headers["x-ratelimit-limit-requests"] == "10"
        assert response.headers["x-ratelimit-remaining-requests"] == f"{10 - used}"
        assert response.headers["x-ratelimit-reset-requests"] == f"{6 * used}s"
        assert response.headers["x-ratelimit-limit-tokens"] == "20000"
    held = [item.tokens for item in counted.asked]
    used_up = [20_000 - int(one.headers["x-ratelimit-remaining-tokens"]) for one in (first, streamed, second, last)]
    assert min(held) > 1_000
    # Each is held whole while it is under way, and counts 5 tokens once it has ended.
    assert used_up == [held[0], 5 + held[1], 5 + held[1] + held[2], 15 + held[3]]


async def test_a_models_limit_holds_for_all_keys_and_for_no_other_model(counted: Counted) -> None:
    settings = config(limits={"models": {"m": {"requests_per_minute": 3}}}, providers=PROVIDERS)
    async with client(counted, FixedKeys(), settings=settings) as caller:
        assert [(await caller.post()).status for _ in range(4)] == [200, 200, 200, 429]
        assert (await caller.post(model="other")).status == 200
        assert len(counted.asked) == 4, "a call without limits asks nobody"
        async with caller._session.post(
            "/v1/chat/completions", json=CHAT, headers={"authorization": "Bearer admin"}
        ) as other:
            assert other.status == 429
            assert (await other.json())["error"]["message"].startswith("All calls of this model together are")


async def test_every_scope_holds_its_own_estimate_and_is_ended(counted: Counted) -> None:
    keys = FixedKeys(Limits(tokens_per_minute=500), user_limits=Limits(concurrency=1))
    settings = config(limits={"models": {"m": {"tokens_per_minute": 50_000, "tokens_burst": 800}}}, providers=PROVIDERS)
    async with client(counted, keys, settings=settings) as caller:
        for _ in range(3):
            assert (await caller.post(max_tokens=3_000)).status == 200
            counted.clock.now += 60 * 10**9
    (asked, *_), (ended, *_) = counted.asked, counted.ended
    assert (asked.tokens, [scope.tokens for scope in asked.scopes]) == (500, [0, 800])
    assert (ended.tokens, ended.estimate_stands, list(ended.scopes)) == (5, False, ["user:user_1", "model:m"])


async def test_a_stream_that_breaks_off_keeps_the_estimate(counted: Counted) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'data: {"choices":[]}\n\n'
        raise PlatformError.from_proto(common_pb2.Error(code="provider_failed", message="It broke off."))

    keys = FixedKeys(Limits(tokens_per_minute=100_000))
    async with client(counted, keys, ScriptedInference(script=broken)) as caller:
        await caller.post(**STREAM)
        async with asyncio.timeout(10):
            await counted.told.wait()
    (ended,) = counted.ended
    assert ended.estimate_stands
    assert ended.tokens == counted.asked[0].tokens, "for a limiter that does not know that field"


async def test_blocks_are_taken_of_all_scopes_and_given_back_to_all(counted: Counted) -> None:
    who = common_pb2.Principal(
        key_id="k",
        limits=Limits(requests_per_minute=60_000),
        organization_id="o",
        organization_limits=Limits(requests_per_minute=6_000),
    )
    limits = RateLimits(config(), counted)
    headers: dict[str, str] = {}
    for number in range(40):
        await limits.acquire(who, f"{number}", 1, headers)
    assert headers["x-ratelimit-limit-requests"] == "6000"
    assert len(counted.asked) < 12
    await limits.aclose()
    assert list(counted.ended[0].scopes) == ["organization:o"]
    whole = limiter_pb2.Acquire(lease_id="x", subject="organization:o", limits=who.organization_limits)
    reply = (await counted.acquire(limiter_pb2.AcquireBatch(items=[whole]))).items[0]
    assert 6_000 - 40 - 1 - 100 <= reply.requests.remaining <= 6_000 - 40 - 1, "but for the second that blocks wait"


async def test_a_block_of_one_model_is_not_spent_on_another(counted: Counted) -> None:
    models = {"m": {"requests_per_minute": 6_000}, "n": {"requests_per_minute": 9_000}}
    limits = RateLimits(config(limits={"models": models}, providers=PROVIDERS), counted)
    who = common_pb2.Principal(key_id="k", limits=Limits(requests_per_minute=60_000))
    for number in range(30):
        for model in ("m", "n", "other"):
            await limits.acquire(who, f"{model}-{number}", 1, {}, model)
    assert len(limits) == 3
    for model, limit in (("m", 6_000), ("n", 9_000)):
        granted = [
            reply.granted or 1
            for item, reply in zip(counted.asked, counted.replies, strict=True)
            if [scope.subject for scope in item.scopes] == [f"model:{model}"]
        ]
        assert 30 <= sum(granted) <= 30 + max(granted)
        assert max(granted) <= limit // 100
    await limits.aclose()


async def test_a_limit_of_tokens_anywhere_ends_blocks(counted: Counted) -> None:
    limits = RateLimits(config(), counted)
    who = common_pb2.Principal(
        key_id="k", limits=Limits(requests_per_minute=60_000), team_id="t", team_limits=Limits(tokens_per_minute=10**9)
    )
    for number in range(30):
        assert await limits.acquire(who, f"{number}", 1, {}) is not None
    assert [item.count for item in counted.asked] == [0] * 30


async def test_bursts_are_told_on(counted: Counted) -> None:
    limits = RateLimits(
        config(traffic={"requests_per_minute": 60, "requests_burst": 2, "tokens_per_minute": 100, "tokens_burst": 300}),
        counted,
    )
    own = common_pb2.Principal(key_id="own", limits=Limits(requests_per_minute=90, requests_burst=7))
    faster = common_pb2.Principal(key_id="faster", limits=Limits(tokens_per_minute=500))
    for who in (common_pb2.Principal(key_id="default"), own, faster):
        await limits.acquire(who, "a", 10_000, {})
    asked = [(item.limits.requests_burst, item.limits.tokens_burst, item.tokens) for item in counted.asked]
    assert asked == [(2, 300, 300), (7, 300, 300), (2, 0, 500)]
    await limits.aclose()


PROVIDERS = {"echo": {"type": "echo", "models": ["m", "n", "other"]}}
