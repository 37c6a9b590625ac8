"""One reconciliation, from the file to the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_platform.billing.periods import rfc3339
from llm_platform.billing.reconciliation.books import Books
from llm_platform.billing.reconciliation.comparison import Comparison, Difference
from llm_platform.billing.reconciliation.export import Coverage, ExportFile
from llm_platform.core.errors import Code, PlatformError

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger

KINDS = (
    "matched",
    "equal",
    "corrected",
    "absent",
    "archived",
    "differing",
    "priced_otherwise",
    "not_corrected",
    "missing_here",
    "missing_there",
    "uncertain",
    "charged_again",
)
"""What the report counts; docs/usage.md says what each is."""
DIFFERENCES = KINDS[5:]


@dataclass(frozen=True)
class Wanted:
    """What the export does not say of itself, and how far it is believed."""

    coverage: Coverage
    accept: str = "uncertain"
    dry_run: bool = False


async def reconcile(
    ledger: Ledger,
    path: Path,
    wanted: Wanted,
    tell: Callable[[Difference], None],
    *,
    clock: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """The report without the differences, which ``tell`` gets. The whole file is checked before anything is changed.

    Raises INVALID_REQUEST, OSError, and what the ledger raises.
    """
    export = ExportFile(path)
    with Books() as books:
        lines = books.load(export.lines())
        coverage = _covered(export.coverage, wanted.coverage, int(clock() * 1_000_000))
        comparison = Comparison(ledger, books, coverage, wanted.accept, wanted.dry_run, tell)
        await comparison.run()
        return {
            "provider": coverage.provider,
            "since": None if coverage.since is None else rfc3339(coverage.since),
            "until": None if coverage.until is None else rfc3339(coverage.until),
            "complete": coverage.complete,
            "dry_run": wanted.dry_run,
            "lines": lines,
            **{kind: comparison.counts[kind] for kind in KINDS},
            "export_nano_dollars": books.cost(),
            "charged_nano_dollars": comparison.charged,
            "adjusted_nano_dollars": comparison.adjusted,
        }


def _covered(said: Coverage, wanted: Coverage, now: int) -> Coverage:
    """What the export covers: by itself, or else as it was asked for."""
    if said.provider and said.provider != wanted.provider:
        raise _invalid(f"The export is one of {said.provider}.", "provider")
    since = wanted.since if said.since is None else said.since
    until = wanted.until if said.until is None else said.until
    complete = said.complete or wanted.complete
    if complete and (since is None or until is None):
        raise _invalid("Which time is the export complete for? Give since and until.", "since")
    if since is not None and until is not None and since > until:
        raise _invalid("The export ends before it begins.", "until")
    if complete and until is not None and until > now:
        raise _invalid("An export cannot be complete for a time that has not passed.", "until")
    return Coverage(wanted.provider, since, until, complete)


def _invalid(message: str, param: str) -> PlatformError:
    return PlatformError(Code.INVALID_REQUEST, message, param=param)
