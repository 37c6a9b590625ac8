"""``llm-gateway secrets status``, ``seal``, ``unseal`` and ``rotate-key``: the key of the embedded store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, with_each_secrets, with_secrets
from llm_platform.cli.output import Format, FormatOption, print_rows
from llm_platform.cli.secret_input import read_secret
from llm_platform.core.errors import PlatformError
from llm_platform.proto import common_pb2, secrets_pb2

if TYPE_CHECKING:
    from llm_platform.secrets_service.interfaces import Secrets

commands = typer.Typer()

_COLUMNS = ("replica", "store", "sealed", "passphrase", "key_id", "unconfirmed", "error")


@commands.command()
def status(config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Tells of each replica whether its store is sealed, and the id of the store's key."""
    _on_each(config, output, lambda secrets: secrets.seal_status(common_pb2.Empty()))


@commands.command()
def seal(
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Put the store's key under a (new) passphrase first.")
    ] = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Makes every replica forget the key of the store. Services go on with the secrets that they have."""
    given = [read_secret("New passphrase", twice=True)] if passphrase else []

    async def seal_one(secrets: Secrets) -> secrets_pb2.SecretsSeal:
        first = given.pop() if given else b""  # the key's file is the replicas' own together
        return await secrets.seal(secrets_pb2.SealSecretsRequest(passphrase=first))

    _on_each(config, output, seal_one)


@commands.command()
def unseal(
    init: Annotated[bool, typer.Option("--init", help="Choose the first passphrase of a store.")] = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Gives every replica the passphrase. It is asked for, or read from standard input."""
    passphrase = read_secret("Passphrase", twice=init)
    first = [init]

    async def unseal_one(secrets: Secrets) -> secrets_pb2.SecretsSeal:
        initialize, first[0] = first[0], False
        return await secrets.unseal(secrets_pb2.UnsealSecretsRequest(passphrase=passphrase, initialize=initialize))

    _on_each(config, output, unseal_one)


@commands.command("rotate-key")
def rotate_key(
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Destroy the key before the last rotation, and the store under it.")
    ] = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Encrypts the store anew under another key. The old store and key are kept until they are confirmed away."""
    request = secrets_pb2.RotateStoreKeyRequest(confirm=confirm)
    found = with_secrets(config, lambda secrets: secrets.rotate_store_key(request))
    print_rows([_row("", found)], _COLUMNS[1:-1], output, empty="")


def _on_each(
    config: Path | None, output: Format, work: Callable[[Secrets], Awaitable[secrets_pb2.SecretsSeal]]
) -> None:
    """Prints what each replica says; exits 1 when one of them refuses."""
    answers = with_each_secrets(config, work)
    rows = [
        {"replica": replica, "error": answer.message} if isinstance(answer, PlatformError) else _row(replica, answer)
        for replica, answer in answers.items()
    ]
    print_rows(rows, _COLUMNS, output, empty="")
    if any(isinstance(answer, PlatformError) for answer in answers.values()):
        raise typer.Exit(1)


def _row(replica: str, seal: secrets_pb2.SecretsSeal) -> dict[str, Any]:
    return {
        "replica": replica,
        "store": seal.store,
        "sealed": seal.sealed,
        "passphrase": seal.passphrase,
        "key_id": seal.key_id,
        "unconfirmed": seal.confirmable,
    }
