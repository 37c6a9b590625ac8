"""``llm-gateway organizations``: whose users see, and are administered by, each other only."""

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

commands = typer.Typer(help="Organisations: create, list, show, update, delete.", no_args_is_help=True)

COLUMNS = ("organization_id", "name", "limits", "platform", "created_at")

OrganizationArgument = Annotated[str, typer.Argument(help="Id or name of the organisation.")]


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="Its name, in any script.")],
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    rpm_burst: RpmBurst = None,
    tpm_burst: TpmBurst = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Makes an organisation; its first owner: llm-gateway users create NAME --role owner --organization IT."""
    limits = limit_options.limits(None, rpm, tpm, concurrency, rpm_burst, tpm_burst)
    request = accounts_pb2.CreateOrganizationRequest(name=name, limits=limits)
    _SHOWN.done(with_accounts(config, lambda accounts: accounts.create_organization(request)), output, "is made")


@commands.command("list")
def list_organizations(
    search: Annotated[str, typer.Argument(help="Only whose name has this in it.")] = "",
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Lists organisations by name."""
    request = accounts_pb2.ListOrganizationsRequest(search=search)
    found = with_accounts(config, lambda accounts: limit_options.every_page(accounts.list_organizations, request))
    _SHOWN.rows(found, output)


@commands.command()
def show(organization: OrganizationArgument, config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Shows one organisation."""
    name = accounts_pb2.OrganizationName(organization=organization)
    shown = with_accounts(config, lambda accounts: accounts.get_organization(name))
    _SHOWN.one(shown, output)


@commands.command()
def update(
    organization: OrganizationArgument,
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

    async def change(accounts: Accounts) -> accounts_pb2.Organization:
        now = await accounts.get_organization(accounts_pb2.OrganizationName(organization=organization))
        return await accounts.update_organization(
            accounts_pb2.UpdateOrganizationRequest(
                organization=now.organization_id,
                etag=etag or now.etag,
                name=name,
                limits=limit_options.limits(now.limits, rpm, tpm, concurrency, rpm_burst, tpm_burst),
            )
        )

    _SHOWN.done(with_accounts(config, change), output, "is changed")


@commands.command()
def delete(
    organization: OrganizationArgument,
    yes: Yes = False,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Deletes an organisation that has no members any more, and its teams."""
    limit_options.confirm(f"Delete {organization}?", yes)
    name = accounts_pb2.OrganizationName(organization=organization)
    _SHOWN.done(with_accounts(config, lambda accounts: accounts.delete_organization(name)), output, "is deleted")


def _row(organization: accounts_pb2.Organization) -> dict[str, Any]:
    return {
        "organization_id": organization.organization_id,
        "name": organization.name,
        "platform": organization.platform,
        **limit_options.limits_row(organization.limits),
        "created_at": organization.created_at,
        "etag": organization.etag,
    }


_SHOWN = limit_options.Shown(_row, COLUMNS, "No organisations.")
