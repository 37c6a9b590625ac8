"""What every RPC passes on a server: authorization, errors as statuses, metrics, and the end at a drain.

A server that just stops loses calls: grpc.aio takes up no call after ``stop``, while its callers still
send until the GOAWAY has reached them. So a draining server first says in gRPC's health protocol that it
does not serve, its callers (``peer.py``) go elsewhere, and it stops when none has come for a while.
Source: https://github.com/grpc/proposal/blob/master/A17-client-side-health-checking.md
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio

from llm_platform.core import metrics, tracing
from llm_platform.core.actor import actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.rpc.actors import Actors, RefusedActorError
from llm_platform.rpc.authorization import HEALTH_WATCH, AllowList, RefusedError
from llm_platform.rpc.caller import caller
from llm_platform.rpc.status import to_status
from llm_platform.rpc.trail import Trail

log = get_logger("rpc.server")

TRACEPARENT = "traceparent"

QUIET_SECONDS = 0.25
"""A draining server that nobody called for so long is left by all its callers."""

_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"
"""grpc.health.v1.HealthCheckResponse: field 1, an enum."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"


class Guard(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server, those of the relay too."""

    def __init__(self, allow_list: AllowList, actors: Actors, trail: Trail | None = None) -> None:
        self._allow_list = allow_list
        self._actors = actors
        self._trail = trail
        self._guarded: dict[str, tuple[Handler, Handler]] = {}
        self._streams: set[asyncio.Task[Any]] = set()
        self._unary_open = 0
        self._last_call = time.monotonic()
        self._draining = False
        self._health: Handler = grpc.unary_stream_rpc_method_handler(self._watch_health)

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Handler:
        method = details.method
        handler = self._health if method == HEALTH_WATCH else await continuation(details)
        known = self._guarded.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        guarded = self._guard(method, handler)
        if handler is not None and known is None:
            self._guarded[method] = (handler, guarded)
        return guarded

    async def drain(self) -> None:
        """Sends the callers elsewhere; returns when no unary call is open and none has come for a while."""
        self._draining = True
        self._last_call = time.monotonic()
        self.end_streams()
        while not self._is_left():  # noqa: ASYNC110 - becomes true by the passing of time
            await asyncio.sleep(QUIET_SECONDS / 10)

    def end_streams(self) -> None:
        """Ends the server streams (watches); their callers open them again, elsewhere."""
        for task in self._streams:
            task.cancel()

    def _is_left(self) -> bool:
        return not self._unary_open and time.monotonic() - self._last_call >= QUIET_SECONDS

    async def _watch_health(self, _request: bytes, _context: Context) -> AsyncIterator[bytes]:
        yield _NOT_SERVING if self._draining else _SERVING
        await asyncio.Event().wait()

    def _guard(self, method: str, handler: Handler | None) -> Handler:
        if handler is None:
            return grpc.stream_stream_rpc_method_handler(self._unimplemented(method))
        call = _Call(self._allow_list, self._actors, method, self._trail)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(call, handler.unary_unary), handler.request_deserializer, handler.response_serializer
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._server_stream(call, handler.unary_stream),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                _two_way_stream(call, handler.stream_stream), handler.request_deserializer, handler.response_serializer
            )
        raise TypeError(f"{method}: client-streaming RPCs are not served")

    def _unary(self, call: _Call, behaviour: Any) -> Any:
        async def guarded(request: Any, context: Context) -> Any:
            began = time.perf_counter()
            self._unary_open += 1
            try:
                await call.admit(context)
                with call.span(context), call.audited(request):
                    reply = await behaviour(request, context)
                call.succeeded()
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - becomes the call's status
                await call.failed(context, error)
            else:
                return reply
            finally:
                call.seconds.observe(time.perf_counter() - began)
                self._unary_open -= 1
                self._last_call = time.monotonic()

        return guarded

    def _server_stream(self, call: _Call, behaviour: Any) -> Any:
        async def guarded(request: Any, context: Context) -> AsyncIterator[Any]:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - gRPC runs each RPC in a task
            self._streams.add(task)
            try:
                until = await call.admit(context)
                if self._draining and behaviour != self._watch_health:
                    raise _stopping()
                messages = behaviour(request, context)
                async for message in messages if until is None else _signed_in(messages, until):
                    yield message
                call.succeeded()
            except asyncio.CancelledError as error:
                if not self._draining:
                    await call.failed(context, error)
                task.uncancel()
                await call.failed(context, _stopping())
            except Exception as error:  # noqa: BLE001 - becomes the call's status
                await call.failed(context, error)
            finally:
                self._streams.discard(task)

        return guarded

    def _unimplemented(self, method: str) -> Any:
        async def refuse(_requests: Any, context: Context) -> None:
            call = _Call(self._allow_list, self._actors, method, self._trail)
            try:
                await call.admit(context)
            except RefusedError as error:
                await call.failed(context, error)
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{method} is not served on this port")

        return refuse


def _stopping() -> PlatformError:
    return PlatformError(Code.DRAINING, "This replica is stopping.")


async def _signed_in(messages: AsyncIterator[Any], until: float) -> AsyncIterator[Any]:
    """The same, until the token of whoever signed in expires (Unix seconds)."""
    try:
        async with asyncio.timeout(max(until - time.time(), 0)) as proof:
            async for message in messages:
                yield message
    except TimeoutError:
        if not proof.expired():
            raise
        raise PlatformError(
            Code.UNAUTHENTICATED, "The token of whoever signed in has expired: send a new one."
        ) from None


def _two_way_stream(call: _Call, behaviour: Any) -> Any:
    """A stream that knows by itself how to drain (the relay)."""
    if inspect.isasyncgenfunction(behaviour):

        async def generating(requests: Any, context: Context) -> AsyncIterator[Any]:
            try:
                await call.admit(context)
                async for message in behaviour(requests, context):
                    yield message
                call.succeeded()
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - becomes the call's status
                await call.failed(context, error)

        return generating

    async def writing(requests: Any, context: Context) -> None:
        try:
            await call.admit(context)
            await behaviour(requests, context)
            call.succeeded()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - becomes the call's status
            await call.failed(context, error)

    return writing


@contextmanager
def _noted(trail: Trail, method: str, request: Any) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        trail.done(method, request, error)
        raise
    trail.done(method, request, None)


_UNNOTED = nullcontext()


class _Call:
    """What the calls of one method share."""

    def __init__(self, allow_list: AllowList, actors: Actors, method: str, trail: Trail | None) -> None:
        self._allow_list = allow_list
        self._actors = actors
        self._trail = trail
        self._audited = trail is not None and trail.covers(method)
        self._method = method
        self._service, self._name = method.rpartition("/")[::2]
        self._service = self._service.lstrip("/")
        self._succeeded: Any = None
        self._seconds: Any = None

    @property
    def seconds(self) -> Any:
        if self._seconds is None:
            self._seconds = metrics.grpc_handling.labels(self._service, self._name)
        return self._seconds

    async def admit(self, context: Context) -> float | None:
        """Sets ``caller`` and ``actor`` for this call; gives until when (Unix seconds) they hold, None for always.

        Raises ``RefusedError``, and UNAVAILABLE when a person's token cannot be checked now.
        """
        name = self._allow_list.admit(self._method, context.auth_context())
        if name is None:
            return None
        caller.set(name)
        acting = self._actors.itself(name)
        if acting is None:
            acting = await self._actors.person(self._method, name, context.invocation_metadata())
        actor.set(acting.actor)
        return acting.expires_at

    def span(self, context: Context) -> tracing.Span:
        """Nothing unless the caller sent a ``traceparent``, which it does for sampled requests only."""
        for key, value in context.invocation_metadata() or ():
            if key == TRACEPARENT:
                return tracing.span(self._method, str(value), "server")
        return tracing.UNSAMPLED

    def audited(self, request: Any) -> AbstractContextManager[None]:
        """Notes the call in the audit log, however it ends, when the catalogue says so."""
        return _noted(self._trail, self._method, request) if self._trail is not None and self._audited else _UNNOTED

    def succeeded(self) -> None:
        if self._succeeded is None:
            self._succeeded = metrics.grpc_handled.labels(self._service, self._name, "OK")
        self._succeeded.inc()

    async def failed(self, context: Context, error: BaseException) -> NoReturn:
        """Counts, logs what is our fault, and ends the call with its status."""
        match error:
            case RefusedError():
                # The name of a method that nobody lists comes from the peer: it must not become a label.
                method = self._name if self._allow_list.lists(self._method) else "unlisted"
                metrics.grpc_refused.labels(method, error.caller).inc()
                log.warning("call refused", method=self._method, peer=context.peer(), reason=error.reason)
                self._count(error.status.name)
                if isinstance(error, RefusedActorError):
                    if self._trail is not None:
                        self._trail.refused(self._method, error)
                    await context.abort(*to_status(error.error))
                await context.abort(error.status, error.reason)
            case PlatformError():
                status = to_status(error)
                self._count(status.code.name)
                await context.abort(status.code, status.details, status.metadata)
            case asyncio.CancelledError():
                self._count("CANCELLED")
                raise error
            case grpc.aio.AbortError():
                code: Any = context.code()
                self._count(code.name if isinstance(code, grpc.StatusCode) else "UNKNOWN")
                raise error
            case Exception():
                log.error("call failed", method=self._method, exc_info=error)
                await self.failed(context, PlatformError(Code.INTERNAL, "An internal call failed."))
            case _:
                raise error

    def _count(self, code: str) -> None:
        if self._allow_list.lists(self._method):
            metrics.grpc_handled.labels(self._service, self._name, code).inc()
