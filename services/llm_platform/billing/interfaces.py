"""What billing provides: reservations, outcomes, budgets and usage."""

from __future__ import annotations

from typing import Protocol

from llm_platform.proto import common_pb2, ledger_pb2
from llm_platform.rpc.port import Port


class Ledger(Protocol):
    """What billing provides: reservations, outcomes, budgets and usage."""

    async def reserve(self, request: ledger_pb2.ReserveBatch) -> ledger_pb2.ReserveReplies: ...

    async def release(self, request: ledger_pb2.ReleaseBatch) -> common_pb2.Empty: ...

    async def record(self, request: ledger_pb2.OutcomeBatch) -> ledger_pb2.RecordReply: ...

    async def usage(self, request: ledger_pb2.UsageQuery) -> ledger_pb2.UsageReport: ...

    async def entries(self, request: ledger_pb2.EntriesQuery) -> ledger_pb2.EntryPage: ...

    async def set_budget(self, request: ledger_pb2.Budget) -> ledger_pb2.Budget: ...

    async def list_budgets(self, request: common_pb2.Empty) -> ledger_pb2.Budgets: ...

    async def put_budget(self, request: ledger_pb2.PutBudgetRequest) -> ledger_pb2.ScopedBudget: ...

    async def delete_budget(self, request: ledger_pb2.DeleteBudgetRequest) -> common_pb2.Empty: ...

    async def find_budgets(self, request: ledger_pb2.BudgetsQuery) -> ledger_pb2.BudgetPage: ...

    async def verify(self, request: common_pb2.Empty) -> ledger_pb2.VerifyReport: ...


LEDGER = Port(Ledger, ledger_pb2.DESCRIPTOR.services_by_name["Ledger"], provider="billing")
