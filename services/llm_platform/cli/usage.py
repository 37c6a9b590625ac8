"""``llm-gateway usage``: what was used and what it cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.billing import key_id_in
from llm_platform.cli.connection import ConfigOption, with_ledger
from llm_platform.cli.output import Printer, ReportFormat, dollars
from llm_platform.proto import ledger_pb2

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger

_COLUMNS = {name: f"{name}_id" for name in ("key", "user", "team", "organization")}
"""Groups whose column has another name."""
_PAGE = 1_000
_TOKENS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
)


def usage(
    by: Annotated[
        str, typer.Option(help="Groups, with commas: key, user, team, organization, provider, model, day.")
    ] = "key,provider,model",
    since: Annotated[str, typer.Option(help="From this day (2026-01-31) or RFC 3339 time on.")] = "",
    until: Annotated[str, typer.Option(help="Before this day or time.")] = "",
    tz: Annotated[str, typer.Option(help="Time zone of the days, e.g. Europe/Berlin.")] = "UTC",
    key: Annotated[str, typer.Option(help="Only of this key, id or prefix.")] = "",
    user: Annotated[str, typer.Option(help="Only of this user's id.")] = "",
    team: Annotated[str, typer.Option(help="Only of this team's id.")] = "",
    organization: Annotated[str, typer.Option(help="Only of this organisation's id.")] = "",
    provider: Annotated[str, typer.Option(help="Only of this provider.")] = "",
    model: Annotated[str, typer.Option(help="Only of this model.")] = "",
    order: Annotated[str, typer.Option(help="The largest first: cost, requests, input_tokens, output_tokens.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many rows; 0: all.", min=0)] = 0,
    config: ConfigOption = None,
    output: Annotated[ReportFormat, typer.Option("--format", help="How to print the result.")] = ReportFormat.TABLE,
) -> None:
    """Calls, tokens and cost, by any of key, user, team, organisation, provider, model and day."""
    groups = [name.strip() for name in by.split(",") if name.strip()]
    query = ledger_pb2.UsageQuery(
        by=groups,
        since=since,
        until=until,
        time_zone=tz,
        key_id=key_id_in(key),
        user_id=user,
        team_id=team,
        organization_id=organization,
        provider=provider,
        model=model,
        order=order,
    )
    columns = [*(_COLUMNS.get(name, name) for name in groups), "requests", "input_tokens", "output_tokens", "cost"]
    if output is ReportFormat.CSV:
        columns = [*columns[:-3], *_TOKENS, "cost", "adjusted"]
    printer = Printer(columns, output, empty="Nothing was used.")
    with_ledger(config, lambda ledger: _print(ledger, query, limit, printer, output))
    printer.end()


async def _print(
    ledger: Ledger, query: ledger_pb2.UsageQuery, limit: int, printer: Printer, output: ReportFormat
) -> None:
    left = limit
    while True:
        query.limit = min(left, _PAGE) if limit else _PAGE
        report = await ledger.usage(query)
        printer.add([_row(row, query.by, output) for row in report.rows])
        left -= len(report.rows)
        query.cursor = report.cursor
        if not report.cursor or (limit and left <= 0):
            return


def _row(row: ledger_pb2.UsageRow, by: Any, output: ReportFormat) -> dict[str, Any]:
    groups = [_COLUMNS.get(name, name) for name in by]
    shown: dict[str, Any] = {name: getattr(row, name) for name in groups}
    shown["requests"] = row.requests
    shown |= {name: getattr(row.usage, name) for name in _TOKENS}
    if output is ReportFormat.CSV:
        return shown | {"cost": Decimal(dollars(row.cost, "")), "adjusted": Decimal(dollars(row.adjusted, ""))}
    return shown | {
        "cost": dollars(row.cost),
        "cost_nano_dollars": row.cost,
        "adjusted_nano_dollars": row.adjusted,
    }
