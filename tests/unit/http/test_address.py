"""Keys that are bound to an entry, to addresses, or to an owner that calls no models."""

from __future__ import annotations

import pytest

from llm_platform.proto import common_pb2
from tests.unit.http.parts import CHAT, FixedKeys, ScriptedInference, client_of, config, entry_server

PATH = "/v1/chat/completions"


class OneKey(FixedKeys):
    """Knows one key, which may what the test says."""

    def __init__(self, **principal: object) -> None:
        super().__init__()
        self._principal = common_pb2.Principal(key_id="key_1", role="developer", **principal)  # type: ignore[arg-type]

    async def get(self, token: str) -> common_pb2.Principal:
        return self._principal


async def status_of(keys: FixedKeys, headers: dict[str, str] | None = None, proxies: list[str] | None = None) -> int:
    settings = config(security={"trusted_proxies": proxies or []})
    async with entry_server(ScriptedInference(), settings=settings, keys=keys) as server, client_of(server) as client:
        reply = await client.post(PATH, json=CHAT, headers=headers)
        if reply.status != 200:
            assert (reply.status, (await reply.json())["error"]["code"]) == (403, "permission_denied")
        return reply.status


@pytest.mark.case(23)
@pytest.mark.parametrize(
    ("entries", "status"), [([], 200), (["tail"], 200), (["gateway", "tail"], 200), (["gateway"], 403)]
)
async def test_a_key_is_taken_at_the_entries_it_is_for(entries: list[str], status: int) -> None:
    assert await status_of(OneKey(allowed_entries=entries)) == status


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("read_only", 403), ("billing_viewer", 403)]
)
async def test_an_owner_that_only_looks_calls_no_models(role: str, status: int) -> None:
    keys = OneKey()
    keys._principal.role = role
    assert await status_of(keys) == status


@pytest.mark.parametrize(
    ("ranges", "status"),
    [(["127.0.0.0/8"], 200), (["10.0.0.0/8", "127.0.0.1/32"], 200), (["10.0.0.0/8"], 403), (["::/0"], 403)],
)
async def test_a_key_is_taken_from_the_addresses_it_is_bound_to(ranges: list[str], status: int) -> None:
    assert await status_of(OneKey(ip_ranges=ranges)) == status


@pytest.mark.parametrize(
    ("forwarded", "proxies", "status"),
    [
        ("10.1.2.3", [], 403),  # anyone may write the header
        ("10.1.2.3", ["192.0.2.0/24"], 403),  # also when some other proxy is trusted
        ("10.1.2.3", ["127.0.0.1"], 200),
        ("203.0.113.9, 10.1.2.3", ["127.0.0.1"], 200),
        ("10.1.2.3, 203.0.113.9", ["127.0.0.1"], 403),  # what stands before the client's address is the client's word
        ("10.1.2.3, 192.0.2.1", ["127.0.0.1", "192.0.2.0/24"], 200),
        ("::ffff:10.1.2.3", ["127.0.0.1"], 200),
        ("10.1.2.3, nonsense", ["127.0.0.1"], 403),
        ("10.1.2.3,", ["127.0.0.1"], 403),
        ("127.0.0.1", ["127.0.0.1"], 403),
        (None, ["127.0.0.1"], 403),
    ],
)
async def test_only_a_trusted_proxy_tells_for_whom_it_forwards(
    forwarded: str | None, proxies: list[str], status: int
) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded is not None else {}
    assert await status_of(OneKey(ip_ranges=["10.0.0.0/8"]), headers, proxies) == status
