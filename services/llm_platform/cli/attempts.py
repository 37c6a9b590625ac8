"""``llm-gateway ledger attempts``: calls of providers, how each went and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.billing import key_id_in, ledger
from llm_platform.cli.connection import ConfigOption, with_ledger
from llm_platform.cli.output import Format, FormatOption, dollars, print_rows
from llm_platform.proto import ledger_pb2

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger

_PAGE = 1_000
_COLUMNS = (
    "sent_at", "attempt_id", "provider", "model", "result", "certainty", "first_byte_ms", "duration_ms", "cost",
    "provider_request_id",
)  # fmt: skip


@ledger.command()
def attempts(
    provider_request_id: Annotated[
        list[str] | None, typer.Option(help="The provider's own id of the call. Repeatable.")
    ] = None,
    provider: Annotated[str, typer.Option(help="Only of this provider.")] = "",
    model: Annotated[str, typer.Option(help="Only of this model.")] = "",
    key: Annotated[str, typer.Option(help="Only of this key, id or prefix.")] = "",
    user: Annotated[str, typer.Option(help="Only of this user's id.")] = "",
    certainty: Annotated[str, typer.Option(help="Only exact, estimated or uncertain ones.")] = "",
    since: Annotated[str, typer.Option(help="Reserved at this day or RFC 3339 time or later.")] = "",
    until: Annotated[str, typer.Option(help="Reserved before this day or time.")] = "",
    tz: Annotated[str, typer.Option(help="Time zone of the days.")] = "UTC",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Calls of providers as they are charged now, the newest first, or those of the provider's own ids."""
    from llm_platform.billing.periods import moment, rfc3339, zone

    where = zone(tz, "tz")
    query = ledger_pb2.AttemptsQuery(
        provider_request_ids=provider_request_id,
        provider=provider,
        model=model,
        key_id=key_id_in(key),
        user_id=user,
        certainty=certainty,
        since=rfc3339(moment("since", since, where)) if since else "",
        until=rfc3339(moment("until", until, where)) if until else "",
        newest_first=True,
    )
    found = with_ledger(config, lambda ledger: _read(ledger, query, limit))
    print_rows([_row(attempt) for attempt in found], _COLUMNS, output, empty="There are none.")


async def _read(ledger: Ledger, query: ledger_pb2.AttemptsQuery, limit: int) -> list[ledger_pb2.Attempt]:
    found: list[ledger_pb2.Attempt] = []
    while len(found) < limit:
        query.limit = min(limit - len(found), _PAGE)
        page = await ledger.attempts(query)
        found += page.items
        query.cursor = page.cursor
        if not page.cursor:
            break
    return found[:limit]


def _row(attempt: ledger_pb2.Attempt) -> dict[str, Any]:
    return {
        "attempt_id": attempt.attempt_id,
        "request_id": attempt.request_id,
        "key_id": attempt.key_id,
        "user_id": attempt.user_id,
        "provider": attempt.provider,
        "model": attempt.model,
        "result": attempt.result,
        "status": attempt.status,
        "certainty": attempt.certainty,
        "resolved": attempt.resolved,
        "input_tokens": attempt.usage.input_tokens,
        "output_tokens": attempt.usage.output_tokens,
        "cost": dollars(attempt.amount),
        "cost_nano_dollars": attempt.amount,
        "reserved_at": attempt.reserved_at,
        "sent_at": attempt.sent_at or None,
        "first_byte_ms": _milliseconds(attempt.first_byte_us),
        "duration_ms": _milliseconds(attempt.duration_us),
        "provider_request_id": attempt.provider_request_id or None,
    }


def _milliseconds(microseconds: int) -> float | None:
    return microseconds / 1000 if microseconds else None
