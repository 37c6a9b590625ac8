"""What somebody may call, by the catalogue. The services decide; this is for pages, which hide the rest."""

from __future__ import annotations

from collections.abc import Iterable

from llm_platform.core.catalog import Catalog
from llm_platform.core.catalog.roles import ANYONE, includes
from llm_platform.dashboard.operations import Operation
from llm_platform.proto import sessions_pb2


class Rights:
    """Rights of the callers of one dashboard."""

    def __init__(self, catalog: Catalog, delegate: str, operations: Iterable[Operation]) -> None:
        """Raises ValueError for an operation that the catalogue does not let ``delegate`` call."""
        self._catalog = catalog
        self._operations = list(operations)
        for operation in self._operations:
            service = catalog.service(operation.port.provider)
            if delegate not in service.allow.get(operation.catalogued, []):
                raise ValueError(f"{operation.name}: the catalogue does not let {delegate} call {operation.catalogued}")

    def has(self, actor: sessions_pb2.ActorToken, operation: Operation) -> bool:
        rights = self._catalog.service(operation.port.provider).roles[operation.catalogued]
        return ANYONE in rights or includes(rights, actor.role, actor.platform)

    def allowed(self, actor: sessions_pb2.ActorToken) -> list[str]:
        """Names of operations, in the order of the API."""
        return [operation.name for operation in self._operations if self.has(actor, operation)]
