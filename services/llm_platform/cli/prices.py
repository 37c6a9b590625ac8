"""``llm-gateway prices``: what models cost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, with_ledger
from llm_platform.cli.output import Format, FormatOption, print_rows
from llm_platform.proto import ledger_pb2

_KINDS = ("input", "cached_input", "cache_write", "input_audio", "output", "reasoning", "output_audio", "request")

prices = typer.Typer(help="Prices of models: list, show. In US dollars a million tokens.", no_args_is_help=True)


@prices.command("list")
def list_prices(config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Lists the prices of the configuration, with the days from and before which each holds."""
    page = with_ledger(config, lambda ledger: ledger.prices(ledger_pb2.PricesQuery()))
    columns = ("provider", "model", "starts_at", "ends_at", "input", "output", "currency")
    print_rows(_rows(page), columns, output, empty="No prices of one's own: those of genai-prices hold.")


@prices.command("show")
def show_price(
    model: Annotated[str, typer.Argument(help="PROVIDER/MODEL, the model as the provider calls it.")],
    at: Annotated[str, typer.Option(help="At this RFC 3339 time. Default: now.")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Shows what calls to a model cost, and where that comes from."""
    provider, _, name = model.partition("/")
    query = ledger_pb2.PricesQuery(provider=provider, model=name, at=at)
    page = with_ledger(config, lambda ledger: ledger.prices(query))
    print_rows(_rows(page), ("above", *_KINDS, "revision"), output, empty="")


def _rows(page: ledger_pb2.PricePage) -> list[dict[str, Any]]:
    return [
        {
            "provider": each.provider,
            "model": each.model,
            "revision": each.revision,
            "starts_at": each.starts_at or None,
            "ends_at": each.ends_at or None,
            "currency": each.currency,
            "above": max(tier.above, 0),
            **{kind: f"{getattr(tier, kind) / 1_000_000:g}" for kind in _KINDS[:-1]},
            "request": f"{tier.request / 10**12:g}",
            **{f"{kind}_pico_dollars": getattr(tier, kind) for kind in _KINDS},
        }
        for each in page.items
        for tier in each.tiers
    ]
