from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from llm_platform.core.config import Config, Listen
from llm_platform.core.config.model import Dashboard as Settings
from llm_platform.core.errors import CannotStartError, Code, PlatformError
from llm_platform.core.health import Health
from llm_platform.dashboard.app import Dashboard
from llm_platform.dashboard.pages import Pages
from llm_platform.user_dashboard.operations import OPERATIONS


class Away:
    """A service that cannot be reached."""

    def __getattr__(self, name: str) -> Callable[[Any], Awaitable[Any]]:
        async def call(_request: Any) -> Any:
            raise PlatformError(Code.UNAVAILABLE, f"The service of {name} cannot be reached.", retry_after=1)

        return call


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<title>Page %NONCE%</title>")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "page.js").write_text("export {};")
    (tmp_path / "assets" / "page.js.br").write_bytes(b"packed")
    return tmp_path


@pytest.fixture
def dashboard(root: Path) -> Dashboard:
    config = Config(listen=Listen(http=0), dashboard=Settings(web_root=root))
    return Dashboard(config, "user-dashboard", OPERATIONS, lambda _port: Away(), Health(config))


@pytest.fixture
async def url(dashboard: Dashboard) -> AsyncIterator[str]:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"the first half")
        raise PlatformError(Code.UNAVAILABLE, "The second half is away.")

    dashboard.application.add_routes([web.get("/breaks", breaks)])
    async with dashboard.serving() as port:
        yield f"http://127.0.0.1:{port}"


async def test_an_answer_that_fails_in_its_middle_does_not_look_whole(url: str) -> None:
    async with aiohttp.ClientSession() as client, client.get(f"{url}/breaks") as reply:
        assert reply.status == 200
        with pytest.raises(aiohttp.ClientError):
            await reply.read()


async def test_a_service_that_is_away_is_named(url: str) -> None:
    async with aiohttp.ClientSession(cookies={"llm_session": "x"}) as client, client.get(f"{url}/api/keys") as reply:
        problem = await reply.json(content_type="application/problem+json")
    assert (reply.status, problem["code"], problem["retry_after"]) == (503, "unavailable", 1)
    assert reply.headers["retry-after"] == "1"


async def test_an_asset_is_sent_packed_to_who_can_unpack_it(url: str) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        async with client.get(f"{url}/assets/page.js", headers={"accept-encoding": "br"}) as packed:
            assert (packed.headers["content-encoding"], await packed.read()) == ("br", b"packed")
            assert packed.content_type == "text/javascript"
        async with client.get(f"{url}/assets/page.js", headers={"accept-encoding": "identity"}) as plain:
            assert await plain.read() == b"export {};"
            assert "content-encoding" not in plain.headers


def test_without_built_pages_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match="make web"):
        Pages(tmp_path)
