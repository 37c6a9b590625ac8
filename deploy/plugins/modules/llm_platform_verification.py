#!/usr/bin/python
"""Ansible module: tries what a client and an intruder would try on this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: llm_platform_verification
short_description: Try what a client and an intruder would try on this host
description:
  - Asks each public entry for a completion of the built-in model C(echo), buffered and streamed, and without a key,
    and each dashboard for its page and, without a session, for who is signed in.
  - Holds a connection without certificate against each internal port, and looks at the certificates' lifetimes.
  - Fails with everything that went wrong.
options:
  entries: {description: "Public entry -> port.", type: dict, default: {}}
  dashboards: {description: "Dashboard -> port.", type: dict, default: {}}
  internal: {description: "Internal service -> port.", type: dict, default: {}}
  key_file: {description: File with an API key for the entries., type: path, required: true}
  certificates: {description: Certificate files., type: list, elements: path, default: []}
  least_days: {description: Days that a certificate must have left., type: int, default: 7}
  patience: {description: Seconds in which an entry may come up., type: int, default: 20}
requirements: [cryptography]
attributes:
  check_mode: {support: full}
"""

EXAMPLES = r"""
- name: Try the entries
  llm_platform_verification:
    entries: {tail: 8000}
    key_file: /etc/llm-platform/verification.key
"""

RETURN = r"""
notes: {description: What was tried and how long it took., type: list, returned: success}
checks: {description: "Each check: name, problem, seconds.", type: list, returned: always}
"""

from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.verification import (
    Check,
    Dashboard,
    Entry,
    certificate_lifetime,
    refusal_without_certificate,
    timed,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "entries": {"type": "dict", "default": {}},
            "dashboards": {"type": "dict", "default": {}},
            "internal": {"type": "dict", "default": {}},
            "key_file": {"type": "path", "required": True, "no_log": False},
            "certificates": {"type": "list", "elements": "path", "default": []},
            "least_days": {"type": "int", "default": 7},
            "patience": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    given = module.params
    checks: list[Check] = []
    try:
        key = Path(given["key_file"]).read_text().strip() if given["entries"] else ""
    except OSError as error:
        module.fail_json(msg=f"There is no key to verify with ({error}): deploy first.", checks=[])
    for name, port in given["entries"].items():
        checks += Entry(name, int(port), key).checks(given["patience"])
    for name, port in given["dashboards"].items():
        checks += Dashboard(name, int(port)).checks(given["patience"])
    for name, port in given["internal"].items():
        refusal = f"no connection to {name} without a certificate"
        checks.append(timed(refusal, lambda port=port: refusal_without_certificate("127.0.0.1", int(port))))
    for file in given["certificates"]:
        checks.append(timed(f"{Path(file).parent.name}'s certificate", certificate_lifetime(file, given["least_days"])))
    failed = [check for check in checks if check.problem]
    report = {"checks": [asdict(check) for check in checks]}
    if failed:
        module.fail_json(msg="".join(f"\n  - {check.line()}" for check in failed), **report)
    asked = [f"{check.name}  {check.seconds * 1000:.0f} ms" for check in checks if check.name.startswith("a ")]
    module.exit_json(changed=False, notes=asked, **report)


if __name__ == "__main__":
    main()
