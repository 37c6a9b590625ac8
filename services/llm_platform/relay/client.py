"""The caller's side: ``connect`` gives an ``Inference`` over all replicas of a service.

One link is kept to each endpoint. A request goes to the connected, non-draining replica with the
fewest open requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Container, Iterable
from contextlib import asynccontextmanager
from functools import partial

from llm_platform.core import metrics
from llm_platform.core.config import Config
from llm_platform.core.errors import CannotStartError, Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import inference_pb2
from llm_platform.relay.connection import ClientLink, Connection, OpenChannel, Replica, State
from llm_platform.relay.link import Link
from llm_platform.relay.reply import RelayReply
from llm_platform.relay.settings import Settings
from llm_platform.rpc.client import open_channel

log = get_logger("relay.client")

_MAX_ENDPOINTS = 64
"""Announced endpoints are taken up to this many."""


@asynccontextmanager
async def connect(
    config: Config, peer: str, *, settings: Settings | None = None, open_channel: OpenChannel = open_channel
) -> AsyncIterator[RelayClient]:
    """An ``Inference`` over ``config.peers[peer]``. Returns at once: links are made in the background.

    Raises ``CannotStartError`` when no endpoint is configured.
    """
    client = RelayClient(config, peer, settings or Settings(), open_channel)
    try:
        yield client
    finally:
        await client.aclose()


class RelayClient:
    """Implements ``core.inference.Inference``. Made by ``connect``."""

    def __init__(self, config: Config, peer: str, settings: Settings, open_channel: OpenChannel) -> None:
        endpoints = config.peers.get(peer)
        if not endpoints:
            raise CannotStartError(f"peers.{peer} names no endpoint: list its replicas there, each as HOST:PORT.")
        self._peer = peer
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._default_timeout = config.traffic.request_timeout
        self._links: deque[ClientLink] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._closed = False
        self._retries = metrics.relay_retries.labels(peer)
        self._connection = partial(Connection, self, config, peer, settings, open_channel)
        self._connections = {endpoint: self._connection(endpoint) for endpoint in endpoints}
        self._publish()

    # The port.

    async def open(self, call: inference_pb2.Open, body: bytes) -> RelayReply:
        """See ``core.inference.Inference``.

        A request whose link breaks before the first byte is sent once more, to another replica where
        there is one, unless ``call.forbid_retry`` or the settings say no; then, and the second time, it raises
        LINK_BROKEN.
        A request that no replica can have begun is moved as often as needed. Without a replica it raises
        UNAVAILABLE or DRAINING after ``Settings.wait_for_link``.
        """
        since = self._loop.time()
        timeout = (call.timeout_ms or self._default_timeout) / 1000
        serialized = call.SerializeToString()
        retry_allowed = self._settings.resend and not call.forbid_retry
        refusals: dict[ClientLink, PlatformError] = {}
        while True:
            link = self._best(refusals) or await self._wait_for_link(
                since + min(timeout, self._settings.wait_for_link), refusals
            )
            reply = link.call(call, timeout)
            try:
                await reply.begin(serialized, body, since)
            except PlatformError as error:
                if reply.refused:
                    refusals[link] = error
                    link.draining = link.draining or error.code is Code.DRAINING
                elif not reply.link_broke:
                    raise
                elif reply.committed:
                    if not retry_allowed:
                        raise
                    retry_allowed = False
                self._retries.inc()
            else:
                return reply

    async def aclose(self) -> None:
        """Cancels what is open and closes the links."""
        self._closed = True
        self._wake()
        await asyncio.gather(*(connection.aclose() for connection in self._connections.values()))
        self._connections.clear()

    # What operators see.

    @property
    def replicas(self) -> list[Replica]:
        return [connection.replica for connection in self._connections.values()]

    async def health_check(self) -> str | None:
        """For ``core.health``: None while a replica takes requests, else which ones there are and why not."""
        if self._best(()) is not None:
            return None
        states = (f"{each.name or each.endpoint} {each.state}: {each.reason}".rstrip(": ") for each in self.replicas)
        return f"no replica of {self._peer} takes requests ({'; '.join(states)})"

    # Choosing.

    def _best(self, excluded: Container[Link]) -> ClientLink | None:
        """Least outstanding; equals take turns."""
        links = self._links
        links.rotate(1)
        best: ClientLink | None = None
        fewest = 0
        for link in links:
            outstanding = len(link.streams)
            if (best is None or outstanding < fewest) and not link.draining and link not in excluded:
                best, fewest = link, outstanding
        return best

    async def _wait_for_link(self, wait_until: float, refusals: dict[ClientLink, PlatformError]) -> ClientLink:
        """Raises ``PlatformError``: the first refusal if all replicas refused, else UNAVAILABLE or DRAINING."""
        try:
            async with asyncio.timeout_at(wait_until):
                while (link := self._best(refusals)) is None:
                    for refuser, refusal in refusals.items():
                        if not refuser.draining and not refuser.closed:
                            raise refusal
                    if self._closed:
                        raise PlatformError(Code.UNAVAILABLE, "The service is stopping.", retry_after=1)
                    self._waiting = self._waiting or self._loop.create_future()
                    await asyncio.shield(self._waiting)
                return link
        except TimeoutError:
            code = Code.DRAINING if self._links else Code.UNAVAILABLE
            message = f"No replica of {self._peer} is available right now. Try again shortly."
            raise PlatformError(code, message, retry_after=1) from None

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.set_result(None)

    # From the connections.

    def link_up(self, link: ClientLink) -> None:
        self._links.append(link)
        self._wake()
        if link.peer is not None:
            self._take_up(link.peer.replicas)

    def link_down(self, link: ClientLink) -> None:
        if link in self._links:
            self._links.remove(link)
        self._wake()

    def given_up(self, endpoint: str) -> None:
        del self._connections[endpoint]

    def _take_up(self, announced: Iterable[str]) -> None:
        for endpoint in announced:
            if endpoint not in self._connections and len(self._connections) < _MAX_ENDPOINTS and not self._closed:
                log.info("relay replica announced", peer=self._peer, endpoint=endpoint)
                self._connections[endpoint] = self._connection(endpoint, announced=True)

    def _publish(self) -> None:
        """Gauges are computed when they are scraped, so that requests pay nothing for them."""
        for state in State:
            metrics.relay_links.labels(self._peer, state).set_function(partial(self._count, state))
        metrics.relay_requests_open.labels(self._peer).set_function(
            lambda: sum(len(link.streams) for link in self._links)
        )
        metrics.relay_round_trip.labels(self._peer).set_function(
            lambda: max((link.round_trip or 0 for link in self._links), default=0)
        )

    def _count(self, state: State) -> int:
        return sum(replica.state is state for replica in self.replicas)
