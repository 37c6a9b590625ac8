#!/usr/bin/python
"""Ansible module: each replica of this host, wanted and real."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llm_platform_status
short_description: Each replica of this host, wanted and real
description: [Asks every replica whether it is ready. Changes nothing.]
options:
  services: {description: "The catalogue's services of this host.", type: dict, required: true}
  replicas: {description: "Service -> count, over the catalogue's.", type: dict, default: {}}
  all_ready: {description: Fail when a wanted replica is not ready., type: bool, default: false}
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Ask the replicas
  llm_platform_status:
    services: {tail: {ports: {http: 8000}, replicas: 1, health: /health/ready}}
"""

RETURN = r"""
replicas: {description: "Each replica: wanted, running, healthy, release, since.", type: list, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.containers import containers, statuses


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "dict", "required": True},
            "replicas": {"type": "dict", "default": {}},
            "all_ready": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        found = list(statuses(containers(), module.params["services"], module.params["replicas"]))
    except OSError as error:
        module.fail_json(msg=f"Docker does not answer ({error}): start it, or deploy.", replicas=[])
    replicas = [one.as_dict() for one in found]
    unready = [f"{one.replica} is not ready: {one.reason}" for one in found if one.wanted and not one.healthy]
    if unready and module.params["all_ready"]:
        module.fail_json(msg="".join(f"\n  - {line}" for line in unready), replicas=replicas)
    module.exit_json(changed=False, replicas=replicas)


if __name__ == "__main__":
    main()
