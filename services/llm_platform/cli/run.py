"""``llm-gateway run SERVICE``: one service in a process of its own.

It is kept apart from the other commands so that a service's process imports neither Typer nor Rich,
nor any other service.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from llm_platform.core.config import Config
from llm_platform.core.config.file import ConfigError, Loaded, read


class _Service(NamedTuple):
    module: str
    public: bool = False
    """Answers the health paths on its own HTTP port."""


SERVICES = {
    "tail": _Service("llm_platform.tail.app", public=True),
    "gateway": _Service("llm_platform.gateway.app", public=True),
    "head": _Service("llm_platform.head.app"),
    "model-proxy": _Service("llm_platform.model_proxy.app"),
    "secrets-service": _Service("llm_platform.secrets_service.app"),
    "auth-service": _Service("llm_platform.auth_service.app"),
    "billing": _Service("llm_platform.billing.app"),
    "rate-limiter": _Service("llm_platform.rate_limiter.app"),
    "admin-dashboard": _Service("llm_platform.admin_dashboard.app", public=True),
    "user-dashboard": _Service("llm_platform.user_dashboard.app", public=True),
}


def main(arguments: Sequence[str]) -> int:
    """Runs the service until it is told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="llm-gateway run", description="Runs one service of the platform, connected to the others by mTLS."
    )
    parser.add_argument("service", choices=SERVICES, metavar="SERVICE", help=", ".join(SERVICES))
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the service's configuration file")
    chosen = parser.parse_args(arguments)
    try:
        loaded = read(chosen.config, os.environ)
    except ConfigError as error:
        print(f"The configuration is refused:\n{error}", file=sys.stderr)
        return 1
    return run_service(chosen.service, loaded, lambda: read(chosen.config, os.environ).config)


def run_service(name: str, loaded: Loaded, reread: Callable[[], Config]) -> int:
    """Runs ``name``, whatever the configuration calls the process. ``reread`` gives the configuration as it is now."""
    from llm_platform.core import lifecycle, logging

    config = loaded.config
    config = config.model_copy(update={"service": config.service.model_copy(update={"name": name})})
    service = SERVICES[name]

    async def start(runtime: lifecycle.Runtime) -> None:
        log = logging.get_logger("config")
        for notice in loaded.notices:
            log.warning(notice)
        module = importlib.import_module(service.module)
        await cast("lifecycle.Start", module.start)(runtime)

    return lifecycle.run(config, start, public=service.public, reread=reread)
