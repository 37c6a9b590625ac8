"""admin-dashboard: what administrators look at and change. Wiring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from llm_platform.admin_dashboard.operations import OPERATIONS
from llm_platform.admin_dashboard.overview import open_overview
from llm_platform.dashboard import app as dashboard
from llm_platform.dashboard.audit_export import AuditExport
from llm_platform.dashboard.info import Info
from llm_platform.dashboard.usage_csv import PATH as USAGE_CSV
from llm_platform.dashboard.usage_csv import UsageCsv

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime

NAME = "admin-dashboard"
USER_PORT = 3000


async def start(runtime: Runtime) -> None:
    """Runs admin-dashboard in a process of its own."""
    from llm_platform.rpc.client import Peers

    config = runtime.config
    peers = await runtime.enter(Peers(config))
    server = dashboard.Dashboard(config, NAME, OPERATIONS, peers.remote, runtime.health)
    overview = await runtime.enter(open_overview(config, server.api, peers))
    info = Info(config, server.addresses, other_port=USER_PORT)
    server.application.add_routes(
        [
            web.get("/api/info", info.serve),
            web.get("/api/overview", overview.serve),
            web.get(USAGE_CSV, UsageCsv(server.api, peers.remote).serve),
            *AuditExport(server.api, peers.remote).routes(),
            web.get("/api/openapi.json", info.openapi),
        ]
    )
    await dashboard.start(runtime, server, peers)
