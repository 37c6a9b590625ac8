"""Where spans go: a collector by OTLP over HTTP, or a file of JSON lines. Imported only when telemetry is enabled."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from opentelemetry.exporter.http.transport._urllib3 import Urllib3HTTPTransport
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from llm_platform.core.config import Config


def open_provider(config: Config) -> TracerProvider:
    """A provider that samples everything it is asked for: the decision fell at the entry."""
    service, telemetry = config.service, config.telemetry
    resource = Resource.create(
        {
            "service.name": telemetry.service_name or service.name,
            "service.version": service.version,
            "service.instance.id": service.replica,
            "deployment.environment.name": service.environment,
        }
    )
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            _exporter(telemetry.endpoint or "http://127.0.0.1:4318"),
            max_queue_size=4096,
            schedule_delay_millis=1000,
            max_export_batch_size=512,
        )
    )
    return provider


def _exporter(endpoint: str) -> SpanExporter:
    parts = urlsplit(endpoint)
    if parts.scheme == "file":
        return FileExporter(Path(parts.path))
    # By itself the exporter takes requests for its transport, which costs each process 5 MB more.
    transport = Urllib3HTTPTransport(verify=os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or True, cert=None)
    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5, _transport=transport)


class FileExporter(SpanExporter):
    """Appends a JSON object a span. Several processes may share the file: a batch is one write."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        lines = b"".join(msgspec.json.encode(_plain(span)) + b"\n" for span in spans)
        with self._lock:
            try:
                self._file.write(lines)
            except (OSError, ValueError):
                return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        with self._lock:
            self._file.close()


def _plain(span: ReadableSpan) -> dict[str, object]:
    context = span.get_span_context()
    return {
        "trace_id": f"{context.trace_id:032x}" if context else "",
        "span_id": f"{context.span_id:016x}" if context else "",
        "parent_id": f"{span.parent.span_id:016x}" if span.parent else "",
        "name": span.name,
        "kind": span.kind.name.lower(),
        "service": span.resource.attributes.get("service.name"),
        "replica": span.resource.attributes.get("service.instance.id"),
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "status": span.status.status_code.name.lower(),
        "attributes": dict(span.attributes or {}),
    }
