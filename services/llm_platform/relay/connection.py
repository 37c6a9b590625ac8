"""Keeps one link up to one endpoint: connects, says hello, carries, and connects again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

import grpc.aio

from llm_platform.core import metrics
from llm_platform.core.config import Config
from llm_platform.core.logging import get_logger
from llm_platform.proto import inference_pb2
from llm_platform.relay import frames
from llm_platform.relay.link import Link, Transport
from llm_platform.relay.reply import RelayReply
from llm_platform.relay.settings import Settings

log = get_logger("relay.client")

OpenChannel = Callable[[Config, str, str], grpc.aio.Channel]
"""``(config, endpoint, service)``, as ``rpc.client.open_channel``. A new channel is opened for every
attempt, so that a renewed certificate is used."""

TRIES_OF_ANNOUNCED = 20
"""An announced endpoint that was not reached in so many tries in a row is given up."""


class State(StrEnum):
    DOWN = "down"
    CONNECTED = "connected"
    DRAINING = "draining"


@dataclass(frozen=True)
class Replica:
    """What is known of one endpoint."""

    endpoint: str
    name: str
    """As the replica calls itself, e.g. head-1; empty before the first contact."""
    state: State
    outstanding: int
    round_trip: float | None
    """Seconds, of the last ping."""
    reason: str
    """Why it is down; empty when it is not."""


class Owner(Protocol):
    """Who is told of links: the relay client."""

    def link_up(self, link: ClientLink) -> None: ...

    def link_down(self, link: ClientLink) -> None: ...

    def given_up(self, endpoint: str) -> None: ...


class ClientLink(Link):
    """The link as the caller sees it: it opens streams."""

    def __init__(self, transport: Transport, config: Config, settings: Settings, connection: Connection) -> None:
        hello = inference_pb2.Hello(
            protocol_version=frames.VERSION,
            capabilities=[frames.CONFIRMS_DRAIN],
            replica=config.service.replica,
            window_bytes=settings.window_bytes,
        )
        super().__init__(transport, hello, settings, connection.endpoint)
        self.draining = False
        self._connection = connection
        self._next_id = 0

    def call(self, call: inference_pb2.Open, timeout: float) -> RelayReply:
        """A new stream; nothing is sent yet."""
        reply = RelayReply(self, self._free_id(), call, timeout)
        self.streams[reply.id] = reply
        return reply

    def on_hello(self, hello: inference_pb2.Hello) -> None:
        self.draining = hello.draining
        self._connection.link_up(self, hello)

    def on_drain(self) -> None:
        """Takes back what was not sent yet, then confirms: no open follows."""
        self.draining = True
        for stream in list(self.streams.values()):
            if stream.outgoing and stream.outgoing[0][0] == frames.OPEN:
                self.forget(stream)
                stream.broken()
        self.control(frames.DRAIN, 0, b"")

    def on_down(self) -> None:
        self._connection.link_down(self)

    def _free_id(self) -> int:
        while True:
            self._next_id = self._next_id % 0xFFFF_FFFF + 1
            if self._next_id not in self.streams:
                return self._next_id


class Connection:
    """One endpoint. ``announced``: a replica named it, rather than the configuration."""

    def __init__(
        self,
        owner: Owner,
        config: Config,
        peer: str,
        settings: Settings,
        open_channel: OpenChannel,
        endpoint: str,
        *,
        announced: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self._owner = owner
        self._config = config
        self._peer = peer
        self._settings = settings
        self._open_channel = open_channel
        self._announced = announced
        self._link: ClientLink | None = None
        self._name = ""
        self._reason = "connecting"
        self._connected_before = False
        self._failures = 0
        self._task = asyncio.get_running_loop().create_task(self._keep_connected(), name=f"relay to {endpoint}")

    @property
    def replica(self) -> Replica:
        link = self._link
        if link is None or link.peer is None:
            return Replica(self.endpoint, self._name, State.DOWN, 0, None, self._reason)
        state = State.DRAINING if link.draining else State.CONNECTED
        return Replica(self.endpoint, self._name, state, len(link.streams), link.round_trip, "")

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_connected(self) -> None:
        while not (self._announced and self._failures >= TRIES_OF_ANNOUNCED):
            try:
                if self._failures:
                    await self._probe()
                self._reason = await self._hold_link()
            except OSError as error:
                self._reason = str(error) or "no answer"
            except Exception as error:
                # Whatever it is, a later attempt may work.
                if self._failures == 0:
                    log.exception("relay link failed", peer=self._peer, endpoint=self.endpoint)
                self._reason = str(error) or type(error).__name__
            await self._pause()
        self._owner.given_up(self.endpoint)

    async def _probe(self) -> None:
        """Raises ``OSError`` while nobody listens. A tenth of a gRPC channel's cost, and about half of the
        configured slots are empty at any time."""
        host, _, port = self.endpoint.rpartition(":")
        async with asyncio.timeout(self._settings.hello_timeout):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.transport.abort()

    async def _hold_link(self) -> str:
        """One connection from its beginning to its end; returns why it ended."""
        channel = self._open_channel(self._config, self.endpoint, self._peer)
        try:
            call = cast("Transport", channel.stream_stream(frames.METHOD)())
            self._link = link = ClientLink(call, self._config, self._settings, self)
            await link.run()
            return link.reason
        finally:
            self._link = None
            await channel.close()

    async def _pause(self) -> None:
        settings = self._settings
        if self._failures == 0:
            log.info("relay link down", peer=self._peer, endpoint=self.endpoint, reason=self._reason)
        pause = min(settings.backoff * 2.0 ** min(self._failures, 16), settings.backoff_limit)
        self._failures += 1
        await asyncio.sleep(pause * random.uniform(0.75, 1))  # noqa: S311 - spreads reconnects, no secret

    # From the link.

    def link_up(self, link: ClientLink, hello: inference_pb2.Hello) -> None:
        if self._connected_before:
            metrics.relay_reconnects.labels(self._peer).inc()
        self._connected_before = True
        self._failures = 0
        self._name = hello.replica
        log.info("relay link up", peer=self._peer, endpoint=self.endpoint, replica=hello.replica)
        self._owner.link_up(link)

    def link_down(self, link: ClientLink) -> None:
        self._owner.link_down(link)
