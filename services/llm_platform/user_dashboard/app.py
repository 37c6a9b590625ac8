"""user-dashboard: own keys, usage, budgets, models, and a playground. Wiring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from llm_platform.dashboard import app as dashboard
from llm_platform.dashboard.info import Info
from llm_platform.dashboard.usage_csv import PATH as USAGE_CSV
from llm_platform.dashboard.usage_csv import UsageCsv
from llm_platform.user_dashboard import playground
from llm_platform.user_dashboard.operations import OPERATIONS

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime

NAME = "user-dashboard"
ADMIN_PORT = 3001


async def start(runtime: Runtime) -> None:
    """Runs user-dashboard in a process of its own."""
    from llm_platform.rpc.client import Peers

    config = runtime.config
    peers = await runtime.enter(Peers(config))
    server = dashboard.Dashboard(config, NAME, OPERATIONS, peers.remote, runtime.health)
    trial = await runtime.enter(playground.open_playground(config, server.api))
    info = Info(config, server.addresses, other_port=ADMIN_PORT)

    async def to_admin(request: web.Request) -> web.Response:
        return web.HTTPSeeOther(info.other_url(request))

    server.application.add_routes(
        [
            web.get("/api/info", info.serve),
            web.get(USAGE_CSV, UsageCsv(server.api, peers.remote).serve),
            web.post(playground.PATH, trial.serve),
            web.get("/admin", to_admin),
            web.get("/api/openapi.json", info.openapi),
        ]
    )
    await dashboard.start(runtime, server, peers)
