"""deploy.sh: which words it takes, what it refuses, and that two operators do not meet."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

LOCKS = ("requirements/deploy.lock", "requirements/collections.lock", "deploy/requirements.yml")


@pytest.fixture
def checkout(tmp_path: Path, root: Path) -> Path:
    """deploy.sh with a controller that is made already and whose Ansible only tells how it was called."""
    shutil.copy(root / "deploy.sh", tmp_path)
    shutil.copytree(root / "deploy" / "scripts", tmp_path / "deploy" / "scripts")
    (tmp_path / "requirements").mkdir()
    for lock in LOCKS:
        shutil.copy(root / lock, tmp_path / lock)
    controller = tmp_path / ".state" / "controller"
    (controller / "bin").mkdir(parents=True)
    ansible = controller / "bin" / "ansible-playbook"
    ansible.write_text('#!/bin/sh\necho "called: $*"\n')
    ansible.chmod(0o755)
    content = b"".join((tmp_path / lock).read_bytes() for lock in LOCKS)
    (controller / "made-from").write_text(hashlib.sha256(content).hexdigest() + "\n")
    return tmp_path


def deploy(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "deploy.sh", *words],
        env={**os.environ, "LLM_PLATFORM_LOCK_DIR": str(checkout)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "an environment and an action are needed"),
        (["dev"], "an environment and an action are needed"),
        (["moon", "deploy"], "unknown environment 'moon'; there are: dev lab staging production"),
        (["dev", "explode"], "unknown action 'explode'"),
        (["dev", "deploy", "--fast"], "unknown option --fast"),
        (["dev", "status", "--format", "xml"], "unknown format 'xml'"),
        (["dev", "status", "--format"], "--format needs table or json"),
        (["dev", "deploy", "again"], "not 3 words"),
    ],
)
def test_wrong_words_are_answered_with_the_reason_and_the_usage(checkout: Path, words: list[str], said: str) -> None:
    result = deploy(checkout, *words)
    assert result.returncode == 2
    assert said in result.stderr
    assert "usage: ./deploy.sh ENVIRONMENT ACTION" in result.stderr
    assert not (checkout / ".state" / "dev").exists(), "nothing may be changed"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lab", "deploy"], "lab is not available yet"),
        (["production", "deploy"], "production is not available yet"),
        (["dev", "rollback"], "'dev rollback' is not available yet"),
        (["dev", "backup"], "'dev backup' is not available yet"),
        (["dev", "up"], "up is for the lab's hosts"),
        (["dev", "destroy"], "say --yes when nobody can be asked"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(checkout: Path, words: list[str], said: str) -> None:
    result = deploy(checkout, *words)
    assert result.returncode == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (checkout / ".state" / "dev").exists(), "nothing may be changed"


def test_help_names_every_action(checkout: Path) -> None:
    result = deploy(checkout, "--help")
    assert result.returncode == 0
    for action in ("deploy", "update", "rollback", "verify", "status", "plan", "destroy"):
        assert action in result.stdout


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (["dev", "update"], "site.yml"),
        (["dev", "plan"], "--check --diff"),
        (["dev", "verify"], "deploy/playbooks/verify.yml"),
        (["dev", "destroy", "--yes"], "deploy/playbooks/destroy.yml"),
        (["dev", "update", "--refresh-base"], '{"platform_base_refresh": true}'),
        (["dev", "update", "--", "--limit", "tail"], "--limit tail"),
    ],
)
def test_an_action_starts_its_playbook_on_the_environments_inventory(
    checkout: Path, words: list[str], called: str
) -> None:
    result = deploy(checkout, *words)
    assert result.returncode == 0, result.stderr
    assert called in result.stdout
    assert f"--inventory {checkout}/deploy/inventory/dev.ini" in result.stdout


@pytest.mark.case(32)
def test_a_second_operator_is_told_who_is_at_work(checkout: Path) -> None:
    with (checkout / "llm-platform-dev.lock").open("w") as lock:
        lock.write("alice (pid 17, update since 12:03:00)\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = deploy(checkout, "dev", "update")
        looking = deploy(checkout, "dev", "plan")
    assert refused.returncode == 1
    assert "dev is being changed by alice (pid 17, update since 12:03:00)" in refused.stderr
    assert looking.returncode == 0, "who only looks is not kept out"


@pytest.mark.case(32)
def test_the_lock_of_an_operator_who_died_is_free(checkout: Path) -> None:
    (checkout / "llm-platform-dev.lock").write_text("alice (pid 17, update since 12:03:00)\n")
    assert deploy(checkout, "dev", "update").returncode == 0


@pytest.mark.parametrize(
    ("script", "options", "code", "said"),
    [
        ("deploy", ["--project", "P", "--env", "prod", "--region", "R"], 1, "Cloud Run"),
        ("verify", [], 2, "usage: deploy/scripts/verify.sh --env"),
        ("rollback", ["--env", "dev"], 1, "'dev rollback' is not available yet"),
        ("verify", ["--env=dev"], 0, ""),
    ],
)
def test_the_entries_by_option_do_the_same(
    checkout: Path, script: str, options: list[str], code: int, said: str
) -> None:
    result = subprocess.run(
        [checkout / "deploy" / "scripts" / f"{script}.sh", *options], capture_output=True, text=True, check=False
    )
    assert result.returncode == code
    assert said in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_who_may_not_become_root_is_told_before_anything_is_prepared(checkout: Path) -> None:
    for path in (checkout, *checkout.parents[:2]):  # pytest makes them root's alone
        path.chmod(0o755)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    result = subprocess.run(
        [*nobody, checkout / "deploy.sh", "dev", "deploy"], capture_output=True, text=True, check=False, timeout=30
    )
    assert result.returncode == 1
    assert "is not root and may not use sudo without a password: run as root" in result.stderr
    assert len(result.stderr.splitlines()) == 1
