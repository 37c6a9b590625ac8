"""The controller's own parts with the real Ansible: precedence of variables, what the screen and the log show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_platform.core import catalog

ANSIBLE = Path(sys.executable).parent


def ansible(root: Path, program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ANSIBLE / program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "ANSIBLE_CONFIG": str(root / "ansible.cfg"), **environment},
        timeout=60,
    )


def host_variables(root: Path, inventory: Path) -> dict[str, Any]:
    result = ansible(root, "ansible-inventory", "--inventory", str(inventory), "--host", "one")
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_an_inventory_is_stronger_than_its_environment_and_that_than_the_product(root: Path, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.ini"
    inventory.write_text("[all:vars]\nplatform_environment=production\n[tail]\none\n")
    plain = host_variables(root, inventory)
    assert plain["platform_config_dir"] == "/etc/llm-platform"
    assert plain["platform_replicas"]["tail"] == 2, "deploy/environments/production.yml"

    inventory.write_text(
        "[all:vars]\nplatform_environment=production\nplatform_uid=20002\nplatform_minimum_disk_mb=7\n"
        "[tail]\none platform_config_dir=/srv/config platform_minimum_disk_mb=9\n"
    )
    stronger = host_variables(root, inventory)
    assert stronger["platform_config_dir"] == "/srv/config"
    assert stronger["platform_uid"] == 20002
    assert stronger["platform_minimum_disk_mb"] == 9


def test_an_environment_that_nobody_described_is_refused(root: Path, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.ini"
    inventory.write_text("[all:vars]\nplatform_environment=moon\n[tail]\none\n")
    result = ansible(root, "ansible-inventory", "--inventory", str(inventory), "--host", "one")
    assert result.returncode != 0
    assert "there is no deploy/environments/moon.yml" in result.stderr


PLAYBOOK = """
- name: First step
  hosts: all
  gather_facts: false
  tasks:
    - name: Change something
      ansible.builtin.command: "true"
    - name: Keep a secret
      ansible.builtin.command: echo swordfish
      no_log: true
      changed_when: false
- name: Second step
  hosts: all
  gather_facts: false
  tasks:
    - name: Fail
      ansible.builtin.fail:
        msg: "the disk is full: free some space"
      when: broken | bool
"""


@pytest.mark.parametrize("broken", [False, True])
def test_the_screen_shows_steps_and_the_log_everything(root: Path, tmp_path: Path, broken: bool) -> None:
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    result = ansible(
        root,
        "ansible-playbook",
        "--inventory",
        "localhost,",
        "--connection",
        "local",
        "--extra-vars",
        f"broken={broken} ansible_python_interpreter={sys.executable}",
        str(tmp_path / "play.yml"),
        ANSIBLE_STDOUT_CALLBACK="llm_platform_progress",
        ANSIBLE_LOG_PATH=str(tmp_path / "log"),
        LLM_PLATFORM_RUN="dev deploy",
    )
    lines = result.stdout.splitlines()
    log = (tmp_path / "log").read_text()
    assert lines[0] == "dev deploy"
    assert lines[1].startswith("✓ First step")
    assert lines[2].strip() == "Change something"
    assert "TASK" not in result.stdout
    assert "TASK [Change something]" in log
    assert "swordfish" not in log + result.stdout
    if broken:
        assert result.returncode == 2
        assert lines[3].startswith("✗ Second step")
        assert "localhost: Fail: the disk is full: free some space" in lines
        assert "stopped after" in lines[-1]
    else:
        assert result.returncode == 0
        assert lines[3].startswith("✓ Second step")
        assert lines[-1].startswith("1 task changed something")


def test_the_rollout_has_a_play_for_each_wave_of_the_catalogue(root: Path) -> None:
    plays = yaml.safe_load((root / "site.yml").read_text())
    waves = [
        play["vars"]["wave"]
        for play in plays
        if "wave.yml" in play.get("ansible.builtin.import_playbook", play.get("import_playbook", ""))
    ]
    assert waves == list(range(1, len(catalog.load().waves()) + 1))


def test_every_role_describes_its_variables(root: Path) -> None:
    for role in (root / "roles").iterdir():
        assert (role / "meta" / "argument_specs.yml").is_file(), role.name
        assert (role / "README.md").is_file(), role.name
