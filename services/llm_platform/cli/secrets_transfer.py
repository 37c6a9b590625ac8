"""``llm-gateway secrets export`` and ``import``: all secrets in a file under a passphrase."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from llm_platform.cli.connection import ConfigOption, with_secrets
from llm_platform.cli.output import Format, FormatOption, fail, print_json, print_rows
from llm_platform.cli.secret_input import read_secret
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import secrets_pb2

if TYPE_CHECKING:
    from llm_platform.secrets_service.archive import ArchivedSecret
    from llm_platform.secrets_service.interfaces import Secrets

commands = typer.Typer()


class _Step(NamedTuple):
    """What importing one secret does: ``new``, ``replaced``, ``described``, ``unchanged`` or ``kept`` (it differs)."""

    secret: ArchivedSecret
    what: str
    current: int


@commands.command("export")
def export(
    output_file: Annotated[Path, typer.Option("--output", help="A new file; it is never written over.")],
    prefix: Annotated[str, typer.Argument(help="Only paths that begin so.")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Writes the newest values and what is known of them, encrypted under a passphrase."""
    from llm_platform.secrets_service.archive import ArchivedSecret, pack

    if output_file.exists():
        raise fail(f"{output_file} exists; it is not written over.")
    passphrase = read_secret("Passphrase of the export", twice=True)

    async def read(secrets: Secrets) -> list[ArchivedSecret]:
        infos = await secrets.list(secrets_pb2.ListSecretsRequest(prefix=prefix))
        return [
            ArchivedSecret(
                info.path,
                (await secrets.get(secrets_pb2.GetSecretRequest(path=info.path))).value,
                info.description,
                dict(info.labels),
                info.expires_at,
            )
            for info in infos.items
            if info.current_version
        ]

    found = with_secrets(config, read)
    packed = pack(found, passphrase)
    handle = os.open(output_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(packed)
        file.flush()
        os.fsync(file.fileno())
    if output is Format.JSON:
        print_json({"file": str(output_file), "secrets": len(found)})
    else:
        print(f"{len(found)} secrets are in {output_file}.")


@commands.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `secrets export` wrote.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace values that differ.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Stores what an export holds. Values that differ are kept unless they are to be overwritten.

    It may be repeated: what is the same already is left alone.
    """
    from llm_platform.secrets_service.archive import unpack

    archived = unpack(file.read_bytes(), read_secret("Passphrase of the export"))

    async def take(secrets: Secrets) -> list[_Step]:
        steps = [await _step(secrets, each, overwrite=overwrite) for each in archived]
        if not dry_run:
            for step in steps:
                await _carry_out(secrets, step)
        return steps

    steps = with_secrets(config, take)
    rows = [{"path": step.secret.path, "result": step.what} for step in steps]
    print_rows(rows, ("path", "result"), output, empty="The export holds no secrets.")
    if output is Format.TABLE and rows:
        counts = Counter(step.what for step in steps)
        said = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        print(f"{'It would be' if dry_run else 'Done'}: {said}.")
        if counts["kept"]:
            print("What is kept has another value; --overwrite replaces it.")


async def _step(secrets: Secrets, archived: ArchivedSecret, *, overwrite: bool) -> _Step:
    try:
        known = await secrets.get(secrets_pb2.GetSecretRequest(path=archived.path))
    except PlatformError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        return _Step(archived, "new", 0)
    if known.value != archived.value:
        return _Step(archived, "replaced" if overwrite else "kept", known.version)
    infos = await secrets.list(secrets_pb2.ListSecretsRequest(prefix=archived.path))
    for info in infos.items:
        if info.path == archived.path and (info.description, dict(info.labels), info.expires_at) != (
            archived.description,
            archived.labels,
            archived.expires_at,
        ):
            return _Step(archived, "described" if overwrite else "kept", known.version)
    return _Step(archived, "unchanged", known.version)


async def _carry_out(secrets: Secrets, step: _Step) -> None:
    archived = step.secret
    if step.what in {"new", "replaced"}:
        await secrets.put(
            secrets_pb2.PutSecretRequest(path=archived.path, value=archived.value, expected_version=step.current)
        )
    if step.what in {"new", "replaced", "described"} and (
        archived.description or archived.labels or archived.expires_at
    ):
        await secrets.describe(
            secrets_pb2.DescribeSecretRequest(
                path=archived.path,
                description=archived.description,
                labels=archived.labels,
                expires_at=archived.expires_at,
            )
        )
