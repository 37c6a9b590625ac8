"""``llm-gateway secrets``: what the platform keeps secret. Values come from a prompt or standard input only."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, with_secrets
from llm_platform.cli.output import Format, FormatOption, fail, print_json, print_rows
from llm_platform.proto import secrets_pb2

if TYPE_CHECKING:
    from llm_platform.secrets_service.interfaces import Secrets

commands = typer.Typer(help="Secrets: list, set, rotate, delete. Values are never shown.", no_args_is_help=True)

PathArgument = Annotated[str, typer.Argument(help="For example llm/openai/api_key.")]


@commands.command("list")
def list_secrets(
    prefix: Annotated[str, typer.Argument(help="Only paths that begin so.")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Lists paths and versions."""
    infos = with_secrets(config, lambda secrets: secrets.list(secrets_pb2.ListSecretsRequest(prefix=prefix)))
    rows = [_row(info) for info in infos.items]
    print_rows(rows, ("path", "version", "versions", "updated_at"), output, empty="No secrets.")


@commands.command("set")
def set_secret(path: PathArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Stores a value as the newest version. It is asked for, or read from standard input."""
    value = _read_value(path)
    request = secrets_pb2.PutSecretRequest(path=path, value=value)
    _print_version(with_secrets(config, lambda secrets: secrets.put(request)), output)


@commands.command()
def rotate(path: PathArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Replaces the value of a path that exists; refused when someone else does so at the same time."""
    value = _read_value(path)

    async def replace(secrets: Secrets) -> secrets_pb2.SecretVersion:
        infos = await secrets.list(secrets_pb2.ListSecretsRequest(prefix=path))
        current = next((info.current_version for info in infos.items if info.path == path), 0)
        if not current:
            raise fail(f"there is no secret at {path}.", "Make it first: llm-gateway secrets set")
        return await secrets.put(secrets_pb2.PutSecretRequest(path=path, value=value, expected_version=current))

    _print_version(with_secrets(config, replace), output)


@commands.command()
def delete(
    path: PathArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Deletes all versions of a path."""
    if not yes and not typer.confirm(f"Delete {path} with all its versions?"):
        raise typer.Exit(1)
    with_secrets(config, lambda secrets: secrets.delete(secrets_pb2.DeleteSecretRequest(path=path)))
    print(f"{path} is deleted.")


def _read_value(path: str) -> bytes:
    asked = sys.stdin.isatty()
    value = getpass.getpass(f"Value of {path}: ").encode() if asked else sys.stdin.buffer.read().rstrip(b"\r\n")
    if not value:
        raise fail("the value is empty, nothing was stored.")
    return value


def _print_version(version: secrets_pb2.SecretVersion, output: Format) -> None:
    if output is Format.JSON:
        print_json({"path": version.path, "version": version.version})
    else:
        print(f"{version.path} is stored as version {version.version}.")


def _row(info: secrets_pb2.SecretInfo) -> dict[str, Any]:
    return {
        "path": info.path,
        "version": info.current_version or None,
        "versions": list(info.versions),
        "updated_at": info.updated_at,
    }
