"""``llm-gateway ledger archive``: the ledger's entries in files that prove themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm_platform.cli.billing import ledger
from llm_platform.cli.connection import ConfigOption, with_ledger
from llm_platform.cli.output import Format, FormatOption, fail, print_json

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger

commands = typer.Typer(help="Archives of the ledger: write, verify.", no_args_is_help=True)
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


async def _compare(ledger: Ledger, directory: Path) -> None:
    from llm_platform.billing.archive import differing

    sequence = await differing(ledger, directory)
    if sequence is not None:
        raise fail(f"entry {sequence} of the ledger is not what was archived.")
