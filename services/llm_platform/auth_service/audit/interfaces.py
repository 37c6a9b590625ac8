"""What auth-service provides: the audit log of the whole platform."""

from __future__ import annotations

from typing import Protocol

from llm_platform.proto import audit_pb2, common_pb2
from llm_platform.rpc.port import Port


class Audit(Protocol):
    """The audit log of the whole platform."""

    async def record(self, request: audit_pb2.AuditBatch) -> common_pb2.Empty: ...

    async def list(self, request: audit_pb2.ListAuditRequest) -> audit_pb2.AuditEntries: ...

    async def verify(self, request: audit_pb2.VerifyAuditRequest) -> audit_pb2.AuditVerification: ...


AUDIT = Port(Audit, audit_pb2.DESCRIPTOR.services_by_name["Audit"], provider="auth-service")
