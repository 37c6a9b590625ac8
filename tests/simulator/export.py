"""The provider's usage export, made from its record: what ``llm-gateway ledger reconcile`` reads (docs/usage.md).

``python -m tests.simulator.export RECORD --provider openai > export.jsonl``; a running simulator answers the same at
``GET /usage-export?provider=openai``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from tests.simulator.record import Call, read

Prices = Mapping[str, tuple[int, int]]
"""By model: pico-dollars an input and an output token. A model that is not there has no cost in the export."""

_PICO = Decimal(10) ** -12
_encode = msgspec.json.Encoder().encode


def export(
    calls: Iterable[Call],
    provider: str,
    *,
    prices: Prices | None = None,
    since: float = 0.0,
    until: float | None = None,
    echoes: bool = True,
) -> Iterator[bytes]:
    """Lines of JSON: what the period covers, then each call that was charged. Times are seconds since 1970.

    ``since`` defaults to 1970, since the record is all there ever was; ``until`` to now.
    Without ``echoes`` it only has the provider's own ids. The export is not complete while a call of it is open.
    """
    end = time.time() if until is None else until
    covered = [call for call in calls if since <= call.received_at < end]
    head = {
        "provider": provider,
        "since": _rfc3339(since),
        "until": _rfc3339(end),
        "complete": all(call.state != "opened" for call in covered),
    }
    yield _encode({"export": head}) + b"\n"
    for call in covered:
        if call.prompt_tokens or call.completion_tokens:
            yield _encode(_line(call, (prices or {}).get(call.model), echoes)) + b"\n"


def _line(call: Call, price: tuple[int, int] | None, echoes: bool) -> dict[str, str | int]:
    line: dict[str, str | int] = {
        **({"attempt_id": call.attempt_id} if echoes else {"request_id": call.request_id}),
        "time": _rfc3339(call.received_at),
        "model": call.model,
        "input_tokens": call.prompt_tokens,
        "cached_input_tokens": call.cached_tokens,
        "output_tokens": call.completion_tokens,
        "reasoning_tokens": call.reasoning_tokens,
    }
    if price is not None:
        pico = call.prompt_tokens * price[0] + call.completion_tokens * price[1]
        line["cost"] = f"{pico * _PICO:f}"
    return line


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path, help="the file that the simulator recorded its calls in")
    parser.add_argument("--provider", required=True, help="the platform's name for this provider")
    arguments = parser.parse_args()
    sys.stdout.buffer.writelines(export(read(arguments.record), arguments.provider))


if __name__ == "__main__":
    main()
