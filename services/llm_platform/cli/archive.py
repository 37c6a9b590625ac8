"""``llm-gateway ledger archive``: the ledger's entries in files that prove themselves, and out of the ledger."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm_platform.cli.billing import VERIFY_SECONDS, ledger
from llm_platform.cli.connection import ConfigOption, with_ledger
from llm_platform.cli.output import Format, FormatOption, fail, print_json

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger
    from llm_platform.proto import ledger_pb2

commands = typer.Typer(help="Archives of the ledger: write, verify, find, remove.", no_args_is_help=True)
ledger.add_typer(commands, name="archive")


@commands.command()
def write(
    before: Annotated[str, typer.Option(help="Entries booked before this day or RFC 3339 time.")],
    output: Annotated[Path, typer.Option(help="The folder; one that has segments is continued.", file_okay=False)],
    tz: Annotated[str, typer.Option(help="Time zone of the day.")] = "UTC",
    config: ConfigOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Writes the entries that are not archived yet; goes on where an earlier run was broken off."""
    from llm_platform.billing import archive
    from llm_platform.billing.periods import moment, rfc3339, zone

    until = rfc3339(moment("before", before, zone(tz, "tz")))
    try:
        output.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = with_ledger(config, lambda ledger: archive.write(ledger, until, output))
    except OSError as error:
        raise fail(f"{error.filename}: {error.strerror}.") from None
    if form is Format.JSON:
        print_json({"segments": done.segments, "entries": done.entries})
    else:
        print(f"Wrote {done.entries} entries in {done.segments} segments.")


@commands.command()
def verify(
    directory: Annotated[Path, typer.Argument(help="The folder of the segments.", exists=True, file_okay=False)],
    live: Annotated[bool, typer.Option("--live", help="Also compare with the entries of the ledger.")] = False,
    config: ConfigOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Checks every segment and their chain; exits 1 for the first that is not right."""
    from llm_platform.billing import archive

    try:
        link = archive.verified(directory)
        if live:
            with_ledger(config, lambda ledger: _compare(ledger, directory))
    except OSError as error:
        raise fail(f"{error.filename}: {error.strerror}.") from None
    if form is Format.JSON:
        print_json({"segments": link.segment, "last": link.last, "sha256": link.sha256})
    else:
        print(f"{link.segment} segments, up to entry {link.last}, hash {link.sha256}.")


@commands.command()
def remove(
    directory: Annotated[Path, typer.Argument(help="The folder of the segments.", exists=True, file_okay=False)],
    before: Annotated[
        str,
        typer.Option(help="Only segments whose entries were all booked before. Default: billing.retention_days ago."),
    ] = "",
    tz: Annotated[str, typer.Option(help="Time zone of the day.")] = "UTC",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the archive against the ledger.")] = False,
    config: ConfigOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Removes from the ledger what the archive has, after both were checked; what it adds up to stays."""
    from llm_platform.billing.periods import moment, rfc3339, zone
    from llm_platform.billing.retention import archived

    until = rfc3339(moment("before", before, zone(tz, "tz"))) if before else ""
    wanted = archived.Wanted(until, dry_run)
    try:
        done = with_ledger(
            config, lambda ledger: archived.remove(ledger, directory, wanted, _progress), seconds=VERIFY_SECONDS
        )
    except OSError as error:
        raise fail(f"{error.filename}: {error.strerror}.") from None
    if form is Format.JSON:
        print_json({**asdict(done), "dry_run": dry_run})
    elif dry_run:
        print(f"{done.confirmed} more entries may be removed, up to entry {done.archived_to}. Nothing was changed.")
    elif not done.removed:
        print("There is nothing to remove: no further segment is old enough, or its calls are not over.")
    else:
        print(f"Removed {done.removed} entries, up to entry {done.archived_to}.")


@commands.command()
def find(
    directory: Annotated[Path, typer.Argument(help="The folder of the segments.", exists=True, file_okay=False)],
    attempt_ids: Annotated[list[str], typer.Argument(help="rsv_…-N, as in `ledger refused list`.")],
) -> None:
    """Prints the archived entries of attempts, as JSON lines; exits 1 when there is none."""
    from llm_platform.billing.archive import found

    entries = 0
    try:
        for line in found(directory, attempt_ids):
            print(line)
            entries += 1
    except OSError as error:
        raise fail(f"{error.filename}: {error.strerror}.") from None
    if not entries:
        raise typer.Exit(1)


def _progress(state: ledger_pb2.RetentionState) -> None:
    if sys.stderr.isatty():
        print(
            f"\r{state.removed} removed, at entry {state.examined_to} of {state.archived_to}", end="", file=sys.stderr
        )
        if state.examined_to == state.archived_to:
            print(file=sys.stderr)


async def _compare(ledger: Ledger, directory: Path) -> None:
    from llm_platform.billing.archive import differing

    sequence = await differing(ledger, directory)
    if sequence is not None:
        raise fail(f"entry {sequence} of the ledger is not what was archived.")
