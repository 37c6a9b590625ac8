#!/usr/bin/python
"""Ansible module: brings the replicas of one service on this host to their desired state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llm_platform_replicas
short_description: Bring the replicas of one service to their desired state, start-first
description:
  - Compares each replica's container with the wanted image and configuration by checksum.
  - A replica that differs is replaced. Its next generation starts in the free slot, passes its gate, takes the
    new requests at HAProxy and the replica's name; the old one drains and nobody waits for it.
  - A generation that does not pass its gate is removed and the old one goes on serving.
options:
  desired:
    description: The service's desired state on this host, made by the filter C(llm_platform_desired).
    type: dict
    required: true
  proxy_socket:
    description: Path of HAProxy's runtime socket on this host.
    type: path
    required: true
  completion_key_file:
    description: File with an API key for the model C(echo); an entry's gate asks for a completion with it.
    type: path
requirements: ["docker (Python SDK) >= 5.0"]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Bring tail to its desired state
  llm_platform_replicas:
    desired: "{{ platform_catalog | llm_platform_desired('tail', vars) }}"
    proxy_socket: /var/lib/llm-platform/haproxy/run/admin.sock
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be, in order.
  type: list
  elements: dict
  returned: always
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.apply import apply
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.gate import Gate
from ansible.module_utils.haproxy_socket import HaproxySocket
from ansible.module_utils.replicas import Desired, Replica, Rollout


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "desired": {"type": "dict", "required": True},
            "proxy_socket": {"type": "path", "required": True},
            "completion_key_file": {"type": "path", "no_log": False},
        },
        supports_check_mode=True,
    )
    desired = module.params["desired"]
    desired = Desired(**{**desired, "replicas": [Replica(**one) for one in desired["replicas"]]})

    def rollout(engine: Any) -> Rollout:
        gate = Gate(
            **desired.gate,
            completion_key=completion_key(desired, module.params["completion_key_file"]),
            page=desired.proof == "page",
        )
        socket = HaproxySocket(module.params["proxy_socket"])
        return Rollout(engine, socket, gate, desired, check=module.check_mode)

    apply(module, rollout)


def completion_key(desired: Desired, path: str | None) -> str | None:
    """Only an entry can be asked for a completion."""
    asked = desired.proof == "completion"
    return Path(path).read_text().strip() if asked and path and Path(path).exists() else None


if __name__ == "__main__":
    main()
