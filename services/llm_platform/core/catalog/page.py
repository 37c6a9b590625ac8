"""The page docs/ports.md, from the catalogue: ``python -m llm_platform.core.catalog.page > docs/ports.md``."""

from __future__ import annotations

import sys

from llm_platform.core.catalog import Catalog, load

_PAGE = """\
# Ports, and who may call what

Generated from [deploy/catalog.yml](../deploy/catalog.yml), do not edit:
`python -m llm_platform.core.catalog.page > docs/ports.md`.

## Ports

*Port* is where a container listens, and the contract's way in. *Slot ports* are what a host publishes for the
replicas of a gRPC listener, one for each slot (two generations a replica), so that callers on other hosts balance
over replicas themselves. Everything gRPC is mTLS.

{ports}
## Who may call what

A server refuses any other caller, by the name in the peer's certificate, and any method that is not listed.

{callers}
## What people may do

The delegates ({delegates}) call on behalf of whoever signed in there: each call carries that person's token, and the
server refuses roles that are not listed. `platform/ROLE` is a role in the platform's own organisation; `anyone`
needs no token. What a role may see and change is narrowed further to its organisation by the service itself.

{roles}
## Rollout order

{waves}
"""


def page(catalog: Catalog) -> str:
    """The whole page, in Markdown."""
    waves = [f"{number}. {', '.join(wave)}" for number, wave in enumerate(catalog.waves(), start=1)]
    return _PAGE.format(
        ports=catalog.port_table(),
        callers=_caller_table(catalog),
        waves="\n".join(waves),
        delegates=", ".join(catalog.delegates) or "none",
        roles=_role_table(catalog),
    )


def _caller_table(catalog: Catalog) -> str:
    lines = ["| service | method | callers |", "|---|---|---|"]
    for name, service in catalog.services.items():
        for method, callers in service.allow.items():
            lines.append(f"| {name} | {method} | {', '.join(callers) or 'nobody'} |")
    return "\n".join(lines) + "\n"


def _role_table(catalog: Catalog) -> str:
    lines = ["| service | method | roles |", "|---|---|---|"]
    for name, service in catalog.services.items():
        for method, listed in service.roles.items():
            lines.append(f"| {name} | {method} | {', '.join(listed) or 'nobody'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(load()))
