"""Billing's ledger of a running fleet, read as the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llm_platform.billing.interfaces import LEDGER, Ledger
from llm_platform.core.config import file as config_file
from llm_platform.proto import ledger_pb2
from llm_platform.rpc.client import Peers
from tests.fleet.fleet import Fleet

PAGE = 5_000
VERIFY_SECONDS = 120.0
"""Of a ledger of hundreds of thousands of entries, on a machine under load."""


@asynccontextmanager
async def ledger_of(fleet: Fleet) -> AsyncIterator[Ledger]:
    async with Peers(config_file.load(fleet.operator_config, {})) as peers:
        yield peers.remote(LEDGER, VERIFY_SECONDS)


async def all_entries(ledger: Ledger, kind: str = "") -> list[ledger_pb2.Entry]:
    """Every entry, page by page, in the order they were written; ``kind``: only these."""
    found: list[ledger_pb2.Entry] = []
    after = 0
    while page := (await ledger.entries(ledger_pb2.EntriesQuery(after=after, kind=kind, limit=PAGE))).items:
        found += page
        after = page[-1].sequence
    return found


async def settled_entries(ledger: Ledger) -> list[ledger_pb2.Entry]:
    return await all_entries(ledger, "settle")
