"""``llm-gateway keys``: API keys. The key itself is shown once, when it is made."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, with_accounts
from llm_platform.cli.output import Format, FormatOption, print_json, print_rows
from llm_platform.proto import accounts_pb2, common_pb2

commands = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)

MOST = 2**32 - 1
"""What a message holds of any limit."""
COLUMNS = ("key_id", "name", "user_id", "limits", "allowed_models", "state", "created_at")
_LIMITS = (("requests_per_minute", "requests/min"), ("tokens_per_minute", "tokens/min"), ("concurrency", "at once"))


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    user: Annotated[str, typer.Option(help="Owner, id or name. Default: the first administrator.")] = "",
    rpm: Annotated[int, typer.Option(min=0, max=MOST, help="Requests a minute, 0: no limit of its own.")] = 0,
    tpm: Annotated[int, typer.Option(min=0, max=MOST, help="Tokens a minute, 0: no limit of its own.")] = 0,
    concurrency: Annotated[int, typer.Option(min=0, max=MOST, help="Requests at once, 0: no limit of its own.")] = 0,
    model: Annotated[list[str] | None, typer.Option(help="A model it may use; repeat. Default: all.")] = None,
    expires_at: Annotated[str, typer.Option(help="RFC 3339 time. Default: never.")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Makes a key and prints it: it cannot be shown again."""
    request = accounts_pb2.CreateKeyRequest(
        name=name,
        user=user,
        limits=common_pb2.Limits(requests_per_minute=rpm, tokens_per_minute=tpm, concurrency=concurrency),
        allowed_models=model or [],
        expires_at=expires_at,
    )
    created = with_accounts(config, lambda accounts: accounts.create_key(request))
    if output is Format.JSON:
        print_json({**_row(created.key), "secret": created.secret})
        return
    print(f"key id  {created.key.key_id}")
    print(f"key     {created.secret}")
    print("Keep it now: it is stored only as a hash and cannot be shown again.")


@commands.command("list")
def list_keys(
    user: Annotated[str, typer.Option(help="Only of this user, id or name.")] = "",
    revoked: Annotated[bool, typer.Option("--revoked", help="Also revoked keys.")] = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Lists keys."""
    request = accounts_pb2.ListKeysRequest(user=user, include_revoked=revoked)
    keys = with_accounts(config, lambda accounts: accounts.list_keys(request))
    rows = [_row(key) for key in keys.items]
    if output is Format.TABLE:
        rows = [{**row, "limits": _limits(row)} for row in rows]
    print_rows(rows, COLUMNS, output, empty="No keys. Make one: llm-gateway keys create NAME")


@commands.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Id or prefix of the key.")],
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Revokes a key, for good."""
    revoked = with_accounts(config, lambda accounts: accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=key)))
    if output is Format.JSON:
        print_json(_row(revoked))
    else:
        print(f"{revoked.key_id} ({revoked.name}) is revoked.")


def _row(key: accounts_pb2.Key) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "prefix": key.prefix,
        "name": key.name,
        "user_id": key.user_id,
        "requests_per_minute": key.limits.requests_per_minute,
        "tokens_per_minute": key.limits.tokens_per_minute,
        "concurrency": key.limits.concurrency,
        "allowed_models": list(key.allowed_models),
        "state": "revoked" if key.revoked_at else "live",
        "created_at": key.created_at,
        "expires_at": key.expires_at or None,
        "revoked_at": key.revoked_at or None,
    }


def _limits(row: dict[str, Any]) -> str:
    return ", ".join(f"{row[name]} {unit}" for name, unit in _LIMITS if row[name])
