#!/usr/bin/python
"""Ansible module: an image of the platform, built on this machine when its inputs changed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llm_platform_image
short_description: Build an image of the platform when its inputs changed
description:
  - Names an image after the digest of its inputs and builds it with BuildKit unless it exists already.
  - The build context holds the inputs and nothing else. The CA bundle and pip's, npm's and apt's configuration of
    this machine are given as secrets and never enter a layer.
options:
  name: {description: Repository part of the image's name., type: str, required: true}
  root: {description: Directory the other paths are relative to., type: path, required: true}
  dockerfile: {description: Path of the Dockerfile., type: str, required: true}
  inputs: {description: Files and directories the image is made from., type: list, elements: str, required: true}
  arguments: {description: Build arguments., type: dict, default: {}}
  target: {description: Stage to build instead of the last., type: str}
  pip_configuration: {description: Output of C(pip config list)., type: str, default: ""}
  npm_configuration: {description: "Lines of an .npmrc that say where packages come from.", type: str, default: ""}
  ca_bundle: {description: CA bundle that this network needs., type: path}
  http_proxy: {description: Proxy for the package mirror., type: str, default: ""}
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Build HAProxy's image
  llm_platform_image:
    name: llm-platform-haproxy
    root: "{{ platform_root }}"
    dockerfile: deploy/images/haproxy/Dockerfile
    inputs: []
    arguments: {BASE: "{{ base.reference }}"}
"""

RETURN = r"""
reference: {description: Name and tag., type: str, returned: always}
id: {description: Image id; empty when it would be built in check mode., type: str, returned: always}
seconds: {description: How long the build took., type: float, returned: always}
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.images import ImageError, PackageAccess, Recipe, build, image_id

ACCESS = {
    "pip_configuration": {"default": ""},
    "npm_configuration": {"default": "", "no_log": True},
    "ca_bundle": {"type": "path"},
    "http_proxy": {"default": ""},
}
RECIPE = {
    "name": {"required": True},
    "root": {"type": "path", "required": True},
    "dockerfile": {"required": True},
    "inputs": {"type": "list", "elements": "str", "required": True},
    "arguments": {"type": "dict", "default": {}},
    "target": {},
}


def main() -> None:
    module = AnsibleModule(argument_spec=RECIPE | ACCESS, supports_check_mode=True)
    given = {key: module.params[key] for key in RECIPE}
    recipe = Recipe(**{**given, "root": Path(given["root"])})
    started = time.monotonic()
    try:
        reference, made = recipe.reference(), image_id(recipe.reference())
        changed = made is None
        if changed and not module.check_mode:
            reference, made = build(recipe, access(module.params))
    except ImageError as error:
        module.fail_json(msg=str(error))
    seconds = round(time.monotonic() - started, 1)
    change = {
        "replica": given["name"],
        "action": "build",
        "reason": "there is none of these inputs",
        "seconds": seconds,
    }
    module.exit_json(
        changed=changed, reference=reference, id=made or "", seconds=seconds, changes=[change] if changed else []
    )


def access(params: dict[str, str]) -> PackageAccess:
    bundle = Path(params["ca_bundle"]) if params["ca_bundle"] else None
    return PackageAccess(
        params["pip_configuration"],
        params["npm_configuration"],
        bundle if bundle and bundle.exists() else None,
        params["http_proxy"],
    )


if __name__ == "__main__":
    main()
