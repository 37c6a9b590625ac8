"""``llm-gateway users``: people and service accounts."""

from __future__ import annotations

import getpass
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli import limit_options
from llm_platform.cli.connection import ConfigOption, with_accounts
from llm_platform.cli.limit_options import Concurrency, Etag, Rpm, RpmBurst, Tpm, TpmBurst, Yes
from llm_platform.cli.output import Format, FormatOption
from llm_platform.proto import accounts_pb2

if TYPE_CHECKING:
    from llm_platform.auth_service.interfaces import Accounts

commands = typer.Typer(help="Users and service accounts: create, list, show, update, disable.", no_args_is_help=True)

COLUMNS = ("user_id", "name", "kind", "role", "organization_id", "limits", "state", "created_at")

UserArgument = Annotated[str, typer.Argument(help="Id or name of the user.")]


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    BILLING_VIEWER = "billing_viewer"
    DEVELOPER = "developer"
    READ_ONLY = "read_only"


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="One word: letters and digits of any script, . _ @ + -")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.DEVELOPER,
    organization: Annotated[str, typer.Option(help="Id or name. Default: the platform's own.")] = "",
    service_account: Annotated[bool, typer.Option("--service-account", help="A program: it has no password.")] = False,
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password, or read it from standard input.")
    ] = False,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    rpm_burst: RpmBurst = None,
    tpm_burst: TpmBurst = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Makes a user. Without a password it can own keys, but not log in with one."""
    request = accounts_pb2.CreateUserRequest(
        name=name,
        role=role,
        organization=organization,
        kind="service_account" if service_account else "user",
        password=_read_password(name) if password else "",
        limits=limit_options.limits(None, rpm, tpm, concurrency, rpm_burst, tpm_burst),
    )
    _SHOWN.done(with_accounts(config, lambda accounts: accounts.create_user(request)), output, "is made")


@commands.command("list")
def list_users(
    search: Annotated[str, typer.Argument(help="Only whose name has this in it.")] = "",
    organization: Annotated[str, typer.Option(help="Only of this organisation, id or name.")] = "",
    team: Annotated[str, typer.Option(help="Only members of this team, id or name.")] = "",
    role: Annotated[Role | None, typer.Option(help="Only with this role.")] = None,
    service_accounts: Annotated[bool, typer.Option("--service-accounts", help="Only service accounts.")] = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Lists users, newest first."""
    request = accounts_pb2.ListUsersRequest(
        search=search,
        organization=organization,
        team=team,
        role=role or "",
        kind="service_account" if service_accounts else "",
    )
    users = with_accounts(config, lambda accounts: limit_options.every_page(accounts.list_users, request))
    _SHOWN.rows(users, output)


@commands.command()
def show(user: UserArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Shows one user."""
    _SHOWN_WHOLE.one(
        with_accounts(config, lambda accounts: accounts.get_user(accounts_pb2.UserName(user=user))), output
    )


@commands.command()
def update(
    user: UserArgument,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    role: Annotated[Role | None, typer.Option(help="What it may do from now on.")] = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    rpm_burst: RpmBurst = None,
    tpm_burst: TpmBurst = None,
    etag: Etag = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Changes what is given."""

    async def change(accounts: Accounts) -> accounts_pb2.User:
        now = await accounts.get_user(accounts_pb2.UserName(user=user))
        limits = limit_options.limits(now.limits, rpm, tpm, concurrency, rpm_burst, tpm_burst)
        return await accounts.update_user(
            accounts_pb2.UpdateUserRequest(user=now.user_id, etag=etag or now.etag, name=name, role=role, limits=limits)
        )

    _SHOWN.done(with_accounts(config, change), output, "is changed")


@commands.command()
def disable(user: UserArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Refuses its keys and its password until it is enabled again."""
    _SHOWN.done(_set_disabled(config, user, True), output, "is disabled")


@commands.command()
def enable(user: UserArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Takes its keys and its password again."""
    _SHOWN.done(_set_disabled(config, user, False), output, "is enabled")


@commands.command()
def delete(
    user: UserArgument, yes: Yes = False, config: ConfigOption = None, output: FormatOption = Format.TABLE
) -> None:
    """Deletes a user and revokes its keys, for good."""
    limit_options.confirm(f"Delete {user} and revoke all its keys?", yes)
    gone = with_accounts(config, lambda accounts: accounts.delete_user(accounts_pb2.UserName(user=user)))
    _SHOWN.done(gone, output, "is deleted")


def _set_disabled(config: Any, user: str, disabled: bool) -> accounts_pb2.User:
    async def change(accounts: Accounts) -> accounts_pb2.User:
        now = await accounts.get_user(accounts_pb2.UserName(user=user))
        return await accounts.update_user(
            accounts_pb2.UpdateUserRequest(user=now.user_id, etag=now.etag, disabled=disabled)
        )

    return with_accounts(config, change)


def _read_password(name: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(f"Password of {name}: ")
    return sys.stdin.readline().rstrip("\r\n")


def _row(user: accounts_pb2.User) -> dict[str, Any]:
    return {
        "user_id": user.user_id,
        "name": user.name,
        "kind": user.kind,
        "role": user.role,
        "organization_id": user.organization_id,
        "team_ids": list(user.team_ids),
        **limit_options.limits_row(user.limits),
        "state": "disabled" if user.disabled_at else "live",
        "created_at": user.created_at,
        "disabled_at": user.disabled_at or None,
        "etag": user.etag,
    }


_SHOWN = limit_options.Shown(_row, COLUMNS, "No users.")
_SHOWN_WHOLE = limit_options.Shown(_row, (*COLUMNS, "team_ids"), "")
