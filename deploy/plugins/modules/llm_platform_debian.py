#!/usr/bin/python
"""Ansible module: the Debian image that every image of the platform stands on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llm_platform_debian
short_description: Have a Debian image to build on
description:
  - Keeps the newest one this machine has. If there is none, pulls Debian's own image; where no hub can be reached,
    makes the same suite with debootstrap.
options:
  suite: {description: Debian suite., type: str, required: true}
  mirror: {description: Package mirror for debootstrap., type: str, required: true}
  pull: {description: Image to pull., type: str, required: true}
  refresh: {description: Fetch it again for the latest security updates., type: bool, default: false}
requirements: [debootstrap]
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Have Debian 13
  llm_platform_debian:
    suite: trixie
    mirror: "{{ platform_debian_mirrors.archive }}"
    pull: debian:trixie-slim
"""

RETURN = r"""
reference: {description: Name and tag., type: str, returned: always}
how: {description: "present, pulled or debootstrap.", type: str, returned: always}
seconds: {description: How long it took., type: float, returned: always}
"""

import time
from datetime import UTC, datetime

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.images import Debian, ImageError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "suite": {"required": True},
            "mirror": {"required": True},
            "pull": {"required": True},
            "refresh": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    refresh = module.params.pop("refresh")
    debian, day, started = Debian(**module.params), f"{datetime.now(tz=UTC):%Y%m%d}", time.monotonic()
    try:
        reference, how = debian.present(), "present"
        changed = reference is None or refresh
        if changed and not module.check_mode:
            reference, how = debian.fetch(day)
    except ImageError as error:
        module.fail_json(msg=str(error))
    seconds = round(time.monotonic() - started, 1)
    change = {"replica": "Debian base", "action": how, "reason": "there was none", "seconds": seconds}
    module.exit_json(
        changed=changed, reference=reference or "", how=how, seconds=seconds, changes=[change] if changed else []
    )


if __name__ == "__main__":
    main()
