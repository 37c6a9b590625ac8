#!/usr/bin/python
"""Ansible module: brings this host's HAProxy to its desired state without dropping a connection."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llm_platform_proxy
short_description: Run HAProxy on this host and change it without dropping a connection
description:
  - Starts the HAProxy container, reloads it when only the configuration changed, and replaces it by a second
    container that takes over the listeners when the image changed.
  - A configuration that HAProxy refuses changes nothing.
options:
  image: {description: Image id or digest., type: str, required: true}
  release: {description: Release the container is labelled with., type: str, required: true}
  configuration: {description: The text of haproxy.cfg., type: str, required: true}
  directory: {description: Directory on the host for the configuration and the sockets., type: path, required: true}
  uid: {description: User and group id HAProxy runs as., type: int, required: true}
requirements: ["docker (Python SDK) >= 5.0"]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Run HAProxy
  llm_platform_proxy:
    image: "{{ platform_images.haproxy.id }}"
    release: "{{ platform_release }}"
    configuration: "{{ lookup('template', 'haproxy.cfg.j2') }}"
    directory: /var/lib/llm-platform/haproxy
    uid: 10001
"""

RETURN = r"""
changes: {description: What was done or would be., type: list, elements: dict, returned: always}
"""

from ansible.module_utils.apply import apply
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.proxy import DesiredProxy, Proxy


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "configuration": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "uid": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    desired = DesiredProxy(**module.params)
    apply(module, lambda engine: Proxy(engine, desired, check=module.check_mode))


if __name__ == "__main__":
    main()
