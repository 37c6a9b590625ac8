"""Variables of the product and of the environment, below everything an inventory says.

Beside a playbook Ansible loads only a root ``group_vars``; this plugin loads ``deploy/group_vars/all.yml`` and
``deploy/environments/ENVIRONMENT.yml`` for any playbook, also a bare ``ansible-playbook -i inventory.ini``.
The environment is the one the inventory names itself in: ``platform_environment`` of the group ``all``.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.inventory.group import Group
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.vars import BaseVarsPlugin
from ansible.utils.vars import combine_vars

DOCUMENTATION = r"""
name: llm_platform_environment
short_description: Variables of the product and of the environment
description:
  - Loads C(deploy/group_vars/all.yml), then C(deploy/environments/ENVIRONMENT.yml), for the group C(all).
  - C(precedence) in ansible.cfg puts them below the inventory's own variables.
options: {}
"""

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]
    """Gives the group ``all`` its variables; hosts and other groups have none here."""

    REQUIRES_ENABLED = True

    def get_vars(self, loader: DataLoader, path: str, entities: Any, cache: bool = True) -> dict[str, Any]:  # noqa: ARG002 - Ansible's own signature
        super().get_vars(loader, path, entities)
        entities = entities if isinstance(entities, list) else [entities]
        group = next((one for one in entities if isinstance(one, Group) and one.name == "all"), None)
        if group is None:
            return {}
        return variables(loader, str(group.get_vars().get("platform_environment", "")))


@lru_cache
def variables(loader: DataLoader, environment: str) -> dict[str, Any]:
    """What the product and ``environment`` define. Raises AnsibleError for an environment nobody has described."""
    described = sorted(file.stem for file in (DEPLOY / "environments").glob("*.yml"))
    if environment and environment not in described:
        raise AnsibleError(
            f"The inventory says platform_environment={environment}, but there is no deploy/environments/"
            f"{environment}.yml; there are {', '.join(described)}."
        )
    files = [DEPLOY / "group_vars" / "all.yml"]
    files += [DEPLOY / "environments" / f"{environment}.yml"] if environment else []
    merged: dict[str, Any] = {"platform_root": str(ROOT)}
    for file in files:
        merged = combine_vars(merged, loader.load_from_file(str(file), cache="all", trusted_as_template=True) or {})
    return merged
