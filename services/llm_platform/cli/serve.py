"""``llm-gateway serve`` and ``llm-gateway bootstrap``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, with_accounts
from llm_platform.cli.output import Format, FormatOption, print_json

if TYPE_CHECKING:
    from llm_platform.core.config import Config


def serve(
    config: ConfigOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on. Default: listen.host.")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: listen.http.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where state is kept. Default: service.data_dir.")] = None,
) -> None:
    """Runs the whole platform in this process, with embedded stores."""
    from llm_platform import standalone
    from llm_platform.core.config.file import read

    loaded = read(config, os.environ)
    chosen = _with_options(loaded.config, host, port, data_dir)
    raise typer.Exit(standalone.run(chosen, loaded.notices))


def bootstrap(
    admin: Annotated[str, typer.Option(help="Name of the administrator.")] = "",
    key_name: Annotated[str, typer.Option(help="Name of the first key.")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Makes the first administrator and the first API key, and shows both once. Later calls change nothing."""
    from llm_platform.proto import accounts_pb2

    request = accounts_pb2.BootstrapRequest(admin_name=admin, key_name=key_name)
    made = with_accounts(config, lambda accounts: accounts.bootstrap(request))
    if output is Format.JSON:
        print_json(
            {
                "created": made.created,
                "admin": made.admin.name,
                "password": made.password or None,
                "key_id": made.key.key.key_id or None,
                "key": made.key.secret or None,
            }
        )
    elif made.created:
        print(f"administrator  {made.admin.name}\npassword       {made.password}\nfirst API key  {made.key.secret}")
        print("Keep them now: they are stored only as hashes and cannot be shown again.")
    else:
        print(f"There is an administrator already: {made.admin.name}. Nothing was changed.")


def _with_options(config: Config, host: str, port: int | None, data_dir: Path | None) -> Config:
    """The command line's options win over file and environment."""
    listen: dict[str, Any] = {"host": host} if host else {}
    if port is not None:
        listen["http"] = port
    service = {"data_dir": data_dir} if data_dir else {}
    logging: dict[str, Any] = {}
    if sys.stdout.isatty() and "format" not in config.logging.model_fields_set:
        logging["format"] = "text"
    return config.model_copy(
        update={
            "listen": config.listen.model_copy(update=listen),
            "service": config.service.model_copy(update=service),
            "logging": config.logging.model_copy(update=logging),
        }
    )
