#!/usr/bin/python
"""Ansible module: which certificates of this host are due, and the requests for them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llm_platform_certificates
short_description: Requests for the certificates that are missing or to be renewed on this host
description:
  - Puts the authorities into each identity's directory, makes keys that do not exist, and returns a signing request
    for each certificate that is missing, has wrong names, another issuer or key, or too few days left.
  - With C(signed), installs certificates.
options:
  directory: {description: Directory that holds one directory for each identity., type: path, required: true}
  identities: {description: Names of the catalogue., type: list, elements: str, required: true}
  trust_domain: {description: Domain of the names in the certificates., type: str, required: true}
  authorities: {description: "PEM bundle; the first issues, more are trusted too.", type: str, required: true}
  renew_days: {description: Renew what has fewer days left., type: int, default: 30}
  uid: {description: User and group id that owns the files., type: int, required: true}
  signed: {description: Identity -> PEM certificate., type: dict, default: {}}
requirements: [cryptography]
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Ask which certificates are due
  llm_platform_certificates:
    directory: /etc/llm-platform/pki
    identities: [tail, head]
    trust_domain: dev.llm-platform.internal
    authorities: "{{ lookup('ansible.builtin.file', 'authority.pem') }}"
    uid: 10001
"""

RETURN = r"""
requests: {description: Identity -> PEM signing request., type: dict, returned: always}
changes: {description: "The due certificates by why they are.", type: list, elements: dict, returned: always}
"""

from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    from ansible.module_utils.certificates import PUBLIC_MODE, Identity, prepare, write
    from cryptography import x509
except ImportError:
    x509 = None  # type: ignore[assignment]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "identities": {"type": "list", "elements": "str", "required": True},
            "trust_domain": {"required": True},
            "authorities": {"required": True},
            "renew_days": {"type": "int", "default": 30},
            "uid": {"type": "int", "required": True},
            "signed": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    if x509 is None:
        module.fail_json(msg=missing_required_lib("cryptography"))
    given, requests, changed = module.params, {}, False
    due: dict[str, list[str]] = {}
    authority = x509.load_pem_x509_certificates(given["authorities"].encode())[0]
    for name in given["identities"]:
        identity = Identity(name, given["trust_domain"], Path(given["directory"], name))
        if not module.check_mode:
            changed |= prepare(identity, given["authorities"], given["uid"])
        if name in given["signed"] and not module.check_mode:
            certificate = given["signed"][name].encode()
            write(identity.directory / "certificate.pem", certificate, PUBLIC_MODE, given["uid"])
            changed = True
        reason = identity.reason_to_issue(authority, given["renew_days"], datetime.now(tz=UTC))
        if reason is None:
            continue
        due.setdefault(reason, []).append(name)
        if not module.check_mode:
            requests[name] = identity.request(identity.key_or_new(given["uid"]))
    changes = [
        {
            "replica": f"{len(names)} certificates ({', '.join(names[:3])}{', …' * (len(names) > 3)})",
            "action": "issue",
            "reason": reason,
        }
        for reason, names in due.items()
    ]
    module.exit_json(changed=changed or bool(changes), requests=requests, changes=changes)


if __name__ == "__main__":
    main()
