"""``llm-gateway audit``: who did what, and what was refused."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import AsyncIterator, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, with_audit
from llm_platform.cli.output import Format, FormatOption, fail, print_json, print_rows
from llm_platform.proto import audit_pb2

if TYPE_CHECKING:
    from llm_platform.auth_service.audit.interfaces import Audit

commands = typer.Typer(help="The audit log: list, export, verify.", no_args_is_help=True)

PAGE = 1_000
COLUMNS = ("number", "at", "actor_name", "action", "target", "result", "reason", "repeated")
_FIELDS = tuple(field.name for field in audit_pb2.AuditEntry.DESCRIPTOR.fields)

SinceOption = Annotated[str, typer.Option(help="From this RFC 3339 time on.")]
UntilOption = Annotated[str, typer.Option(help="Before this RFC 3339 time.")]
OrganizationOption = Annotated[str, typer.Option(help="Only of this organisation, by id.")]
ActorOption = Annotated[str, typer.Option(help="Only of this actor, id or name.")]
ActionOption = Annotated[str, typer.Option(help="Only this action, e.g. Accounts/CreateKey, or all: Accounts/")]


class ExportFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


@commands.command("list")
def list_entries(
    since: SinceOption = "",
    until: UntilOption = "",
    organization: OrganizationOption = "",
    actor: ActorOption = "",
    action: ActionOption = "",
    target: Annotated[str, typer.Option(help="Only about this: an id, a path, a name.")] = "",
    result: Annotated[str, typer.Option(help="Only with this result: ok, refused, failed.")] = "",
    most: Annotated[int, typer.Option("--limit", min=1, max=PAGE, help="How many entries.")] = 50,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Lists the newest entries."""
    request = audit_pb2.ListAuditRequest(
        organization=organization,
        actor=actor,
        action=action,
        target=target,
        result=result,
        since=since,
        until=until,
        newest_first=True,
        page_size=most,
    )
    entries = with_audit(config, lambda audit: audit.list(request))
    print_rows([_row(entry) for entry in entries.items], COLUMNS, output, empty="No entries.")


@commands.command()
def export(
    since: SinceOption = "",
    until: UntilOption = "",
    organization: OrganizationOption = "",
    actor: ActorOption = "",
    action: ActionOption = "",
    output: Annotated[ExportFormat, typer.Option("--format", help="A JSON object a line, or CSV.")] = (
        ExportFormat.JSONL
    ),
    config: ConfigOption = None,
) -> None:
    """Writes all entries to standard output, oldest first, page by page."""
    request = audit_pb2.ListAuditRequest(
        organization=organization,
        actor=actor,
        action=action,
        since=since,
        until=until,
        page_size=PAGE,
    )

    async def write_all(audit: Audit) -> None:
        write = _csv_writer() if output is ExportFormat.CSV else _write_lines
        async for page in _pages(audit, request):
            write(_row(entry) for entry in page)

    with_audit(config, write_all)


@commands.command()
def verify(
    known: Annotated[
        str, typer.Option(help="NUMBER:HASH of an entry as it was noted earlier: it must still be the same.")
    ] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Checks that every entry is as it was written and that none is missing; exits 1 at the first that is not."""
    number, known_hash = _known(known)

    async def check(audit: Audit) -> audit_pb2.AuditVerification:
        if known:
            anchored = await audit.verify(audit_pb2.VerifyAuditRequest(after=number, hash=known_hash))
            if anchored.broken:
                return anchored
        checked = await audit.verify(audit_pb2.VerifyAuditRequest())
        while not checked.end:
            checked = await audit.verify(audit_pb2.VerifyAuditRequest(after=checked.checked_to, hash=checked.hash))
        return checked

    checked = with_audit(config, check)
    if output is Format.JSON:
        print_json(
            {
                "intact": not checked.broken,
                "entries": checked.checked_to,
                "hash": checked.hash,
                "broken": checked.broken or None,
                "reason": checked.reason or None,
            }
        )
    if checked.broken:
        raise fail(
            f"Entry {checked.broken} breaks the log: {checked.reason}.",
            f"The {checked.checked_to} entries before it are as they were written.",
        )
    if output is Format.TABLE:
        print(f"{checked.checked_to} entries are as they were written. Keep the last one's hash in another place:")
        print(f"{checked.checked_to}:{checked.hash}")


async def _pages(audit: Audit, request: audit_pb2.ListAuditRequest) -> AsyncIterator[Iterable[audit_pb2.AuditEntry]]:
    while True:
        page = await audit.list(request)
        yield page.items
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _row(entry: audit_pb2.AuditEntry) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in _FIELDS}
    return row | {"details": json.loads(entry.details or "{}")}


def _write_lines(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _csv_writer() -> Any:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_FIELDS)

    def write(rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            cells = row | {"details": json.dumps(row["details"], ensure_ascii=False)}
            writer.writerow([_cell(cells[name]) for name in _FIELDS])

    return write


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is quoted as text (OWASP: CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def _known(text: str) -> tuple[int, str]:
    number, _, known_hash = text.partition(":")
    if text and not (number.isdecimal() and int(number) > 0 and known_hash):
        raise typer.BadParameter("It is NUMBER:HASH, as this command prints it.", param_hint="--known")
    return int(number or 0), known_hash
