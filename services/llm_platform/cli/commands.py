"""All commands but ``run``, and how their failures are told."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llm_platform.cli import (
    archive,  # noqa: F401 - adds itself to ledger
    attempts,  # noqa: F401 - adds itself to ledger
    audit,
    billing,
    budgets,
    checks,
    invoices,
    keys,
    organizations,
    prices,
    reconcile,  # noqa: F401 - adds itself to ledger
    routing,
    secrets,
    sign_in,
    teams,
    users,
)
from llm_platform.cli.chat import chat
from llm_platform.cli.serve import bootstrap, serve
from llm_platform.cli.usage import usage

app = typer.Typer(
    name="llm-gateway",
    help="A self-hosted LLM platform: serve it, run its services, look after its keys, secrets and budgets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(bootstrap)
app.command()(chat)
app.command()(usage)
app.add_typer(keys.commands, name="keys")
app.add_typer(users.commands, name="users")
app.add_typer(teams.commands, name="teams")
app.add_typer(organizations.commands, name="organizations")
app.add_typer(secrets.commands, name="secrets")
app.add_typer(budgets.budgets, name="budgets")
app.add_typer(prices.prices, name="prices")
app.add_typer(routing.routing, name="routing")
app.add_typer(billing.ledger, name="ledger")
app.add_typer(audit.commands, name="audit")
app.add_typer(sign_in.commands, name="sign-in")
app.add_typer(invoices.commands, name="invoices")
app.add_typer(checks.config, name="config")
app.add_typer(checks.catalog, name="catalog")


@app.command()
def run(
    service: Annotated[str, typer.Argument(help="tail, gateway, head, model-proxy, …")],
    config: Annotated[str, typer.Option(help="The service's configuration file.")],
) -> None:
    """Runs one service of the platform, connected to the others by mTLS."""
    from llm_platform.cli import run as runner

    raise typer.Exit(runner.main([service, "--config", config]))


@app.command()
def version() -> None:
    """Prints the version."""
    from llm_platform import __version__

    print(__version__)


def main() -> int:
    """Runs the command that the arguments name, which exits by itself; returns 1 for a failure it did not expect."""
    from llm_platform.core.config.document import ConfigError
    from llm_platform.core.errors import CannotStartError, PlatformError

    try:
        app()
    except (CannotStartError, PlatformError, ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    return 1
