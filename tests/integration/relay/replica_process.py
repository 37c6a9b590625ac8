"""One replica as a process of its own: serves an echo over the relay with mTLS.

    python -m tests.integration.relay.replica_process NAME DIRECTORY_OF_CERTIFICATES

Prints its port. The call's ``model`` says what happens: ``echo``; ``wait`` never answers; ``stream`` sends
one event and then nothing; ``freeze NAME`` blocks the event loop of the replica of that name for a minute.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import uvloop

from llm_platform.core import pki
from llm_platform.core.config import Config, Service, Tls
from llm_platform.proto import inference_pb2
from llm_platform.relay.server import RelayServer
from llm_platform.relay.settings import Settings
from llm_platform.rpc.credentials import SERVER_OPTIONS, Certificates, listen

TRUST_DOMAIN = "test.internal"
SETTINGS = Settings(ping_interval=0.2, hello_timeout=1.0)


class _Reply:
    def __init__(self, name: str, call: inference_pb2.Open, body: bytes) -> None:
        self.start = inference_pb2.Start(status=200, provider=name)
        self.end: inference_pb2.End | None = None
        self._call = call
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body
        if self._call.model == "stream":
            await asyncio.Event().wait()
        self.end = inference_pb2.End(attempts=1)

    async def aclose(self) -> None:
        pass


class _Echo:
    def __init__(self, name: str) -> None:
        self._name = name

    async def open(self, call: inference_pb2.Open, body: bytes) -> _Reply:
        if call.model == "wait":
            await asyncio.Event().wait()
        if call.model == f"freeze {self._name}":
            time.sleep(60)  # noqa: ASYNC251 - the point of it
        return _Reply(self._name, call, body)


def tls(directory: Path) -> Tls:
    return Tls(
        certificate=directory / pki.CERTIFICATE_FILE,
        key=directory / pki.KEY_FILE,
        authority=directory / pki.AUTHORITY_FILE,
        trust_domain=TRUST_DOMAIN,
    )


async def main(name: str, directory: Path) -> None:
    config = Config(service=Service(name="head", replica=name), tls=tls(directory))
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((RelayServer(config, _Echo(name), settings=SETTINGS).handler,))
    print(listen(server, config, 0, Certificates(tls(directory))), flush=True)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2])))
