#!/usr/bin/python
"""Ansible module: ports that outgoing connections of this host may not take."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llm_platform_reserved_ports
short_description: Reserve ports that outgoing connections may not take
description:
  - Adds ports that lie in the range of outgoing connections to what the kernel reserves, now and at boot.
  - Where the kernel does not allow it (in some containers) it notes so and goes on.
options:
  ports: {description: Ports that the host will listen on., type: list, elements: int, required: true}
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Reserve the gRPC ports
  llm_platform_reserved_ports:
    ports: [50055, 50061]
"""

RETURN = r"""
changes: {description: What was reserved or would be., type: list, returned: always}
notes: {description: Why it could not be., type: list, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.reserved_ports import Reservation, text_of


def main() -> None:
    module = AnsibleModule(
        argument_spec={"ports": {"type": "list", "elements": "int", "required": True}}, supports_check_mode=True
    )
    reservation = Reservation()
    missing = reservation.missing(module.params["ports"])
    if not missing:
        module.exit_json(changed=False, changes=[], notes=[])
    change = {
        "replica": f"ports {text_of(missing)}",
        "action": "reserve",
        "reason": "outgoing connections could take them",
    }
    try:
        if not module.check_mode:
            reservation.reserve(missing)
    except OSError as error:
        module.exit_json(changed=False, changes=[], notes=[f"{change['replica']} cannot be reserved here: {error}"])
    module.exit_json(changed=True, changes=[change], notes=[])


if __name__ == "__main__":
    main()
