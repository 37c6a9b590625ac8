"""``llm-gateway routing``: the routing rules and definitions of providers, and their revisions."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.connection import ConfigOption, with_routing
from llm_platform.cli.output import Format, FormatOption, print_json, print_rows
from llm_platform.proto import common_pb2, routing_pb2, rules_pb2

if TYPE_CHECKING:
    from llm_platform.head.interfaces import Routing

routing = typer.Typer(
    help="Routing rules and definitions of providers: show, put, revisions, restore, import.", no_args_is_help=True
)
NoteOption = Annotated[str, typer.Option("--note", help="Why, for those who read the revisions.")]


@routing.command("show")
def show(
    number: Annotated[int, typer.Argument(help="Of a revision. Default: what is in force.")] = 0,
    config: ConfigOption = None,
) -> None:
    """Prints rules as JSON: what `put` takes."""

    async def read(routing: Routing) -> routing_pb2.RoutingRevision:
        if number:
            return await routing.get_revision(routing_pb2.GetRevisionRequest(number=number))
        return await routing.rules(common_pb2.Empty())

    print_json(_plain(with_routing(config, read)))


@routing.command("put")
def put(
    file: Annotated[str, typer.Argument(help="JSON as `show` prints it, changed; - for standard input.")],
    note: NoteOption = "",
    config: ConfigOption = None,
) -> None:
    """Puts rules in force. The number in the file says what they are based on."""
    from google.protobuf import json_format

    try:
        given = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8"))
        document = json_format.ParseDict(given["document"], rules_pb2.RoutingDocument())
        request = routing_pb2.PutRulesRequest(document=document, note=note, etag=str(given["number"]))
    except (OSError, ValueError, KeyError, TypeError, json_format.ParseError) as error:
        raise typer.BadParameter(f"It is not what `routing show` prints: {error}", param_hint="FILE") from None
    _print_made(with_routing(config, lambda routing: routing.put_rules(request)))


@routing.command("revisions")
def revisions(config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Lists what was in force, the newest first."""
    page = with_routing(config, lambda routing: routing.list_revisions(routing_pb2.ListRevisionsRequest()))
    rows = [
        {**_plain(each), "changes": ", ".join(change.path for change in each.changes)}
        if output is Format.TABLE
        else _plain(each)
        for each in page.items
    ]
    columns = ("number", "created_at", "actor", "source", "note", "changes")
    print_rows(rows, columns, output, empty="Nothing was changed yet: the configuration file is in force.")


@routing.command("restore")
def restore(
    number: Annotated[int, typer.Argument(help="Of the revision whose rules are to be in force again.")],
    note: NoteOption = "",
    config: ConfigOption = None,
) -> None:
    """Puts an earlier revision's rules in force again, as a new revision."""
    request = routing_pb2.RestoreRevisionRequest(number=number, note=note)
    _print_made(with_routing(config, _on_newest(request, lambda routing: routing.restore_revision(request))))


@routing.command("import")
def take_file(note: NoteOption = "", config: ConfigOption = None) -> None:
    """Takes the sections providers and routing of head's configuration file, as a new revision."""
    request = routing_pb2.ImportRulesRequest(note=note)
    _print_made(with_routing(config, _on_newest(request, lambda routing: routing.import_rules(request))))


def _on_newest(
    request: Any, change: Callable[[Routing], Awaitable[routing_pb2.RoutingRevision]]
) -> Callable[[Routing], Awaitable[routing_pb2.RoutingRevision]]:
    """The change of whatever is in force now."""

    async def work(routing: Routing) -> routing_pb2.RoutingRevision:
        request.etag = (await routing.rules(common_pb2.Empty())).etag
        return await change(routing)

    return work


def _print_made(made: routing_pb2.RoutingRevision) -> None:
    print_json(_plain(made))


def _plain(message: routing_pb2.RoutingRevision) -> dict[str, Any]:
    from google.protobuf import json_format

    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
