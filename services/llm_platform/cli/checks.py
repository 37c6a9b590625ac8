"""``llm-gateway config`` and ``llm-gateway catalog``: is it right, and what does it mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from llm_platform.cli.connection import ConfigOption, load_config
from llm_platform.cli.output import Format, FormatOption, print_json

config = typer.Typer(help="Configuration files: check, show, example.", no_args_is_help=True)
catalog = typer.Typer(help="The catalogue of services: check.", no_args_is_help=True)


@config.command("check")
def check_config(
    file: Annotated[Path, typer.Argument(help="The configuration file.")], output: FormatOption = Format.TABLE
) -> None:
    """Checks a file with the present environment; prints every problem with its line, and exits 1 when there is one."""
    from llm_platform.core.config.file import ConfigError, read

    try:
        notices = read(file, os.environ).notices
        problems: list[dict[str, str]] = []
    except ConfigError as error:
        notices, problems = [], [problem._asdict() for problem in error.problems]
        if output is Format.TABLE:
            print(error)
    if output is Format.JSON:
        print_json({"valid": not problems, "problems": problems, "notices": notices})
    else:
        print("\n".join(f"note: {notice}" for notice in notices) + ("\n" if notices else ""), end="")
        print(f"{file} is refused." if problems else f"{file} is valid.")
    if problems:
        raise typer.Exit(1)


@config.command()
def show(config: ConfigOption = None) -> None:
    """Prints the effective configuration (file, environment, defaults) as JSON, secrets redacted."""
    from llm_platform.core.config.file import effective

    print_json(effective(load_config(config)))


@config.command()
def example() -> None:
    """Prints every key with its meaning and default, as a file to start from."""
    from llm_platform.core.config.example import annotated_example

    print(annotated_example(), end="")


@catalog.command("check")
def check_catalog(
    file: Annotated[Path | None, typer.Argument(help="Default: the released deploy/catalog.yml.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Checks the catalogue; prints every problem with its place, and exits 1 when there is one."""
    from llm_platform.core.catalog import DEFAULT_PATH, load
    from llm_platform.core.catalog.source import CatalogError

    file = file or DEFAULT_PATH
    problems: list[str] = []
    try:
        load(file)
    except CatalogError as error:
        problems = str(error).splitlines()
    if output is Format.JSON:
        print_json({"valid": not problems, "problems": problems})
    else:
        print("\n".join([*problems, f"{file} is refused." if problems else f"{file} is valid."]))
    if problems:
        raise typer.Exit(1)
