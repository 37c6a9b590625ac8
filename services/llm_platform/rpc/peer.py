"""One service as its callers see it: a channel over the endpoints of all its replica slots.

gRPC balances (round robin over those that are connected) and connects again by itself. About half of
the slots refuse connections at any time. This adds what gRPC leaves out: a call waits a bounded time for
the first connection, the channel is replaced when certificates or addresses change, and the state is
known to readiness.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.rpc.authorization import PACKAGE
from llm_platform.rpc.credentials import Certificates, Material, open_target, require_loopback
from llm_platform.rpc.port import Port

log = get_logger("rpc.client")

READY_SECONDS = 1.0
"""How long calls wait for a connection after it was lost; then they are refused at once."""
DRAIN_SECONDS = 30.0
"""How long calls on a replaced channel may go on."""
RESOLVE_SECONDS = 10.0
"""How often endpoints given by name are looked up again."""

_RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.02s",
    "maxBackoff": "0.2s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def peer_name(port: Port[Any]) -> str:
    """The key of ``port`` in the configuration's ``peers``: ``billing``, or ``model-proxy/control``."""
    return port.provider if port.listener == "grpc" else f"{port.provider}/{port.listener}"


class Peer:
    """A channel to all replicas of a service, replaced when what it was made from changes."""

    def __init__(
        self,
        config: Config,
        name: str,
        endpoints: Sequence[str],
        certificates: Certificates | None,
        repeatable: Sequence[str] = (),
    ) -> None:
        """``name`` is the key in ``peers``; ``repeatable`` are the RPCs (gRPC's path) that may be sent twice."""
        if certificates is None:
            require_loopback(endpoints)
        self.name = name
        self._config = config
        self._endpoints = list(endpoints)
        self._certificates = certificates
        self._repeatable = list(repeatable)
        self._made_from: tuple[str, Material | None] | None = None
        self._resolved_at = -float("inf")
        self._target = ""
        self._channel: grpc.aio.Channel | None = None
        self._ready = asyncio.Event()
        self._down_since = time.monotonic()
        self._watching: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def channel(self) -> grpc.aio.Channel:
        """The channel to call on. Raises ``PlatformError`` when no replica can be reached."""
        if not self._ready.is_set():
            await self._wait_until_ready()
        assert self._channel is not None  # noqa: S101 - it was ready
        return self._channel

    async def health(self) -> str | None:
        """Why the service cannot be called, with gRPC's own reason; None when it can."""
        if self._ready.is_set():
            return None
        seconds = int(time.monotonic() - self._down_since)
        reason = f"none of {len(self._endpoints)} endpoints of {self.name} can be reached since {seconds} s"
        if self._certificates is not None and (days := self._certificates.days_left()) < 0:
            reason += f"; the own certificate expired {-days:.1f} days ago"
        return f"{reason}; {cause}" if (cause := await self._cause()) else reason

    async def _cause(self) -> str:
        """A call on a channel that has failed to connect is not sent, and says why the last attempt failed."""
        channel = self._channel
        if channel is None or channel.get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            return ""
        probe: Any = channel.unary_unary(f"/{PACKAGE}.None/None")
        try:
            await probe(b"", timeout=0.5)
        except grpc.aio.AioRpcError as error:
            return (error.details() or "").rpartition("last error: ")[2]
        return ""

    async def refresh(self) -> None:
        """Opens a new channel when certificates or addresses have changed; the old one is drained."""
        made_from = (await self._resolve(), self._certificates.refresh() if self._certificates else None)
        if made_from == self._made_from:
            return
        self._made_from = made_from
        await self._replace(self._open(*made_from))

    async def aclose(self) -> None:
        await self._replace(None)
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _wait_until_ready(self) -> None:
        left = READY_SECONDS - (time.monotonic() - self._down_since)
        if left > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), left)
        if not self._ready.is_set():
            raise PlatformError(Code.UNAVAILABLE, f"The service {self.name} cannot be reached.", retry_after=1)

    def _open(self, target: str, material: Material | None) -> grpc.aio.Channel:
        options = [("grpc.service_config", self._service_config())]
        return open_target(self._config, target, self.name.partition("/")[0], material, options)

    def _service_config(self) -> str:
        """gRPC's own policy: https://github.com/grpc/proposal/blob/master/A6-client-retries.md."""
        names = [dict(zip(("service", "method"), path[1:].split("/"), strict=True)) for path in self._repeatable]
        policy: dict[str, Any] = {
            "loadBalancingConfig": [{"round_robin": {}}],
            # A replica that drains says so, and is passed over from then on (guard.py).
            "healthCheckConfig": {"serviceName": ""},
        }
        if names:
            policy["methodConfig"] = [{"name": names, "retryPolicy": _RETRY}]
            policy["retryThrottling"] = {"maxTokens": 20, "tokenRatio": 0.1}
        return json.dumps(policy)

    async def _replace(self, channel: grpc.aio.Channel | None) -> None:
        """Calls go on over the old channel until the new one is connected, or for ``READY_SECONDS``."""
        old, watching = self._channel, self._watching
        if old is not None and channel is not None:
            log.info("channel replaced", peer=self.name)
            with suppress(TimeoutError):
                await asyncio.wait_for(_connected(channel), READY_SECONDS)
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        self._channel = channel
        self._watching = None
        if channel is not None:
            self._note(channel.get_state(try_to_connect=True))
            self._watching = asyncio.create_task(self._watch(channel), name=f"watch {self.name}")
        else:
            self._ready.clear()
        if old is not None:
            task = asyncio.create_task(_drain(old, DRAIN_SECONDS if channel is not None else 0.0))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _watch(self, channel: grpc.aio.Channel) -> None:
        while True:
            state = channel.get_state(try_to_connect=True)
            self._note(state)
            await channel.wait_for_state_change(state)

    def _note(self, state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.READY:
            if not self._ready.is_set():
                log.info("peer reached", peer=self.name)
            self._ready.set()
        elif self._ready.is_set():
            log.warning("peer lost", peer=self.name, state=state.name)
            self._ready.clear()
            self._down_since = time.monotonic()

    async def _resolve(self) -> str:
        """gRPC's target for all endpoints; it takes a list of addresses only, so names are looked up here."""
        if time.monotonic() - self._resolved_at < RESOLVE_SECONDS:
            return self._target
        found: list[str] = []
        for endpoint in self._endpoints:
            host, _, port = endpoint.rpartition(":")
            try:
                found += await _addresses(host.strip("[]"), int(port))
            except OSError as error:
                log.warning("endpoint cannot be looked up", peer=self.name, endpoint=endpoint, reason=str(error))
        self._resolved_at = time.monotonic()
        family = "ipv6" if found and all(address.startswith("[") for address in found) else "ipv4"
        usable = [address for address in found if address.startswith("[") == (family == "ipv6")]
        if usable or not self._target:
            # 192.0.2.0/24 is for documentation: nothing is known yet, and nothing answers there.
            self._target = f"{family}:{','.join(dict.fromkeys(usable)) or '192.0.2.1:1'}"
        return self._target


async def _addresses(host: str, port: int) -> list[str]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=6)
        return [f"[{each[0]}]:{port}" if ":" in str(each[0]) else f"{each[0]}:{port}" for *_, each in found]
    return [f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"]


async def _connected(channel: grpc.aio.Channel) -> None:
    while (state := channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
        await channel.wait_for_state_change(state)


async def _drain(channel: grpc.aio.Channel, seconds: float) -> None:
    await channel.close(grace=seconds)
