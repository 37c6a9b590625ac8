"""Opening the accounts as a process does, also two processes at once."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from llm_platform.auth_service.app import open_accounts
from llm_platform.core.config import Config, Service, Stores
from llm_platform.core.config.model import Oidc
from llm_platform.core.key_file import UnusableKeyError
from llm_platform.proto import accounts_pb2
from tests.unit.auth_service.parts import proved

FIRST_START = """
import asyncio, sys
from pathlib import Path
from llm_platform.auth_service.app import open_accounts
from llm_platform.core.config import Config, Service
from llm_platform.proto import accounts_pb2

async def main():
    async with open_accounts(Config(service=Service(data_dir=Path(sys.argv[1])))) as accounts:
        made = await accounts.bootstrap(accounts_pb2.BootstrapRequest(admin_name="admin", key_name="first"))
        print(made.key.secret)

asyncio.run(main())
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(service=Service(data_dir=tmp_path / "data"), stores=Stores(bootstrap_file=tmp_path / "first.json"))


async def test_a_first_start_makes_the_admin_and_hands_it_over_and_later_ones_do_not(
    config: Config, tmp_path: Path
) -> None:
    handed_over = tmp_path / "first.json"
    async with open_accounts(config):
        made = json.loads(handed_over.read_text())
    handed_over.unlink()
    async with open_accounts(config) as accounts:
        assert not handed_over.exists()
        admin = await proved(accounts, made["admin"], made["password"])
        assert admin.role == "owner"
        replies = await accounts.authenticate(accounts_pb2.AuthenticateBatch(keys=[made["key"]]))
        assert replies.items[0].principal.user_id == admin.user_id


@pytest.mark.parametrize(("organization", "errors"), [("org_platform", 0), ("org_gone", 1)])
async def test_an_organisation_of_new_users_that_is_missing_is_told_at_the_start(
    config: Config, organization: str, errors: int
) -> None:
    oidc = Oidc(issuer="https://id.example", client_id="x", create_users=True, organization=organization)
    with capture_logs() as logs:
        async with open_accounts(config.model_copy(update={"oidc": oidc})):
            pass
    told = [entry for entry in logs if "oidc.organization" in entry["event"]]
    assert [entry.get("organization") for entry in told] == ["org_gone"] * errors


async def test_state_is_for_its_owner_only(config: Config) -> None:
    async with open_accounts(config):
        pepper = config.service.data_dir / "accounts.pepper"
        assert pepper.stat().st_mode & 0o777 == 0o600
        assert config.service.data_dir.stat().st_mode & 0o777 == 0o700


async def test_a_lost_pepper_is_not_replaced_silently(config: Config) -> None:
    async with open_accounts(config):
        pass
    pepper = config.service.data_dir / "accounts.pepper"
    pepper.unlink()
    with pytest.raises(UnusableKeyError, match="restore it from a backup"):
        async with open_accounts(config):
            pass
    assert not pepper.exists()


@pytest.mark.case(32)
async def test_of_two_processes_on_a_fresh_directory_one_makes_the_admin_and_both_share_a_pepper(
    config: Config,
) -> None:
    command = [sys.executable, "-c", FIRST_START, str(config.service.data_dir)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[3] / "services")}
    processes = [
        await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
        for _ in range(2)
    ]
    async with asyncio.timeout(60):
        said = [(await process.communicate())[0].decode().strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    (secret,) = filter(None, said)
    async with open_accounts(config) as accounts:
        assert len((await accounts.list_users(accounts_pb2.ListUsersRequest())).items) == 1
        replies = await accounts.authenticate(accounts_pb2.AuthenticateBatch(keys=[secret]))
        assert not replies.items[0].refusal
