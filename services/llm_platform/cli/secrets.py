"""``llm-gateway secrets``: what the platform keeps secret. Values come from a prompt or standard input only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli import secrets_key, secrets_transfer
from llm_platform.cli.connection import ConfigOption, load_config, with_secrets
from llm_platform.cli.output import Format, FormatOption, fail, print_json, print_rows
from llm_platform.cli.secret_input import read_secret
from llm_platform.proto import secrets_pb2

if TYPE_CHECKING:
    from llm_platform.secrets_service.interfaces import Secrets

commands = typer.Typer(
    help="Secrets: list, set, rotate, describe, disable, delete; export and import; the key of their store. "
    "Values are never shown.",
    no_args_is_help=True,
)
commands.add_typer(secrets_transfer.commands)
commands.add_typer(secrets_key.commands)

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
    columns = ("path", "version", "versions", "updated_at", "updated_by", "expires_at", "description")
    print_rows(rows, columns, output, empty="No secrets.")


@commands.command()
def show(path: PathArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Tells all about a secret but its value: its versions, who made them, and until when they are valid."""

    async def find(secrets: Secrets) -> secrets_pb2.SecretInfo:
        return await _info(secrets, path)

    row = _row(with_secrets(config, find))
    if output is Format.JSON:
        print_json(row)
        return
    for name in ("path", "description", "labels", "expires_at", "created_at", "created_by", "updated_at", "updated_by"):
        print(f"{name.replace('_', ' ')}: {_text(row[name])}")
    print_rows(row["details"], ("version", "enabled", "created_at", "created_by", "valid_until"), output, empty="")


@commands.command("set")
def set_secret(path: PathArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Stores a value as the newest version. It is asked for, or read from standard input."""
    request = secrets_pb2.PutSecretRequest(path=path, value=read_secret(f"Value of {path}"))
    _print_version(with_secrets(config, lambda secrets: secrets.put(request)), output)


@commands.command()
def rotate(
    path: PathArgument,
    overlap: Annotated[
        int | None,
        typer.Option(min=0, help="Seconds that the old value stays valid. Default: secrets.rotation_overlap."),
    ] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Replaces the value of a path that exists. The old one is a fallback for the overlap, and is disabled then.

    Refused when someone else does so at the same time.
    """
    value = read_secret(f"New value of {path}")

    async def replace(secrets: Secrets) -> secrets_pb2.SecretVersion:
        info = await _info(secrets, path)
        if not info.current_version:
            raise fail(f"the newest version of {path} is disabled.", "Enable it, or: llm-gateway secrets set")
        return await secrets.rotate(
            secrets_pb2.RotateSecretRequest(
                path=path, value=value, expected_version=info.current_version, overlap_seconds=overlap
            )
        )

    _print_version(with_secrets(config, replace), output)


@commands.command()
def describe(
    path: PathArgument,
    description: Annotated[str | None, typer.Option(help="What it is for. Not secret.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; NAME= removes it. Repeatable.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="When to be reminded, e.g. 2027-01-31; empty: never. Nothing ends then.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Notes what a secret is for, labels, and when it has to be replaced."""
    labels = dict(_label(each) for each in label or [])
    request = secrets_pb2.DescribeSecretRequest(
        path=path,
        description=description,
        labels={name: value for name, value in labels.items() if value},
        removed_labels=[name for name, value in labels.items() if not value],
        expires_at=expires,
    )
    with_secrets(config, lambda secrets: secrets.describe(request))
    print(f"{path} is described.")


@commands.command()
def disable(
    path: PathArgument,
    version: Annotated[int, typer.Option(min=1)],
    config: ConfigOption = None,
) -> None:
    """Makes one version unreadable until it is enabled again."""
    with_secrets(config, lambda secrets: secrets.disable(secrets_pb2.SecretVersion(path=path, version=version)))
    print(f"Version {version} of {path} is disabled.")


@commands.command()
def enable(
    path: PathArgument,
    version: Annotated[int, typer.Option(min=1)],
    config: ConfigOption = None,
) -> None:
    """Undoes `disable`, and the end of a rotation's overlap."""
    with_secrets(config, lambda secrets: secrets.enable(secrets_pb2.SecretVersion(path=path, version=version)))
    print(f"Version {version} of {path} is enabled.")


@commands.command()
def delete(
    path: PathArgument,
    version: Annotated[int, typer.Option(min=0, help="Only this one.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Deletes all versions of a path, or one. It cannot be undone."""
    what = f"version {version} of {path}" if version else f"{path} with all its versions"
    if not yes and not typer.confirm(f"Delete {what}?"):
        raise typer.Exit(1)
    request = secrets_pb2.DeleteSecretRequest(path=path, version=version)
    with_secrets(config, lambda secrets: secrets.delete(request))
    print(f"Version {version} of {path} is deleted." if version else f"{path} is deleted.")


@commands.command("verify-audit")
def verify_audit(
    file: Annotated[
        Path | None, typer.Option(help="The newest of the files. Default: audit.log of the configured directory.")
    ] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Checks that no line of the audit log was changed, removed or put in."""
    from llm_platform.secrets_service.audit import verify

    path = file or load_config(config).service.data_dir / "audit.log"
    found = verify(path)
    if output is Format.JSON:
        print_json({"file": str(path), **found._asdict()})
    if found.broken:
        raise fail(f"the chain breaks at {found.broken}: a line was changed, removed or put in there.")
    if output is not Format.JSON:
        print(f"{found.lines} lines follow each other; {found.torn} were torn off by crashes.")


async def _info(secrets: Secrets, path: str) -> secrets_pb2.SecretInfo:
    infos = await secrets.list(secrets_pb2.ListSecretsRequest(prefix=path))
    for info in infos.items:
        if info.path == path:
            return info
    raise fail(f"there is no secret at {path}.", "Make it first: llm-gateway secrets set")


def _label(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise typer.BadParameter("must be NAME=VALUE", param_hint="--label")
    return name, value


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
        "updated_by": info.updated_by,
        "created_at": info.created_at,
        "created_by": info.created_by,
        "description": info.description,
        "labels": dict(info.labels),
        "expires_at": info.expires_at,
        "details": [
            {
                "version": each.version,
                "enabled": each.enabled,
                "created_at": each.created_at,
                "created_by": each.created_by,
                "valid_until": each.valid_until,
            }
            for each in info.details
        ],
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in sorted(value.items())) or "-"
    return str(value) or "-"
