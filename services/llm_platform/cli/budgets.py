"""``llm-gateway budgets``: what keys, users, teams and organisations may spend, and who was told of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.billing import nano_dollars
from llm_platform.cli.connection import ConfigOption, with_ledger
from llm_platform.cli.output import Format, FormatOption, dollars, fail, print_rows
from llm_platform.cli.subjects import known, known_or_gone
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import ledger_pb2

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger

_COLUMNS = ("scope", "scope_id", "period", "enforcement", "limit", "spent", "reserved", "remaining", "window_ends_at")

budgets = typer.Typer(
    help="Budgets of keys, users, teams and organisations: set, list, show, delete, notifications, notify.",
    no_args_is_help=True,
)


class Scope(StrEnum):
    KEY = "key"
    USER = "user"
    TEAM = "team"
    ORGANIZATION = "organization"


class Period(StrEnum):
    TOTAL = "total"
    DAILY = "daily"
    MONTHLY = "monthly"


IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Of the scope, or its name; of a key also its prefix, or anonymous.")
]
ScopeOption = Annotated[Scope, typer.Option(help="Whose budget.")]
PeriodOption = Annotated[Period, typer.Option(help="In total, or anew each day or month.")]
SoftOption = Annotated[bool, typer.Option("--soft", help="Refuses nothing, only notifies.")]
EtagOption = Annotated[str, typer.Option(help="Only if the budget is still the one with this etag (see show).")]


@budgets.command("set")
def set_budget(
    name: IdArgument,
    limit: Annotated[str, typer.Argument(help="In US dollars, e.g. 12.50; or none, which deletes the budget.")],
    scope: ScopeOption = Scope.KEY,
    period: PeriodOption = Period.TOTAL,
    soft: SoftOption = False,
    time_zone: Annotated[
        str, typer.Option("--tz", help="Whose midnight it is, e.g. Europe/Berlin. Default: as before, else UTC.")
    ] = "",
    thresholds: Annotated[
        str,
        typer.Option(help="Percentages at which a notification is sent, e.g. 50,80,100; or none. Default: as before."),
    ] = "",
    etag: EtagOption = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Sets what may be spent."""
    if limit.lower() == "none":
        row = {"scope": scope, "scope_id": _lift(config, name, scope, period, soft, etag), "limit": None}
        print_rows([row], _COLUMNS[:5], output, empty="")
        return
    wanted = ledger_pb2.ScopedBudget(
        limit=nano_dollars(limit),
        scope=scope,
        scope_id=_existing(config, scope, name),
        period=period,
        enforcement=_enforcement(soft),
        time_zone=time_zone,
        thresholds=_percentages(thresholds),
    )
    as_before = not thresholds or not time_zone

    async def put(ledger: Ledger) -> ledger_pb2.ScopedBudget:
        request = ledger_pb2.PutBudgetRequest(budget=wanted, etag=etag)
        if as_before:
            _take_over(request, await _standing(ledger, wanted), thresholds=not thresholds)
        return await ledger.put_budget(request)

    print_rows([_row(with_ledger(config, put))], _COLUMNS, output, empty="")


@budgets.command("list")
def list_budgets(
    scope: Annotated[Scope | None, typer.Option(help="Only of this scope.")] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Lists budgets with what is spent and reserved in their windows of now."""
    found = _find(config, ledger_pb2.BudgetsQuery(scope=scope or ""))
    print_rows([_row(budget) for budget in found], _COLUMNS, output, empty="No budgets.")


@budgets.command("show")
def show_budget(
    name: IdArgument,
    scope: ScopeOption = Scope.KEY,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Shows all budgets of one key, user, team or organisation; exits 1 when there is none."""
    found = _find(config, ledger_pb2.BudgetsQuery(scope=scope, scope_id=known_or_gone(config, scope, name)))
    if not found:
        raise fail(f"there is no budget of this {scope}.", "llm-gateway budgets list shows all.")
    columns = (*_COLUMNS[2:], "time_zone", "thresholds", "updated_by", "etag")
    print_rows([_row(budget) for budget in found], columns, output, empty="")


@budgets.command("delete")
def delete_budget(
    name: IdArgument,
    scope: ScopeOption = Scope.KEY,
    period: PeriodOption = Period.TOTAL,
    soft: SoftOption = False,
    etag: EtagOption = "",
    config: ConfigOption = None,
) -> None:
    """Deletes a budget: nothing is refused by it any more."""
    _delete(config, name, scope, period, soft, etag)
    print(f"The {period} budget of this {scope} is deleted.")


@budgets.command()
def notifications(
    state: Annotated[str, typer.Option(help="pending, delivered, dead (given up) or kept (no webhook).")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Lists what was, or could not be, sent when budgets reached their thresholds; newest first."""
    query = ledger_pb2.NotificationsQuery(state=state)
    found = with_ledger(config, lambda ledger: ledger.notifications(query)).items
    columns = ("event_id", "created_at", "threshold", "state", "attempts", "due_at", "reason")
    rows = [{field.name: getattr(each, field.name) for field in each.DESCRIPTOR.fields} for each in found]
    print_rows(rows, columns, output, empty="No notifications.")


@budgets.command()
def notify(
    event_id: Annotated[str, typer.Argument(help="As budgets notifications shows it.")],
    config: ConfigOption = None,
) -> None:
    """Has a notification that was given up sent again."""
    request = ledger_pb2.NotificationRef(event_id=event_id)
    print(f"It is {with_ledger(config, lambda ledger: ledger.retry_notification(request)).state}.")


def _lift(config: Path | None, name: str, scope: Scope, period: Period, soft: bool, etag: str) -> str:
    """Deletes the budget if there is one; answers whose."""
    try:
        return _delete(config, name, scope, period, soft, etag)
    except PlatformError as error:
        if error.code is not Code.NOT_FOUND or etag:
            raise
    return known_or_gone(config, scope, name)


def _delete(config: Path | None, name: str, scope: Scope, period: Period, soft: bool, etag: str) -> str:
    request = ledger_pb2.DeleteBudgetRequest(
        scope=scope,
        scope_id=known_or_gone(config, scope, name),
        period=period,
        enforcement=_enforcement(soft),
        etag=etag,
    )
    with_ledger(config, lambda ledger: ledger.delete_budget(request))
    return request.scope_id


def _find(config: Path | None, query: ledger_pb2.BudgetsQuery) -> list[ledger_pb2.ScopedBudget]:
    found: list[ledger_pb2.ScopedBudget] = []
    while page := with_ledger(config, lambda ledger: ledger.find_budgets(query)).items:
        found += page
        query.after = page[-1].budget_id
    return sorted(found, key=lambda each: (each.scope, each.scope_id, each.period, each.enforcement))


async def _standing(ledger: Ledger, wanted: ledger_pb2.ScopedBudget) -> ledger_pb2.ScopedBudget | None:
    """The budget that ``wanted`` takes the place of. One that an organisation's admin has set is another one."""
    page = await ledger.find_budgets(ledger_pb2.BudgetsQuery(scope=wanted.scope, scope_id=wanted.scope_id))
    for each in page.items:
        if (each.period, each.enforcement, each.organization_id) == (wanted.period, wanted.enforcement, ""):
            return each
    return None


def _take_over(
    request: ledger_pb2.PutBudgetRequest, standing: ledger_pb2.ScopedBudget | None, *, thresholds: bool
) -> None:
    """What is not given stays as it is, so the budget must still be the one that was read."""
    if standing is None:
        request.must_be_new = not request.etag
        return
    request.etag = request.etag or standing.etag
    request.budget.time_zone = request.budget.time_zone or standing.time_zone
    if thresholds:
        request.budget.thresholds.extend(standing.thresholds)


def _enforcement(soft: bool) -> str:
    return "soft" if soft else "hard"


def _existing(config: Path | None, scope: Scope, name: str) -> str:
    found = known(config, scope, name)
    if found is None:
        raise fail(f"there is no such {scope}.", f"llm-gateway {scope}s list shows them.")
    return found


def _percentages(text: str) -> list[int]:
    if text.strip().lower() in ("", "none"):
        return []
    try:
        return [int(each.strip().removesuffix("%")) for each in text.split(",")]
    except ValueError:
        raise fail(
            f"{text!r} is not a list of percentages like 50,80,100.", "--thresholds none removes them."
        ) from None


def _row(budget: ledger_pb2.ScopedBudget) -> dict[str, Any]:
    return {
        "scope": budget.scope,
        "scope_id": budget.scope_id,
        "key_id": budget.scope_id if budget.scope == "key" else None,
        "period": budget.period,
        "enforcement": budget.enforcement,
        "time_zone": budget.time_zone,
        "window_starts_at": budget.window_starts_at or None,
        "window_ends_at": budget.window_ends_at or None,
        "thresholds": list(budget.thresholds),
        "limit": dollars(budget.limit),
        "spent": dollars(budget.spent),
        "reserved": dollars(budget.reserved),
        "remaining": dollars(budget.remaining),
        "limit_nano_dollars": budget.limit,
        "spent_nano_dollars": budget.spent,
        "reserved_nano_dollars": budget.reserved,
        "remaining_nano_dollars": budget.remaining,
        "organization_id": budget.organization_id or None,
        "updated_at": budget.updated_at or None,
        "updated_by": budget.updated_by or None,
        "etag": budget.etag,
    }
