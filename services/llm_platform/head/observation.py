"""Head's metrics of inference: how calls were decided. Their length and tokens are counted where they pass."""

from __future__ import annotations

import time

from prometheus_client import Counter

from llm_platform.core import metrics
from llm_platform.core.errors import PlatformError
from llm_platform.proto import inference_pb2

SERVICE = "head"


class Observation:
    """Counts calls; children are kept, since looking one up costs more than counting."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, bool, int], Counter] = {}
        self._first_byte = metrics.time_to_first_token.labels(SERVICE)

    def answered(self, call: inference_pb2.Open, status: int, started: float) -> None:
        """``started`` is of ``time.perf_counter``."""
        self._first_byte.observe(time.perf_counter() - started)
        self._count(call, status)

    def failed(self, call: inference_pb2.Open, error: PlatformError) -> None:
        metrics.errors.labels(SERVICE, error.fault.value, error.code.value).inc()
        self._count(call, error.status)

    def _count(self, call: inference_pb2.Open, status: int) -> None:
        key = (call.dialect, call.stream, status)
        child = self._requests.get(key)
        if child is None:
            stream = "true" if call.stream else "false"
            child = metrics.requests.labels(SERVICE, call.dialect, stream, str(status))
            self._requests[key] = child
        child.inc()
