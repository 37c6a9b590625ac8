"""Operations of a dashboard's JSON API: each is an RPC of a service, reached by a method and a path.

A path names fields of the request message in braces; ``{path...}`` takes slashes. What follows a colon at its end is
a verb for what is no reading or writing of a resource: ``/api/secrets/{path...}:rotate``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from llm_platform.rpc.handlers import python_name
from llm_platform.rpc.port import Port

_FIELD = re.compile(r"\{([a-z_]+)(\.\.\.)?\}")


@dataclass(frozen=True)
class Operation:
    """``rpc`` is a unary method of ``port``'s service. ``text`` names fields of bytes that travel as plain text.

    ``etag``: it changes a whole, and still is to say what it is based on.
    """

    method: str
    path: str
    port: Port[Any]
    rpc: str
    summary: str
    text: tuple[str, ...] = ()
    etag: bool = False

    @property
    def name(self) -> str:
        """As ``allowed`` of a session names it: ``GET /api/keys/{key}``."""
        return f"{self.method} {self.path}"

    @property
    def catalogued(self) -> str:
        """The catalogue's name of the RPC: ``Accounts/ListKeys``."""
        return f"{self.port.service.name}/{self.rpc}"

    @property
    def attribute(self) -> str:
        """The interface's method."""
        return python_name(self.rpc)

    @cached_property
    def path_fields(self) -> tuple[str, ...]:
        return tuple(name for name, _ in _FIELD.findall(self.path))

    @cached_property
    def pattern(self) -> str:
        """The path as aiohttp reads it."""
        return _FIELD.sub(lambda field: f"{{{field[1]}:.+}}" if field[2] else field[0], self.path)

    @cached_property
    def descriptor(self) -> MethodDescriptor:
        return self.port.service.methods_by_name[self.rpc]

    @property
    def request(self) -> Descriptor:
        return self.descriptor.input_type

    @property
    def reply(self) -> Descriptor:
        return self.descriptor.output_type

    @cached_property
    def new_request(self) -> type[Message]:
        return GetMessageClass(self.request)

    @property
    def has_body(self) -> bool:
        return self.method in ("POST", "PUT", "PATCH")

    @property
    def takes_etag(self) -> bool:
        return "etag" in self.request.fields_by_name

    @property
    def needs_etag(self) -> bool:
        """A change of a part is based on what was read before."""
        return self.takes_etag and (self.method == "PATCH" or self.etag)


Maker = Callable[..., Operation]


def operations_of(port: Port[Any]) -> Maker:
    """Makes operations of ``port`` from ``"GET /api/keys", "ListKeys", "Lists keys."``."""

    def operation(name: str, rpc: str, summary: str, text: tuple[str, ...] = (), *, etag: bool = False) -> Operation:
        method, _, path = name.partition(" ")
        return Operation(method, path, port, rpc, summary, text, etag)

    return operation
