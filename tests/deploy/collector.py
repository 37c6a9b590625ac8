"""A collector of traces: takes OTLP over HTTP and keeps the spans."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """Ids are in hexadecimal; ``parent_id`` is empty at a trace's root."""

    trace_id: str
    span_id: str
    parent_id: str
    replica: str
    name: str


class Collector:
    """Listens on ``address`` while it is entered."""

    def __init__(self, address: str, port: int) -> None:
        self.spans: list[Span] = []
        self._server = ThreadingHTTPServer((address, port), self._handler())

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def trace(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                spans.extend(read(ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        return Handler


def read(exported: ExportTraceServiceRequest) -> list[Span]:
    return [
        Span(span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), replica, span.name)
        for process in exported.resource_spans
        for replica in [
            next(one.value.string_value for one in process.resource.attributes if one.key == "service.instance.id")
        ]
        for scope in process.scope_spans
        for span in scope.spans
    ]
