"""What the accounts promise, on PostgreSQL: tests of tests/unit/auth_service that meet the database.

There they run on SQLite.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from llm_platform.auth_service.app import open_accounts as open_configured
from llm_platform.core.config import Config, Service, Stores
from llm_platform.proto import accounts_pb2
from tests.servers.postgresql import PostgresqlServer
from tests.unit.auth_service.conftest import accounts, clock, first
from tests.unit.auth_service.parts import OpenAccounts, SetClock, ask, opener
from tests.unit.auth_service.test_key_methods import (
    test_a_developer_looks_after_its_own_keys_and_widens_none,
    test_a_key_is_changed_in_what_is_set,
    test_a_key_is_rotated_once_and_only_while_it_is_live,
    test_a_rotated_key_goes_on_as_the_old_one_which_ends_after_the_overlap,
    test_edits_of_whatever_a_key_hangs_on_reach_an_entry_as_soon_as_a_revocation,
    test_keys_are_listed_in_pages_and_found_by_name_id_and_prefix,
)
from tests.unit.auth_service.test_organizations import (
    test_an_organisation_goes_when_its_last_member_has_gone,
    test_limits_of_an_organisation_go_with_its_keys,
    test_names_of_organisations_and_of_teams_within_one_are_taken_once,
)
from tests.unit.auth_service.test_revocations import (
    test_a_revocation_by_another_process_on_the_database_is_pushed_too,
    test_no_revocation_is_missed_when_many_come_at_once,
    test_revoking_again_is_not_news,
)
from tests.unit.auth_service.test_service import (
    test_a_key_is_never_read_as_a_query,
    test_a_key_is_refused_from_the_moment_it_expires,
    test_a_key_tells_who_calls_and_what_they_may,
    test_credentials_that_cannot_be_handed_over_are_not_made,
    test_login_needs_the_right_name_and_password_and_does_not_say_which_was_wrong,
    test_of_processes_that_make_the_first_admin_at_once_one_does,
)
from tests.unit.auth_service.test_teams import (
    test_a_member_joins_once_and_takes_no_key_of_the_team_when_it_leaves,
    test_a_team_deleted_while_its_keys_are_used_and_made_leaves_no_live_key_of_it,
    test_a_teams_keys_carry_it_and_its_limits,
)
from tests.unit.auth_service.test_users import (
    test_a_deleted_users_keys_are_revoked_for_good_and_its_name_is_free,
    test_a_disabled_users_keys_and_password_are_refused_until_it_is_enabled,
    test_a_search_finds_a_part_of_a_name_in_any_script_whatever_its_case,
    test_an_organisation_keeps_an_owner,
    test_of_two_who_edit_at_once_the_second_is_told_and_nothing_is_lost,
    test_users_are_found_by_role_kind_and_team,
    test_users_are_listed_in_pages_also_while_they_come_and_go,
)

__all__ = [
    "accounts",
    "clock",
    "first",
    "test_a_deleted_users_keys_are_revoked_for_good_and_its_name_is_free",
    "test_a_developer_looks_after_its_own_keys_and_widens_none",
    "test_a_disabled_users_keys_and_password_are_refused_until_it_is_enabled",
    "test_a_key_is_changed_in_what_is_set",
    "test_a_key_is_never_read_as_a_query",
    "test_a_key_is_refused_from_the_moment_it_expires",
    "test_a_key_is_rotated_once_and_only_while_it_is_live",
    "test_a_key_tells_who_calls_and_what_they_may",
    "test_a_member_joins_once_and_takes_no_key_of_the_team_when_it_leaves",
    "test_a_revocation_by_another_process_on_the_database_is_pushed_too",
    "test_a_rotated_key_goes_on_as_the_old_one_which_ends_after_the_overlap",
    "test_a_search_finds_a_part_of_a_name_in_any_script_whatever_its_case",
    "test_a_team_deleted_while_its_keys_are_used_and_made_leaves_no_live_key_of_it",
    "test_a_teams_keys_carry_it_and_its_limits",
    "test_an_organisation_goes_when_its_last_member_has_gone",
    "test_an_organisation_keeps_an_owner",
    "test_credentials_that_cannot_be_handed_over_are_not_made",
    "test_edits_of_whatever_a_key_hangs_on_reach_an_entry_as_soon_as_a_revocation",
    "test_keys_are_listed_in_pages_and_found_by_name_id_and_prefix",
    "test_limits_of_an_organisation_go_with_its_keys",
    "test_login_needs_the_right_name_and_password_and_does_not_say_which_was_wrong",
    "test_names_of_organisations_and_of_teams_within_one_are_taken_once",
    "test_no_revocation_is_missed_when_many_come_at_once",
    "test_of_processes_that_make_the_first_admin_at_once_one_does",
    "test_of_two_who_edit_at_once_the_second_is_told_and_nothing_is_lost",
    "test_revoking_again_is_not_news",
    "test_users_are_found_by_role_kind_and_team",
    "test_users_are_listed_in_pages_also_while_they_come_and_go",
]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def open_accounts(postgresql: PostgresqlServer, tmp_path: Path, clock: SetClock) -> OpenAccounts:
    """Opens the accounts once more on the same database, as another process would."""
    return opener(postgresql.make_database(), tmp_path, clock)


_FIRST_START = """
import asyncio, json, sys
from pathlib import Path
from llm_platform.auth_service.app import open_accounts
from llm_platform.core.config import Config, Service, Stores
from llm_platform.proto import accounts_pb2

async def main():
    folder, url = json.load(sys.stdin)
    config = Config(service=Service(data_dir=Path(folder)), stores=Stores(accounts_url=url))
    async with open_accounts(config) as accounts:
        made = await accounts.bootstrap(accounts_pb2.BootstrapRequest(admin_name="admin", key_name="first"))
        print(made.key.secret)

asyncio.run(main())
"""


@pytest.mark.case(32)
async def test_of_two_processes_that_start_at_once_on_an_empty_database_one_makes_the_admin(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    config = Config(service=Service(data_dir=tmp_path), stores=Stores(accounts_url=postgresql.make_database()))
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _FIRST_START),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT / "services")},
        )
        for _ in range(2)
    ]
    told = json.dumps([str(config.service.data_dir), config.stores.accounts_url]).encode()
    async with asyncio.timeout(60):
        said = await asyncio.gather(*(process.communicate(told) for process in processes))
    assert [process.returncode for process in processes] == [0, 0]
    (secret,) = filter(None, (out.decode().strip() for out, _ in said))
    async with open_configured(config) as accounts:
        assert len((await accounts.list_users(accounts_pb2.ListUsersRequest())).items) == 1
        assert not (await ask(accounts, secret))[0].refusal
