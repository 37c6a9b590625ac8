"""Every change of the accounts stands in the audit log, committed with it; what is refused there changes nothing."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from llm_platform.auth_service.app import open_auth_service
from llm_platform.auth_service.audit.service import AuditService
from llm_platform.auth_service.audit.store import AuditStore
from llm_platform.auth_service.interfaces import ACCOUNTS
from llm_platform.auth_service.service import AccountService
from llm_platform.core.actor import PLATFORM_ORGANIZATION
from llm_platform.core.config import Config, Service
from llm_platform.core.database import open_database, sqlite_url
from llm_platform.core.errors import PlatformError
from llm_platform.proto import accounts_pb2, audit_pb2
from llm_platform.rpc.handlers import rpcs

pb = accounts_pb2
_NO_CHANGE = {"Authenticate", "WatchRevocations"}


async def entries(folder: Path) -> list[audit_pb2.AuditEntry]:
    async with open_database(sqlite_url(folder / "accounts.sqlite"), "llm_platform.auth_service.migrations") as engine:
        audit = AuditService(AuditStore(engine))
        assert not (await audit.verify(audit_pb2.VerifyAuditRequest())).broken
        return list((await audit.list(audit_pb2.ListAuditRequest())).items)


async def change_everything(accounts: AccountService) -> None:
    """Calls each method that changes something, once."""
    password = "correct horse battery"
    await accounts.bootstrap(pb.BootstrapRequest(admin_name="root", key_name="first"))
    acme = await accounts.create_organization(pb.CreateOrganizationRequest(name="acme"))
    update = pb.UpdateOrganizationRequest(organization="acme", etag=acme.etag, name="Acme")
    await accounts.update_organization(update)
    other = await accounts.create_organization(pb.CreateOrganizationRequest(name="other"))
    await accounts.delete_organization(pb.OrganizationName(organization=other.organization_id))
    zoe = await accounts.create_user(pb.CreateUserRequest(name="zoe", password=password, organization="Acme"))
    zoe = await accounts.update_user(pb.UpdateUserRequest(user="zoe", etag=zoe.etag, role="admin"))
    team = await accounts.create_team(pb.CreateTeamRequest(name="tools", organization="Acme"))
    await accounts.update_team(pb.UpdateTeamRequest(team=team.team_id, etag=team.etag, name="Tools"))
    await accounts.add_team_member(pb.TeamMember(team=team.team_id, user="zoe"))
    made = await accounts.create_key(pb.CreateKeyRequest(name="ci", user="zoe"))
    await accounts.update_key(pb.UpdateKeyRequest(key=made.key.key_id, etag=made.key.etag, name="build"))
    rotated = await accounts.rotate_key(pb.RotateKeyRequest(key=made.key.key_id))
    await accounts.revoke_key(pb.RevokeKeyRequest(key=rotated.key.key_id))
    await accounts.remove_team_member(pb.TeamMember(team=team.team_id, user="zoe"))
    await accounts.delete_team(pb.TeamName(team=team.team_id))
    await accounts.delete_user(pb.UserName(user="zoe"))


async def test_each_method_that_changes_something_leaves_its_entry(accounts: AccountService, tmp_path: Path) -> None:
    await change_everything(accounts)
    written = await entries(tmp_path)
    changing = {rpc.path.rpartition("/")[2] for rpc in rpcs(ACCOUNTS) if not _is_reading(rpc.path)} - _NO_CHANGE
    assert {entry.action.removeprefix("Accounts/") for entry in written} == changing
    assert all(entry.target and entry.organization_id for entry in written)
    assert all(entry.actor_id == "operator" for entry in written)
    told = {entry.action: json.loads(entry.details) for entry in written}
    assert told["Accounts/UpdateUser"]["organization_role"] == "admin"
    assert told["Accounts/CreateKey"]["name"] == "ci"


def _is_reading(path: str) -> bool:
    (method,) = (each for each in ACCOUNTS.service.methods if path.endswith(f"/{each.name}"))
    return bool(method.GetOptions().idempotency_level == 1)


@pytest.mark.case(21)
async def test_no_secret_is_in_it(accounts: AccountService, tmp_path: Path) -> None:
    await change_everything(accounts)
    text = str(await entries(tmp_path))
    assert "argon2" not in text
    assert "digest" not in text
    assert "password" not in text


@pytest.mark.parametrize(
    "change",
    [
        lambda accounts: accounts.create_user(pb.CreateUserRequest(name="root")),
        lambda accounts: accounts.update_user(pb.UpdateUserRequest(user="root", etag="0", name="boss")),
        lambda accounts: accounts.delete_user(pb.UserName(user="root")),
        lambda accounts: accounts.revoke_key(pb.RevokeKeyRequest(key="nobody")),
        lambda accounts: accounts.delete_organization(pb.OrganizationName(organization="platform")),
    ],
)
async def test_what_is_refused_leaves_none(
    accounts: AccountService, tmp_path: Path, change: Callable[[AccountService], Awaitable[Any]]
) -> None:
    await accounts.bootstrap(pb.BootstrapRequest(admin_name="root", key_name="first"))
    with pytest.raises(PlatformError):
        await change(accounts)
    assert [entry.action for entry in await entries(tmp_path)] == ["Accounts/Bootstrap"]


@pytest.mark.case(26)
async def test_refused_keys_are_counted_in_it_and_told_by_what_may_be_shown(tmp_path: Path) -> None:
    async with open_auth_service(Config(service=Service(data_dir=tmp_path))) as opened:
        first = (await opened.accounts.bootstrap(pb.BootstrapRequest())).key
        guessed = first.secret[:-4] + ("AAAA" if not first.secret.endswith("AAAA") else "BBBB")
        made_up = [f"sk-llm-{number:016d}-{'x' * 43}" for number in range(500)]
        await opened.accounts.authenticate(pb.AuthenticateBatch(keys=[guessed, *made_up]))
        await opened.accounts.authenticate(pb.AuthenticateBatch(keys=[guessed, first.secret]))
    refused = [entry for entry in await entries(tmp_path) if entry.result == "refused"]
    assert [(each.target, each.organization_id, each.reason, each.repeated, each.actor_kind) for each in refused] == [
        (first.key.prefix, PLATFORM_ORGANIZATION, "unknown", 2, "none"),  # whose key it is, sees it
        ("", "", "unknown", 500, "none"),
    ]
    assert guessed not in str(refused)
