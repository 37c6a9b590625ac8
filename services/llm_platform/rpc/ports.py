"""Every port of the platform, and the RPC methods that each service really offers."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import ServiceDescriptor

from llm_platform.auth_service.audit.interfaces import AUDIT
from llm_platform.auth_service.interfaces import ACCOUNTS
from llm_platform.auth_service.sessions.interfaces import SESSIONS
from llm_platform.billing.interfaces import LEDGER
from llm_platform.head.interfaces import ROUTING
from llm_platform.model_proxy.interfaces import PROVIDERS
from llm_platform.proto import inference_pb2
from llm_platform.rate_limiter.interfaces import LIMITER
from llm_platform.rpc.port import Port
from llm_platform.secrets_service.interfaces import SECRETS

PORTS: tuple[Port[Any], ...] = (ACCOUNTS, AUDIT, LEDGER, LIMITER, PROVIDERS, ROUTING, SECRETS, SESSIONS)

RELAY: ServiceDescriptor = inference_pb2.DESCRIPTOR.services_by_name["Relay"]
RELAYED_BY = ("head", "model-proxy")
"""Who serves ``Inference`` to others; it crosses over the relay, not as RPCs of its own."""


def offered_methods() -> dict[str, frozenset[str]]:
    """Service -> its methods (``Ledger/Reserve``), from the protos; for ``Catalog.check_methods``."""
    offered: dict[str, frozenset[str]] = {}
    served = [(port.provider, port.service) for port in PORTS] + [(name, RELAY) for name in RELAYED_BY]
    for provider, service in served:
        methods = frozenset(f"{service.name}/{method.name}" for method in service.methods)
        offered[provider] = offered.get(provider, frozenset()) | methods
    return offered
