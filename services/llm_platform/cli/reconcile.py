"""``llm-gateway ledger reconcile``: the ledger against a provider's usage export."""

from __future__ import annotations

import json
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.billing import ledger
from llm_platform.cli.connection import ConfigOption, with_ledger
from llm_platform.cli.output import Format, FormatOption, dollars, fail, print_json, print_rows

if TYPE_CHECKING:
    from llm_platform.billing.reconciliation.reconcile import Wanted

_SHOWN = 1_000
_COLUMNS = ("kind", "attempt_id", "what", "charged", "export", "line")


class Accept(StrEnum):
    """Which calls are charged anew by what the export says."""

    UNCERTAIN = "uncertain"
    ESTIMATED = "estimated"
    ALL = "all"


@ledger.command()
def reconcile(
    file: Annotated[Path, typer.Argument(help="The export: JSON lines or CSV, also gzipped.", dir_okay=False)],
    provider: Annotated[str, typer.Option(help="The provider it is of.")],
    since: Annotated[str, typer.Option(help="It covers the time from here, if it does not say so itself.")] = "",
    until: Annotated[str, typer.Option(help="And before this day or time.")] = "",
    tz: Annotated[str, typer.Option(help="Time zone of the days.")] = "UTC",
    complete: Annotated[bool, typer.Option("--complete", help="It has every call of that time.")] = False,
    accept: Annotated[Accept, typer.Option(help="Correct these calls.")] = Accept.UNCERTAIN,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report.")] = False,
    differences: Annotated[Path | None, typer.Option(help="Write every difference here, as JSON lines.")] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Compares, resolves uncertain calls, and reports; exits 1 when something differs."""
    from llm_platform.billing.periods import moment, zone
    from llm_platform.billing.reconciliation.export import Coverage
    from llm_platform.billing.reconciliation.reconcile import DIFFERENCES, Wanted

    where = zone(tz, "tz")
    period = (moment("since", since, where) if since else None, moment("until", until, where) if until else None)
    wanted = Wanted(Coverage(provider, *period, complete), accept.value, dry_run)
    report, shown = _run(config, file, wanted, differences)
    found = sum(report[kind] for kind in DIFFERENCES)
    if output is Format.JSON:
        print_json({**report, "differences": shown, "differences_left_out": found - len(shown)})
    else:
        _print(report, shown, found)
    if found:
        raise typer.Exit(1)


def _run(config: Path | None, file: Path, wanted: Wanted, path: Path | None) -> tuple[dict[str, Any], list[Any]]:
    from llm_platform.billing.reconciliation.reconcile import reconcile as run

    shown: list[Any] = []
    with ExitStack() as stack:
        try:
            all_of_them = stack.enter_context(path.open("w", encoding="utf-8")) if path else None

            def tell(difference: dict[str, Any]) -> None:
                if len(shown) < _SHOWN:
                    shown.append(difference)
                if all_of_them is not None:
                    all_of_them.write(json.dumps(difference, ensure_ascii=False) + "\n")

            return with_ledger(config, lambda ledger: run(ledger, file, wanted, tell)), shown
        except OSError as error:
            raise fail(f"{error.filename}: {error.strerror}.") from None


def _print(report: dict[str, Any], shown: list[Any], found: int) -> None:
    for name, value in report.items():
        if name.endswith("_nano_dollars"):
            print(f"{name.removesuffix('_nano_dollars')}: {'-' if value is None else dollars(value)}")
        elif value or name == "lines":
            print(f"{name.replace('_', ' ')}: {value}")
    rows = [
        {
            **difference,
            "charged": _dollars(difference.get("charged_nano_dollars")),
            "export": _dollars(difference.get("export_nano_dollars")),
        }
        for difference in shown
    ]
    print_rows(rows, _COLUMNS, Format.TABLE, empty="No differences.")
    if found > len(shown):
        print(f"{found - len(shown)} more; --differences FILE has all.")


def _dollars(nano: int | None) -> str | None:
    return None if nano is None else dollars(nano)
