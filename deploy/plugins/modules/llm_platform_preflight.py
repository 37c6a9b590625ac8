#!/usr/bin/python
"""Ansible module: refuses a host that cannot carry the platform, before anything on it is changed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llm_platform_preflight
short_description: Refuse a host that cannot carry the platform
description:
  - Asks everything at once and fails with every problem and how to mend it. Changes nothing.
options:
  services: {description: "The catalogue's services of this host.", type: dict, required: true}
  own_ports: {description: "Further ports -> who listens there.", type: dict, default: {}}
  networks: {description: "Network -> subnet.", type: dict, required: true}
  bridges: {description: "Network -> name of its bridge.", type: dict, required: true}
  disk_mb: {description: Free space needed., type: int, required: true}
  memory_mb: {description: Memory needed., type: int, required: true}
  data_directories: {description: Where data needs space., type: list, elements: str, required: true}
  resources: {description: "Service -> limits over the catalogue's.", type: dict, default: {}}
  reach: {description: Addresses that must answer when images are missing., type: list, elements: str, default: []}
  image: {description: Image that says that nothing has to be downloaded., type: str, default: llm-platform-base}
  os_release: {description: The file that names the distribution., type: path, default: /etc/os-release}
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Refuse what cannot work
  llm_platform_preflight:
    services: {tail: {ports: {http: 8000}, resources: {cpus: 1, memory_mb: 2048}}}
    networks: {client-network: 172.30.1.0/24}
    bridges: {client-network: llm-client}
    disk_mb: 4096
    memory_mb: 2048
    data_directories: [/var/lib/llm-platform]
"""

RETURN = r"""
notes: {description: What is done otherwise than the catalogue says., type: list, returned: success}
problems: {description: What stands in the way., type: list, returned: failure}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.preflight import Host, Wanted, output


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "dict", "required": True},
            "own_ports": {"type": "dict", "default": {}},
            "networks": {"type": "dict", "required": True},
            "bridges": {"type": "dict", "required": True},
            "disk_mb": {"type": "int", "required": True},
            "memory_mb": {"type": "int", "required": True},
            "data_directories": {"type": "list", "elements": "str", "required": True},
            "resources": {"type": "dict", "default": {}},
            "reach": {"type": "list", "elements": "str", "default": []},
            "image": {"default": "llm-platform-base"},
            "os_release": {"type": "path", "default": "/etc/os-release"},
        },
        supports_check_mode=True,
    )
    given = dict(module.params)
    if output(["docker", "images", "--quiet", given.pop("image")]):
        given["reach"] = []
    services, resources = given.pop("services"), given.pop("resources")
    given["ports"] = {int(port): name for name, one in services.items() for port in one["ports"].values()}
    given["ports"] |= {int(port): name for port, name in given.pop("own_ports").items()}
    given["cpus"] = {
        name: float({**one["resources"], **resources.get(name, {})}["cpus"]) for name, one in services.items()
    }
    host = Host(Wanted(**{**given, "os_release": Path(given["os_release"])}))
    problems = host.problems()
    if problems:
        module.fail_json(msg="".join(f"\n  - {problem}." for problem in problems), problems=problems)
    module.exit_json(changed=False, notes=host.notes())


if __name__ == "__main__":
    main()
