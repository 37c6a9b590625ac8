"""Serves an implementation of a port as gRPC methods, made from the descriptor of its service."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from llm_platform.rpc.port import Port


class Rpc(NamedTuple):
    """One RPC of a port."""

    path: str  # /llm.v1.Ledger/Reserve
    attribute: str  # reserve: the interface's method
    request: type[Message]
    reply: type[Message]
    streams: bool  # the server answers with a stream
    repeatable: bool  # declared idempotent or free of side effects


def python_name(rpc: str) -> str:
    """``ListBudgets`` -> ``list_budgets``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", rpc).lower()


def rpcs(port: Port[Any]) -> Iterator[Rpc]:
    """The RPCs of ``port``, in the proto's order."""
    for method in port.service.methods:
        if method.client_streaming:
            raise TypeError(f"{method.full_name}: only unary and server-streaming RPCs make a port")
        yield Rpc(
            f"/{port.service.full_name}/{method.name}",
            python_name(method.name),
            GetMessageClass(method.input_type),
            GetMessageClass(method.output_type),
            method.server_streaming,
            _repeatable(method),
        )


def handlers(port: Port[Any], implementation: object) -> grpc.GenericRpcHandler:
    """The methods of ``implementation`` behind the names of ``port``.

    Errors leave them as raised; ``guard.Guard`` turns them into statuses.
    """
    behaviours = {
        rpc.path.rpartition("/")[2]: _handler(rpc, getattr(implementation, rpc.attribute)) for rpc in rpcs(port)
    }
    return grpc.method_handlers_generic_handler(port.service.full_name, behaviours)


def _handler(rpc: Rpc, method: Callable[[Any], Any]) -> grpc.RpcMethodHandler[Any, Any]:
    make = grpc.unary_stream_rpc_method_handler if rpc.streams else grpc.unary_unary_rpc_method_handler
    behaviour: Any = _streaming(method) if rpc.streams else _unary(method)
    return make(behaviour, rpc.request.FromString, rpc.reply.SerializeToString)


def _unary(method: Callable[[Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def behaviour(request: Any, _context: Any) -> Any:
        return await method(request)

    return behaviour


def _streaming(method: Callable[[Any], AsyncIterator[Any]]) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def behaviour(request: Any, _context: Any) -> AsyncIterator[Any]:
        async for message in method(request):
            yield message

    return behaviour


def _repeatable(method: MethodDescriptor) -> bool:
    return bool(method.GetOptions().idempotency_level)
