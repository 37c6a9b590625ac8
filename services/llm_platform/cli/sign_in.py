"""``llm-gateway sign-in``: sessions of people, their passwords, and the key that tokens are signed with."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, with_sessions
from llm_platform.cli.output import Format, FormatOption, print_json, print_rows
from llm_platform.proto import sessions_pb2

commands = typer.Typer(help="Signing in: sessions, end, reset-password, replace-signing-key.", no_args_is_help=True)

COLUMNS = ("session_id", "method", "address", "client", "created_at", "used_at", "expires_at")

UserArgument = Annotated[str, typer.Argument(help="Id of the user.")]


@commands.command("sessions")
def list_sessions(user: UserArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Lists a user's sessions."""
    request = sessions_pb2.ListSessionsRequest(user=user)
    listed = with_sessions(config, lambda sessions: sessions.list(request))
    print_rows([_row(each) for each in listed.items], COLUMNS, output, empty="No sessions.")


@commands.command()
def end(
    user: Annotated[str, typer.Option(help="All of this user, by id.")] = "",
    session: Annotated[str, typer.Option(help="Only this one, by id.")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Ends a session, or all of a user."""
    request = sessions_pb2.EndSessionsRequest(session_id=session, user=user)
    ended = with_sessions(config, lambda sessions: sessions.end(request)).sessions
    if output is Format.JSON:
        print_json({"sessions": ended})
    else:
        print(f"{ended} sessions ended.")


@commands.command("reset-password")
def reset_password(
    user: Annotated[str, typer.Argument(help="Id or name of the user.")],
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Prints a password for one login, after which it must be changed; sessions end, and a lock after failures."""
    request = sessions_pb2.ResetPasswordRequest(user=user)
    made = with_sessions(config, lambda sessions: sessions.reset_password(request))
    if output is Format.JSON:
        print_json({"password": made.password, "expires_at": made.expires_at})
        return
    print(f"password  {made.password}")
    print(f"It is good for one login until {made.expires_at} and cannot be shown again.")


@commands.command("replace-signing-key")
def replace_signing_key(
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Tokens signed so far hold no longer.")] = False,
    config: ConfigOption = None,
) -> None:
    """Makes a new key that tokens are signed with."""
    request = sessions_pb2.ReplaceSigningKeyRequest(withdraw=withdraw)
    with_sessions(config, lambda sessions: sessions.replace_signing_key(request))
    print("A new key signs from now on.")


def _row(session: sessions_pb2.Session) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "user_id": session.user_id,
        "method": session.method,
        "address": session.origin.address,
        "client": session.origin.client,
        "created_at": session.created_at,
        "used_at": session.used_at,
        "expires_at": session.expires_at,
    }
