"""Logging in, permissions, and where Vault is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from llm_platform.core import metrics
from llm_platform.core.config import Vault
from llm_platform.core.errors import Code
from llm_platform.core.pki import issue_authority
from llm_platform.secrets_service.app import open_secrets
from llm_platform.secrets_service.service import SecretService
from llm_platform.secrets_service.vault.session import UnusableAuthorityError, VaultSession
from tests.integration.stores.vault.configuration import over
from tests.servers.openbao import OpenBao
from tests.unit.secrets_service.calls import EVERYTHING, get, put, refusal_of
from tests.unit.secrets_service.contract import Open


async def test_a_revoked_token_is_replaced_by_a_new_login(openbao: OpenBao, kept: SecretService) -> None:
    openbao.revoke_logins()
    assert await asyncio.gather(*(get(kept) for _ in range(8))) == [b"known"] * 8
    openbao.revoke_logins()
    assert await put(kept, expected_version=1) == 2


async def test_a_refused_secret_id_is_said_and_a_new_one_in_its_file_needs_no_restart(
    openbao: OpenBao, tmp_path: Path, replica: Open
) -> None:
    file = tmp_path / "secret-id"
    settings = openbao.settings(secret_id=None, secret_id_file=str(file))
    secrets = await replica(over(settings, tmp_path))
    assert "secret_id_file cannot be read" in (await refusal_of(secrets.check())).message
    file.write_text("wrong")
    for call in (secrets.check(), get(secrets), put(secrets)):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.message[:40]) == (Code.UNAVAILABLE, "Vault refuses the role id or the secret ")
    file.write_text(openbao.secret_id() + "\n")
    assert await put(secrets) == 1


async def test_a_wrapped_secret_id_is_unwrapped_once_and_kept(openbao: OpenBao, tmp_path: Path, replica: Open) -> None:
    settings = openbao.settings(secret_id=openbao.wrapped_secret_id(), secret_id_wrapped=True)
    secrets = await replica(over(settings, tmp_path))
    await put(secrets)
    openbao.revoke_logins()
    assert await get(secrets) == b"value"
    late = await replica(over(settings, tmp_path))
    assert "was unwrapped before" in (await refusal_of(late.check())).message


async def test_a_token_is_used_renewed_and_missed(openbao: OpenBao, tmp_path: Path, replica: Open) -> None:
    token = openbao.root.auth.token.create(policies=["llm-platform"], ttl="1h")["auth"]["client_token"]
    secrets = await replica(over(openbao.settings(token=token), tmp_path))
    assert await put(secrets) == 1
    openbao.root.auth.token.revoke(token)
    refusal = await refusal_of(get(secrets))
    assert (refusal.code, refusal.message) == (Code.UNAVAILABLE, "Vault refuses the token; configure a new one.")


@pytest.mark.parametrize("kind", ["service", "batch"])
def test_a_token_near_its_end_is_renewed_or_replaced(openbao: OpenBao, kind: str) -> None:
    openbao.role(kind, token_ttl="60s", token_type=kind)
    now = 0.0
    session = VaultSession(openbao.settings(kind), 1, clock=lambda: now)

    def look(client: Any) -> tuple[str, bool]:
        return client.token, "last_renewal" in client.auth.token.lookup_self()["data"]

    first, renewed = session(look)
    assert not renewed
    assert session(look) == (first, False)
    now = 41.0
    token, renewed = session(look)
    # Batch tokens cannot be renewed.
    assert (token == first, renewed) == ((True, True) if kind == "service" else (False, False))
    session.close()


async def test_what_the_policy_does_not_permit_is_said_and_not_answered_from_memory(
    openbao: OpenBao, tmp_path: Path, replica: Open
) -> None:
    openbao.role("losing")
    secrets = await replica(over(openbao.settings("losing"), tmp_path))
    await put(secrets)
    await get(secrets)
    openbao.role("losing", policies=())
    openbao.revoke_logins()
    for call in (get(secrets), put(secrets), secrets.check()):
        refusal = await refusal_of(call)
        assert refusal.code is Code.PERMISSION_DENIED
        assert "policy" in refusal.message


@pytest.mark.parametrize(
    ("mount", "policies", "code", "hint"),
    [
        ("old", ("llm-platform", "v1"), Code.UNAVAILABLE, "no KV engine of version 2 at old/"),
        ("nothing", ("unmounted",), Code.UNAVAILABLE, "no KV engine of version 2 at nothing/"),
        ("elsewhere", ("llm-platform",), Code.PERMISSION_DENIED, "vault.mount"),
    ],
)
async def test_a_wrong_mount_is_said(
    openbao: OpenBao, tmp_path: Path, replica: Open, mount: str, policies: tuple[str, ...], code: Code, hint: str
) -> None:
    openbao.root.sys.create_or_update_policy("v1", 'path "old/*" { capabilities = ["read", "list", "create"] }')
    openbao.role("wrong", policies)
    secrets = await replica(over(openbao.settings("wrong", mount=mount), tmp_path))
    for call in (get(secrets), secrets.check(), secrets.list(EVERYTHING)):
        refusal = await refusal_of(call)
        assert refusal.code is code
        assert hint in refusal.message


async def test_the_environment_of_the_process_changes_nothing(
    kept: SecretService, vault: Vault, tmp_path: Path, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"VAULT_TOKEN": "x", "VAULT_ADDR": "http://x", "HTTPS_PROXY": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing"))
    assert await get(await replica(over(vault, tmp_path))) == b"known"
    assert not VaultSession(vault, 1)._client.token  # hvac would take the environment's


async def test_a_namespace_is_a_vault_of_its_own(openbao: OpenBao, tmp_path: Path, replica: Open) -> None:
    openbao.root.write("sys/namespaces/team")
    token = openbao.make_engine("team")
    secrets = await replica(over(openbao.settings(token=token, namespace="team"), tmp_path))
    assert await put(secrets) == 1
    outside = await replica(over(openbao.settings(token=token), tmp_path))
    assert (await refusal_of(outside.check())).code in (Code.PERMISSION_DENIED, Code.UNAVAILABLE)


async def test_a_certificate_of_a_strangers_authority_is_not_trusted(
    openbao: OpenBao, tmp_path: Path, replica: Open
) -> None:
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(issue_authority("stranger.test").pem)
    secrets = await replica(over(openbao.settings(authority=str(stranger)), tmp_path))
    assert "not trusted" in (await refusal_of(secrets.check())).message


async def test_a_certificate_of_another_name_is_not_trusted(openbao: OpenBao, tmp_path: Path, replica: Open) -> None:
    elsewhere = openbao.address.replace("127.0.0.1", "localhost")  # the certificate names the address only
    secrets = await replica(over(openbao.settings(address=elsewhere), tmp_path))
    assert "not trusted" in (await refusal_of(secrets.check())).message


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_an_authority_that_cannot_be_read_stops_the_start(
    openbao: OpenBao, tmp_path: Path, replica: Open, content: str | None
) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UnusableAuthorityError, match=r"authority\.pem"):
        await replica(over(openbao.settings(authority=str(file)), tmp_path))


@pytest.mark.case(21)
async def test_no_value_token_or_secret_id_is_shown_anywhere(openbao: OpenBao, tmp_path: Path) -> None:
    canary = "canary-4711-do-not-show"
    settings = openbao.settings()
    assert settings.secret_id is not None
    told: list[object] = [settings]
    with capture_logs() as logs:
        async with open_secrets(over(settings, tmp_path)) as secrets:
            await put(secrets, value=canary.encode())
            await get(secrets)
            told += [vars(secrets._store), secrets._store._cache]  # type: ignore[attr-defined]
            token = secrets._store._session._client.token  # type: ignore[attr-defined]
            told.append(await refusal_of(put(secrets, value=canary.encode(), expected_version=9)))
            await asyncio.to_thread(openbao.seal)
            try:
                told.append(await refusal_of(put(secrets, value=canary.encode())))
                told.append(await refusal_of(get(secrets, version=7)))
            finally:
                await asyncio.to_thread(openbao.unseal)
    refusals = [error for error in told if isinstance(error, Exception)]
    shown = f"{logs}{told!r}{[(error.__cause__, error.__context__) for error in refusals]!r}"
    files = (tmp_path / "audit.log").read_bytes()
    assert [file.name for file in sorted(tmp_path.glob("*"))] == ["audit.log"]  # noqa: ASYNC240 - a test may block
    for secret in (canary, token, settings.secret_id.get_secret_value()):
        assert secret not in shown
        assert secret.encode() not in metrics.exposition() + files
