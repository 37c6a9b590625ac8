"""``llm-gateway invoices``: what an organisation, a team or a user owes for a month or any period."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, with_ledger
from llm_platform.cli.output import dollars, fail, print_json
from llm_platform.cli.subjects import known

if TYPE_CHECKING:
    from llm_platform.billing.invoices.invoice import Invoice, Line

commands = typer.Typer(help="Invoices of organisations, teams and users: make.", no_args_is_help=True)


class InvoiceFormat(StrEnum):
    """HTML prints well; JSON has every amount exactly."""

    HTML = "html"
    JSON = "json"


@commands.command()
def make(
    organization: Annotated[str, typer.Option(help="The organisation it is for, id or name.")] = "",
    team: Annotated[str, typer.Option(help="Or the team.")] = "",
    user: Annotated[str, typer.Option(help="Or the user.")] = "",
    month: Annotated[str, typer.Option(help="E.g. 2026-10.")] = "",
    since: Annotated[str, typer.Option(help="In place of a month: from this day or time on.")] = "",
    until: Annotated[str, typer.Option(help="And before this day or time.")] = "",
    tz: Annotated[str, typer.Option(help="Time zone of the days, e.g. Europe/Berlin.")] = "UTC",
    name: Annotated[str, typer.Option(help="Whom it is for, as it is to stand on it.")] = "",
    seller: Annotated[str, typer.Option(help="Whom it is from.")] = "",
    number: Annotated[str, typer.Option(help="Default: made from the period and whom it is for.")] = "",
    digits: Annotated[int, typer.Option(help="Digits of the dollars after the point.", min=0, max=9)] = 2,
    draft: Annotated[bool, typer.Option("--draft", help="Also of a period that has not ended.")] = False,
    output: Annotated[Path | None, typer.Option(help="The file to write; default: standard output.")] = None,
    config: ConfigOption = None,
    form: Annotated[InvoiceFormat, typer.Option("--format", help="How to write it.")] = InvoiceFormat.HTML,
) -> None:
    """Writes the invoice; made again for the same period it has the same number."""
    from llm_platform.billing.invoices.invoice import Subject
    from llm_platform.billing.invoices.invoice import make as make_invoice
    from llm_platform.billing.invoices.page import page
    from llm_platform.billing.periods import Period, local_date, moment, zone
    from llm_platform.billing.periods import month as month_of
    from llm_platform.billing.usage.rollups import SETTLED_MICROSECONDS

    subjects = [each for each in (("organization", organization), ("team", team), ("user", user)) if each[1]]
    if len(subjects) != 1 or (bool(since), bool(until)) != (not month, not month):
        raise fail("name one organisation, team or user, and a --month or both --since and --until.")
    where = zone(tz, "tz")
    period = month_of(month, where) if month else Period(moment("since", since, where), moment("until", until, where))
    now = int(time.time() * 1_000_000)
    # What is booked in the last moments of a period may appear a little after its end.
    open_still = period.until > now - SETTLED_MICROSECONDS
    if open_still and not draft:
        raise fail("the period has not ended, or less than a minute ago.", "--draft makes one that says so.")
    if period.since >= period.until:
        raise fail("the period ends before it begins.")
    ((scope, called),) = subjects
    found = known(config, scope, called)
    subject = Subject(scope, found or called, name)
    issued = local_date(now, where)
    invoice = with_ledger(
        config,
        lambda ledger: make_invoice(
            ledger, subject, period, where, issued=issued, draft=open_still, digits=digits, seller=seller, number=number
        ),
    )
    if found is None and not invoice.lines and not invoice.corrections:
        raise fail(f"there is no {scope} {called}, and nothing was charged to one in this period.")
    if form is InvoiceFormat.JSON and output is None:
        print_json(_document(invoice))
        return
    _write(output, page(invoice) if form is InvoiceFormat.HTML else _text(_document(invoice)))


def _write(output: Path | None, text: str) -> None:
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise fail(f"{output}: {error.strerror}.") from None
    print(f"Wrote {output}.")


def _text(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _document(invoice: Invoice) -> dict[str, Any]:
    from llm_platform.billing.periods import rfc3339

    return {
        "number": invoice.number,
        "scope": invoice.subject.scope,
        "id": invoice.subject.id,
        "name": invoice.subject.name,
        "seller": invoice.seller,
        "since": rfc3339(invoice.period.since),
        "until": rfc3339(invoice.period.until),
        "time_zone": invoice.zone.key,
        "issued": invoice.issued.isoformat(),
        "draft": invoice.draft,
        "currency": "USD",
        "lines": [_line(line, invoice.digits) for line in invoice.lines],
        "corrections": [_line(line, invoice.digits) for line in invoice.corrections],
        "total": _shown(invoice.total, invoice.digits),
        "total_nano_dollars": invoice.exact,
    }


def _line(line: Line, digits: int) -> dict[str, Any]:
    return {
        "provider": line.provider,
        "model": line.model,
        "requests": line.requests,
        "input_tokens": line.input_tokens,
        "cached_input_tokens": line.cached_input_tokens,
        "output_tokens": line.output_tokens,
        "amount": _shown(line.shown, digits),
        "amount_nano_dollars": line.amount,
    }


def _shown(units: int, digits: int) -> str:
    return dollars(units * 10 ** (9 - digits))
