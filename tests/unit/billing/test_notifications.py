"""Thresholds of budgets and what is sent when they are reached, to a receiver over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llm_platform.billing.app import open_ledger
from llm_platform.billing.notifications.outbox import LEASE, MAX_ATTEMPTS, Outbox
from llm_platform.billing.notifications.webhook import DeliveryError, Webhook, signature, signing_key
from llm_platform.billing.service import DatabaseLedger
from llm_platform.core.config import Billing, Config, Service
from llm_platform.core.errors import PlatformError
from llm_platform.http.client.client import HttpClient
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import outcome, put_budget, record, reserve, reserve_each
from tests.unit.billing.conftest import Clock
from tests.unit.billing.release_before import ReleaseBefore

SECRET = "a secret of some length"
NOWHERE = "http://127.0.0.1:9/budgets"


class Receiver:
    """Answers with ``statuses``, then with 200; keeps what came: headers and body."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/budgets"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        self.came.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.statuses.pop(0) if self.statuses else 200
        writer.write(b"HTTP/1.1 %d x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n" % status)
        await writer.drain()
        writer.close()


def configured(tmp_path: Path, url: str = NOWHERE) -> Config:
    notifications = {"url": url, "secret": SECRET}
    return Config(
        service=Service(data_dir=tmp_path),
        billing=Billing(notifications=notifications),  # type: ignore[arg-type]
    )


async def spend(ledger: DatabaseLedger, tokens: int) -> None:
    call = reserve(prompt=tokens, output=0)
    await reserve_each(ledger, call)
    await record(ledger, outcome(call, input_tokens=tokens))


async def known(ledger: DatabaseLedger, state: str = "") -> list[tuple[int, str]]:
    found = await ledger.notifications(ledger_pb2.NotificationsQuery(state=state))
    return sorted((each.threshold, each.state) for each in found.items)


def outbox_of(ledger: DatabaseLedger) -> Outbox:
    return Outbox(ledger._store._engine, ledger._store._transactions)


async def test_each_threshold_is_notified_once_in_each_window(tmp_path: Path, clock: Clock) -> None:
    async with (
        open_ledger(configured(tmp_path), clock=clock) as one,
        open_ledger(configured(tmp_path), clock=clock) as two,
    ):
        await put_budget(
            one, "user", "usr_a", 100_000, enforcement="soft", period="daily", thresholds=[100, 50, 80, 50]
        )
        await spend(one, 49)
        assert await known(one) == []
        await asyncio.gather(spend(one, 1), spend(two, 1), spend(one, 1))
        assert [threshold for threshold, _ in await known(one)] == [50]
        await spend(two, 60)
        assert [threshold for threshold, _ in await known(one)] == [50, 80, 100]
        clock.now += 86_400
        await spend(one, 90)
        assert [threshold for threshold, _ in await known(one)] == [50, 50, 80, 80, 100]


async def test_a_budget_lowered_or_made_below_what_is_spent_notifies_at_once(ledger: DatabaseLedger) -> None:
    await spend(ledger, 60)
    await put_budget(ledger, "user", "usr_a", 100_000, thresholds=[50, 80])
    assert await known(ledger) == [(50, "kept")]
    await put_budget(ledger, "user", "usr_a", 70_000, thresholds=[50, 80])
    assert await known(ledger) == [(50, "kept"), (80, "kept")]


async def test_the_budget_of_a_key_in_total_notifies_whoever_spent(ledger: DatabaseLedger) -> None:
    await put_budget(ledger, "key", "key_a", 100_000, thresholds=[50, 90])
    await spend(ledger, 50)
    assert [threshold for threshold, _ in await known(ledger)] == [50]
    call = reserve()
    await ReleaseBefore(ledger).reserve(call, 45_000)
    await ReleaseBefore(ledger).settle(call, 45_000, 45_000)
    await ledger.sweep()
    assert [threshold for threshold, _ in await known(ledger)] == [50, 90]


@pytest.mark.case(25)
async def test_a_notification_is_signed_and_sent_again_until_it_arrives(tmp_path: Path, clock: Clock) -> None:
    async with Receiver(500, 302).listening() as receiver, open_ledger(configured(tmp_path), clock=clock) as ledger:
        await put_budget(ledger, "user", "usr_a", 100_000, period="monthly", thresholds=[50])
        await spend(ledger, 50)
        outbox, client = outbox_of(ledger), HttpClient()
        webhook = Webhook(client, receiver.url, SECRET)
        now = int(clock.now * 1_000_000)
        assert await outbox.deliver(webhook, now) == 1
        assert await outbox.deliver(webhook, now) == 0  # not before its time
        assert await outbox.deliver(webhook, now + 5_000_000) == 1
        assert await known(ledger) == [(50, "pending")]
        assert await outbox.deliver(webhook, now + 15_000_000) == 1
        assert await known(ledger) == [(50, "delivered")]
        assert await outbox.deliver(webhook, now + 10**12) == 0
        await client.aclose()
        (found,) = (await ledger.notifications(ledger_pb2.NotificationsQuery())).items
    assert len(receiver.came) == found.attempts == 3
    for headers, body in receiver.came:
        assert body.decode() == found.body
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = hmac.digest(SECRET.encode(), signed, hashlib.sha256)
        assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    assert [headers["webhook-timestamp"] for headers, _ in receiver.came] == ["1767225600", "1767225605", "1767225615"]
    assert {headers["webhook-id"] for headers, _ in receiver.came} == {found.event_id}
    said = json.loads(found.body)
    assert said["type"] == "budget.threshold_reached"
    assert said["data"] | {"budget_id": ""} == {
        "budget_id": "",
        "scope": "user",
        "scope_id": "usr_a",
        "organization_id": "",
        "period": "monthly",
        "enforcement": "hard",
        "time_zone": "UTC",
        "window_starts_at": "2026-01-01T00:00:00Z",
        "window_ends_at": "2026-02-01T00:00:00Z",
        "threshold_percent": 50,
        "limit_nano_dollars": 100_000,
        "spent_nano_dollars": 50_000,
        "reserved_nano_dollars": 0,
    }


async def test_a_notification_that_never_arrives_is_given_up_visibly_and_can_be_sent_again(
    tmp_path: Path, clock: Clock
) -> None:
    async with Receiver().listening() as receiver, open_ledger(configured(tmp_path), clock=clock) as ledger:
        await put_budget(ledger, "user", "usr_a", 100_000, thresholds=[50])
        await spend(ledger, 50)
        outbox, client = outbox_of(ledger), HttpClient()
        now = int(clock.now * 1_000_000)
        for _ in range(MAX_ATTEMPTS):
            assert await outbox.deliver(Webhook(client, NOWHERE, SECRET), now) == 1
            now += 3_600_000_000
        assert await outbox.deliver(Webhook(client, NOWHERE, SECRET), now) == 0
        (dead,) = (await ledger.notifications(ledger_pb2.NotificationsQuery(state="dead"))).items
        assert dead.reason
        with pytest.raises(PlatformError, match="not_found"):
            await ledger.retry_notification(ledger_pb2.NotificationRef(event_id="evt_unknown"))
        again = await ledger.retry_notification(ledger_pb2.NotificationRef(event_id=dead.event_id))
        assert again.state == "pending"
        assert await outbox.deliver(Webhook(client, receiver.url, SECRET), now) == 1
        assert await known(ledger) == [(50, "delivered")]
        await client.aclose()


class Late:
    """A webhook that has failed when another process has long delivered."""

    def __init__(self, outbox: Outbox, other: Webhook, now: int) -> None:
        self._deliver_elsewhere = lambda: outbox.deliver(other, now)

    async def send(self, event_id: str, body: str, now: int) -> None:
        assert await self._deliver_elsewhere() == 1
        raise DeliveryError("late")


async def test_what_comes_of_a_late_attempt_changes_nothing_that_another_process_has_delivered(
    tmp_path: Path, clock: Clock
) -> None:
    async with Receiver().listening() as receiver, open_ledger(configured(tmp_path), clock=clock) as ledger:
        await put_budget(ledger, "user", "usr_a", 100_000, thresholds=[50])
        await spend(ledger, 50)
        outbox, client = outbox_of(ledger), HttpClient()
        now = int(clock.now * 1_000_000)
        late: Any = Late(outbox, Webhook(client, receiver.url, SECRET), now + LEASE)
        assert await outbox.deliver(late, now) == 1
        assert await known(ledger) == [(50, "delivered")]
        await client.aclose()


def test_a_secret_of_standardwebhooks_is_decoded() -> None:
    # The example of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signing_key(SECRET) == SECRET.encode()


async def test_the_service_delivers_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_platform.billing.notifications.outbox.POLL_SECONDS", 0.02)
    async with Receiver().listening() as receiver, open_ledger(configured(tmp_path, receiver.url)) as ledger:
        await put_budget(ledger, "user", "usr_a", 100_000, thresholds=[50])
        await spend(ledger, 50)
        async with asyncio.timeout(20):
            while await known(ledger) != [(50, "delivered")]:  # noqa: ASYNC110 - the ledger tells nobody
                await asyncio.sleep(0.02)
        assert len(receiver.came) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/x",
        "http://metadata.example/x",
        "ftp://127.0.0.1/x",
        "https://user:pw@host/x",
        "https://",
        "http://127.0.0.1@evil/x",
    ],
)
def test_a_webhook_is_https_or_of_this_host(url: str) -> None:
    with pytest.raises(ValidationError):
        Billing(notifications={"url": url, "secret": SECRET})  # type: ignore[arg-type]


@pytest.mark.case(25)
@pytest.mark.parametrize("secret", ["", " " * 20, "short", "whsec_" + "*" * 24, "whsec_c2hvcnQ="])
def test_a_webhook_without_a_real_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError, match="at least 16"):
        Billing(notifications={"url": "https://receiver.example/x", "secret": secret})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="secret"):
        Webhook(HttpClient(), "https://receiver.example/x", "")
