"""``llm-gateway teams``: users of one organisation whose keys share limits and a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli import limit_options
from llm_platform.cli.connection import ConfigOption, with_accounts
from llm_platform.cli.limit_options import Concurrency, Etag, Rpm, RpmBurst, Tpm, TpmBurst, Yes
from llm_platform.cli.output import Format, FormatOption
from llm_platform.proto import accounts_pb2

if TYPE_CHECKING:
    from llm_platform.auth_service.interfaces import Accounts

commands = typer.Typer(help="Teams: create, list, show, update, delete, their members.", no_args_is_help=True)

COLUMNS = ("team_id", "name", "organization_id", "members", "limits", "created_at")

TeamArgument = Annotated[str, typer.Argument(help="Id or name of the team.")]
UserArgument = Annotated[str, typer.Argument(help="Id or name of the user.")]


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="Its name, in any script.")],
    organization: Annotated[str, typer.Option(help="Id or name. Default: the platform's own.")] = "",
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    rpm_burst: RpmBurst = None,
    tpm_burst: TpmBurst = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Makes a team without members."""
    limits = limit_options.limits(None, rpm, tpm, concurrency, rpm_burst, tpm_burst)
    request = accounts_pb2.CreateTeamRequest(name=name, organization=organization, limits=limits)
    _SHOWN.done(with_accounts(config, lambda accounts: accounts.create_team(request)), output, "is made")


@commands.command("list")
def list_teams(
    search: Annotated[str, typer.Argument(help="Only whose name has this in it.")] = "",
    organization: Annotated[str, typer.Option(help="Only of this organisation, id or name.")] = "",
    user: Annotated[str, typer.Option(help="Only those that this user is in, id or name.")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Lists teams by name."""
    request = accounts_pb2.ListTeamsRequest(search=search, organization=organization, user=user)
    teams = with_accounts(config, lambda accounts: limit_options.every_page(accounts.list_teams, request))
    _SHOWN.rows(teams, output)


@commands.command()
def show(team: TeamArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Shows one team."""
    shown = with_accounts(config, lambda accounts: accounts.get_team(accounts_pb2.TeamName(team=team)))
    _SHOWN.one(shown, output)


@commands.command()
def update(
    team: TeamArgument,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
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

    async def change(accounts: Accounts) -> accounts_pb2.Team:
        now = await accounts.get_team(accounts_pb2.TeamName(team=team))
        limits = limit_options.limits(now.limits, rpm, tpm, concurrency, rpm_burst, tpm_burst)
        return await accounts.update_team(
            accounts_pb2.UpdateTeamRequest(team=now.team_id, etag=etag or now.etag, name=name, limits=limits)
        )

    _SHOWN.done(with_accounts(config, change), output, "is changed")


@commands.command()
def delete(
    team: TeamArgument, yes: Yes = False, config: ConfigOption = None, output: FormatOption = Format.TABLE
) -> None:
    """Deletes a team and revokes its keys, for good."""
    limit_options.confirm(f"Delete {team} and revoke all its keys?", yes)
    gone = with_accounts(config, lambda accounts: accounts.delete_team(accounts_pb2.TeamName(team=team)))
    _SHOWN.done(gone, output, "is deleted")


@commands.command()
def add(
    team: TeamArgument, user: UserArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE
) -> None:
    """Adds a user to a team."""
    member = accounts_pb2.TeamMember(team=team, user=user)
    _SHOWN.done(with_accounts(config, lambda accounts: accounts.add_team_member(member)), output, f"has {user}")


@commands.command()
def remove(
    team: TeamArgument,
    user: UserArgument,
    yes: Yes = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Removes a user from a team and revokes its keys of the team."""
    limit_options.confirm(f"Remove {user} and revoke its keys of {team}?", yes)
    member = accounts_pb2.TeamMember(team=team, user=user)
    _SHOWN.done(
        with_accounts(config, lambda accounts: accounts.remove_team_member(member)), output, f"is without {user}"
    )


def _row(team: accounts_pb2.Team) -> dict[str, Any]:
    return {
        "team_id": team.team_id,
        "name": team.name,
        "organization_id": team.organization_id,
        "members": team.members,
        **limit_options.limits_row(team.limits),
        "created_at": team.created_at,
        "etag": team.etag,
    }


_SHOWN = limit_options.Shown(_row, COLUMNS, "No teams. Make one: llm-gateway teams create NAME")
