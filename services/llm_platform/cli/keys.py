"""``llm-gateway keys``: API keys. The key itself is shown once, when it is made or rotated."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli import limit_options
from llm_platform.cli.billing import nano_dollars
from llm_platform.cli.connection import ConfigOption, with_accounts, with_ledger
from llm_platform.cli.limit_options import Concurrency, Etag, Rpm, RpmBurst, Tpm, TpmBurst
from llm_platform.cli.output import Format, FormatOption, print_json, print_rows
from llm_platform.core.errors import CannotStartError, PlatformError
from llm_platform.proto import accounts_pb2, ledger_pb2

if TYPE_CHECKING:
    from llm_platform.auth_service.interfaces import Accounts

commands = typer.Typer(help="API keys: create, list, show, update, rotate, revoke.", no_args_is_help=True)

COLUMNS = ("key_id", "name", "user_id", "limits", "allowed_models", "state", "created_at")
DETAILS = (*COLUMNS, "team_id", "allowed_entries", "ip_ranges", "expires_at", "counted_as", "replaced_by")


class Entry(StrEnum):
    TAIL = "tail"
    GATEWAY = "gateway"


KeyArgument = Annotated[str, typer.Argument(help="Id or prefix of the key.")]


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    user: Annotated[str, typer.Option(help="Owner, id or name. Default: the first administrator.")] = "",
    team: Annotated[str, typer.Option(help="A team that the owner is in, id or name. Default: none.")] = "",
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    rpm_burst: RpmBurst = None,
    tpm_burst: TpmBurst = None,
    model: Annotated[list[str] | None, typer.Option(help="A model it may use; repeat. Default: all.")] = None,
    entry: Annotated[list[Entry] | None, typer.Option(help="An entry it may use; repeat. Default: both.")] = None,
    ip_range: Annotated[
        list[str] | None, typer.Option(help="Addresses it may be used from (CIDR); repeat. Default: any.")
    ] = None,
    budget: Annotated[
        str, typer.Option(help="What it may spend in total, in US dollars. Default: no budget.")
    ] = "none",
    expires_at: Annotated[str, typer.Option(help="RFC 3339 time. Default: never.")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Makes a key and prints it: it cannot be shown again."""
    amount = nano_dollars(budget)
    request = accounts_pb2.CreateKeyRequest(
        name=name,
        user=user,
        team=team,
        limits=limit_options.limits(None, rpm, tpm, concurrency, rpm_burst, tpm_burst),
        allowed_models=model or [],
        allowed_entries=entry or [],
        ip_ranges=ip_range or [],
        expires_at=expires_at,
    )
    created = with_accounts(config, lambda accounts: accounts.create_key(request))
    if amount >= 0:
        _set_first_budget(config, created.key.key_id, amount)
    _print_created(created, output)


@commands.command("list")
def list_keys(
    search: Annotated[str, typer.Argument(help="Only with this in the name, or at the beginning of the id.")] = "",
    user: Annotated[str, typer.Option(help="Only of this user, id or name.")] = "",
    team: Annotated[str, typer.Option(help="Only of this team, id or name.")] = "",
    organization: Annotated[str, typer.Option(help="Only of this organisation, id or name.")] = "",
    revoked: Annotated[bool, typer.Option("--revoked", help="Also revoked keys.")] = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Lists keys, newest first."""
    request = accounts_pb2.ListKeysRequest(
        search=search, user=user, team=team, organization=organization, include_revoked=revoked
    )
    keys = with_accounts(config, lambda accounts: limit_options.every_page(accounts.list_keys, request))
    rows = [limit_options.with_limits_told(_row(key)) if output is Format.TABLE else _row(key) for key in keys]
    print_rows(rows, COLUMNS, output, empty="No keys. Make one: llm-gateway keys create NAME")


@commands.command()
def show(key: KeyArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Shows what a key may; never the key."""
    _show(with_accounts(config, lambda accounts: accounts.get_key(accounts_pb2.KeyName(key=key))), output)


@commands.command()
def update(
    key: KeyArgument,
    name: Annotated[str | None, typer.Option(help="What the key is for.")] = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    rpm_burst: RpmBurst = None,
    tpm_burst: TpmBurst = None,
    model: Annotated[list[str] | None, typer.Option(help="A model it may use; repeat; all: every one.")] = None,
    entry: Annotated[list[str] | None, typer.Option(help="tail, gateway; repeat; all: both.")] = None,
    ip_range: Annotated[
        list[str] | None, typer.Option(help="Addresses it may be used from (CIDR); repeat; all: any.")
    ] = None,
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339 time, or never.")] = None,
    etag: Etag = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Changes what is given."""

    async def change(accounts: Accounts) -> accounts_pb2.Key:
        now = await accounts.get_key(accounts_pb2.KeyName(key=key))
        return await accounts.update_key(
            accounts_pb2.UpdateKeyRequest(
                key=now.key_id,
                etag=etag or now.etag,
                name=name,
                limits=limit_options.limits(now.limits, rpm, tpm, concurrency, rpm_burst, tpm_burst),
                allowed_models=_texts(model),
                allowed_entries=_texts(entry),
                ip_ranges=_texts(ip_range),
                expires_at="" if expires_at == "never" else expires_at,
            )
        )

    _show(with_accounts(config, change), output)


@commands.command()
def rotate(
    key: KeyArgument,
    overlap: Annotated[
        int | None, typer.Option(min=0, help="Seconds that the old one still works. Default: a day.")
    ] = None,
    expires_at: Annotated[
        str, typer.Option(help="When the new one expires. Default: after as long as the old one was given.")
    ] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Makes a key in place of another and prints it. What it may, its budgets and its limits go on."""
    request = accounts_pb2.RotateKeyRequest(key=key, overlap_seconds=overlap, expires_at=expires_at)
    _print_created(with_accounts(config, lambda accounts: accounts.rotate_key(request)), output)


@commands.command()
def revoke(key: KeyArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Revokes a key, for good."""
    revoked = with_accounts(config, lambda accounts: accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=key)))
    if output is Format.JSON:
        print_json(_row(revoked))
        return
    print(f"{revoked.key_id} ({revoked.name}) is revoked.")
    if revoked.replaced_by:
        print(f"It was rotated: {revoked.replaced_by}, which took its place, still works.")


def _set_first_budget(config: Path | None, key_id: str, amount: int) -> None:
    """Before the key is shown, so that nobody can use one without the budget it was meant to have.

    If the budget cannot be set, the key, whose secret is gone by then, is revoked.
    """
    try:
        with_ledger(config, lambda ledger: ledger.set_budget(ledger_pb2.Budget(key_id=key_id, limit=amount)))
    except BaseException:
        print(f"The budget of {key_id} could not be set, so the key is not shown.", file=sys.stderr)
        _revoke_unseen(config, key_id)
        raise


def _revoke_unseen(config: Path | None, key_id: str) -> None:
    request = accounts_pb2.RevokeKeyRequest(key=key_id)
    try:
        with_accounts(config, lambda accounts: accounts.revoke_key(request))
    except (CannotStartError, PlatformError, OSError) as error:
        print(f"It could not be revoked either ({error}).", file=sys.stderr)
        print(f"Nobody has its secret, but do: llm-gateway keys revoke {key_id}", file=sys.stderr)
    else:
        print("It is revoked: make another one.", file=sys.stderr)


def _texts(given: list[str] | None) -> accounts_pb2.TextList | None:
    if given is None:
        return None
    return accounts_pb2.TextList(items=[] if given == ["all"] else given)


def _print_created(created: accounts_pb2.CreatedKey, output: Format) -> None:
    if output is Format.JSON:
        print_json({**_row(created.key), "secret": created.secret})
        return
    print(f"key id  {created.key.key_id}")
    print(f"key     {created.secret}")
    print("Keep it now: it is stored only as a hash and cannot be shown again.")


def _show(key: accounts_pb2.Key, output: Format) -> None:
    if output is Format.JSON:
        print_json(_row(key))
    else:
        print_rows([limit_options.with_limits_told(_row(key))], DETAILS, output, empty="")


def _row(key: accounts_pb2.Key) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "prefix": key.prefix,
        "name": key.name,
        "user_id": key.user_id,
        "team_id": key.team_id or None,
        "organization_id": key.organization_id,
        **limit_options.limits_row(key.limits),
        "allowed_models": list(key.allowed_models),
        "allowed_entries": list(key.allowed_entries),
        "ip_ranges": list(key.ip_ranges),
        "state": "revoked" if key.revoked_at else "live",
        "created_at": key.created_at,
        "expires_at": key.expires_at or None,
        "revoked_at": key.revoked_at or None,
        "counted_as": key.counted_as,
        "replaced_by": key.replaced_by or None,
        "etag": key.etag,
    }
