"""``llm-gateway ledger``: whether the books are right."""

from __future__ import annotations

from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, load_config, with_ledger
from llm_platform.cli.output import Format, FormatOption, fail, print_json, print_rows
from llm_platform.proto import common_pb2, ledger_pb2

NANO = 1_000_000_000
VERIFY_SECONDS = 3_600.0
"""Every entry is read several times."""

ledger = typer.Typer(help="The ledger: verify, refused.", no_args_is_help=True)
refused = typer.Typer(
    help="Outcomes that billing refused, in the data folder of this model-proxy: list, replay.", no_args_is_help=True
)
ledger.add_typer(refused, name="refused")


@ledger.command()
def verify(config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Derives every balance again from the entries; exits 1 when one differs."""
    report = with_ledger(config, lambda ledger: ledger.verify(common_pb2.Empty()), seconds=VERIFY_SECONDS)
    problems = list(report.problems)
    if output is Format.JSON:
        counts = {"entries": report.entries, "removed": report.removed, "open_reservations": report.open_reservations}
        print_json({**counts, "problems": problems})
    else:
        removed = f" ({report.removed} more were archived and removed)" if report.removed else ""
        print(f"{report.entries} entries{removed}, {report.open_reservations} open reservations.")
        print("\n".join(problems) or "Every balance agrees with the entries.")
    if problems:
        raise typer.Exit(1)


@refused.command("list")
def list_refused(config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Lists what billing refused for good."""
    from llm_platform.model_proxy.refused import kept

    rows = [_outcome_row(outcome) for outcome in kept(_journals(config))]
    columns = ("attempt_id", "key_id", "provider", "model", "kind", "result", "sent_at")
    print_rows(rows, columns, output, empty="No outcome was refused.")


@refused.command()
def replay(
    not_archived: Annotated[
        list[str] | None,
        typer.Option(
            help="An attempt that was looked for with `ledger archive find`, and is in no archive. Repeatable."
        ),
    ] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Delivers them again and keeps what is refused again; exits 1 when something is."""
    from llm_platform.model_proxy.refused import replay as deliver_again

    journals = _journals(config)
    replayed = with_ledger(config, lambda ledger: deliver_again(journals, ledger, not_archived or ()))
    rows = [{**_outcome_row(each.outcome), "replay": each.result, "reason": each.reason or None} for each in replayed]
    print_rows(rows, ("attempt_id", "key_id", "model", "replay", "reason"), output, empty="No outcome was refused.")
    if any(each.result == "refused" for each in replayed):
        raise typer.Exit(1)


def _journals(config: Path | None) -> Path:
    return load_config(config).service.data_dir / "journal"


def _outcome_row(outcome: ledger_pb2.Outcome) -> dict[str, Any]:
    return {
        "attempt_id": outcome.attempt_id,
        "reservation_id": outcome.reservation_id,
        "request_id": outcome.request_id,
        "key_id": outcome.key_id,
        "provider": outcome.provider,
        "model": outcome.model,
        "kind": outcome.kind,
        "result": outcome.result,
        "status": outcome.status,
        "input_tokens": outcome.usage.input_tokens,
        "output_tokens": outcome.usage.output_tokens,
        "sent_at": outcome.sent_at,
        "first_byte_us": outcome.first_byte_us,
        "duration_us": outcome.duration_us,
        "provider_request_id": outcome.provider_request_id,
        "final": outcome.final,
    }


def key_id_in(key: str) -> str:
    """The id in a key or in its shown prefix: the ledger must never be told the key itself."""
    from llm_platform.auth_service.keys import key_id_of

    return key_id_of(key) or key


def nano_dollars(text: str) -> int:
    """The amount of a budget, in dollars, as nano-dollars; ``none`` as -1."""
    from llm_platform.billing.posting import MAX_BUDGET

    if text.lower() == "none":
        return -1
    try:
        amount = Decimal(text.removeprefix("$")) * NANO
    except DecimalException:
        raise fail(f"{text!r} is not an amount in dollars.") from None
    if not amount.is_finite() or not 0 <= amount <= MAX_BUDGET or amount != int(amount):
        raise fail(f"{text!r} is not an amount between 0 and 1 billion dollars, exact to a nano-dollar.")
    return int(amount)
