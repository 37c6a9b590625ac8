"""What the modules that change containers have in common: the engine, its refusals, and the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.haproxy_socket import HaproxyError
from ansible.module_utils.replicas import Change, RolloutError

try:
    import docker
except ImportError:
    docker = None

ENGINE_SECONDS = 120


class Work(Protocol):
    """Something to be brought to its desired state; ``changes`` is what was, or in check mode would be, done so far."""

    changes: list[Change]

    def run(self) -> object:
        """Raises RolloutError, HaproxyError or what the Docker SDK raises."""


def apply(module: AnsibleModule, work_with: Callable[[Any], Work]) -> NoReturn:
    """Does the work with this host's Docker engine and ends the module with its report."""
    if docker is None:
        module.fail_json(msg=missing_required_lib("docker"))
    work: Work | None = None
    try:
        work = work_with(docker.from_env(timeout=ENGINE_SECONDS))
        work.run()
    except (RolloutError, HaproxyError) as error:
        module.fail_json(msg=str(error), **report(work))
    except docker.errors.DockerException as error:
        module.fail_json(msg=f"Docker refused: {error}", **report(work))
    module.exit_json(changed=bool(work.changes), **report(work))


def report(work: Work | None) -> dict[str, Any]:
    changes = work.changes if work else []
    lines = "".join(f"{one.line()}\n" for one in changes)
    return {"changes": [vars(one) for one in changes], "diff": {"before": "", "after": lines}}
