"""The ledger against a provider's export: what agrees, what does not, and the corrections that follow.

Only ``uncertain`` calls are corrected unless more is asked for: the others are differences for a person to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llm_platform.billing.periods import microseconds, rfc3339
from llm_platform.billing.reconciliation.books import Books
from llm_platform.billing.reconciliation.export import Coverage, ExportLine
from llm_platform.billing.records import UsageCounts
from llm_platform.proto import common_pb2, ledger_pb2

if TYPE_CHECKING:
    from llm_platform.billing.interfaces import Ledger

ACCEPTED = {
    "uncertain": frozenset({"uncertain"}),
    "estimated": frozenset({"uncertain", "estimated"}),
    "all": frozenset({"uncertain", "estimated", "exact"}),
}
"""Which calls are charged anew by what the export says of them, by their certainty."""
_RESOLVED_AT_ONCE = 500
_ALWAYS_COMPARED = ("input_tokens", "output_tokens")

Difference = dict[str, Any]


@dataclass
class Comparison:
    """``tell`` gets every difference as it is found. ``counts`` and the sums (nano-dollars) are whole at the end."""

    ledger: Ledger
    books: Books
    coverage: Coverage
    accept: str
    dry_run: bool
    tell: Callable[[Difference], None]
    counts: Counter[str] = field(default_factory=Counter)
    charged: int = 0
    """By the ledger for the calls of the period and of the export, after the corrections."""
    adjusted: int = 0

    async def run(self) -> None:
        """Raises PlatformError. What was corrected by then stays; run it again for the rest."""
        await self._compare_the_period()
        await self._look_for_the_rest()
        for line in self.books.charged_again():
            self._differs("charged_again", None, line)
        await self._resolve_what_is_absent()

    async def _compare_the_period(self) -> None:
        async for attempts in self._pages(unresolved=False):
            lines = self.books.of(attempts)
            await self._compare(attempts, lines)
            for attempt in attempts:
                if attempt.attempt_id not in lines:
                    self._missing_there(attempt)

    async def _look_for_the_rest(self) -> None:
        """Lines of calls from outside the period, or of which the ledger knows nothing (any more)."""
        after = 0
        removed_before = (await self.ledger.retention(common_pb2.Empty())).removed_before
        archived_until = microseconds("removed_before", removed_before) if removed_before else 0
        while lines := self.books.unmatched(after=after):
            after = lines[-1].number
            found = await self._calls_of(lines)
            asked = {line.number for line in lines}
            matched = {name: line for name, line in self.books.of(found).items() if line.number in asked}
            await self._compare(found, matched)
            known = {line.number for line in matched.values()}
            for line in lines:
                if line.number in known:
                    continue
                if 0 < line.at < archived_until:
                    self.counts["archived"] += 1
                else:
                    self._differs("missing_here", None, line)

    async def _calls_of(self, lines: Sequence[ExportLine]) -> list[ledger_pb2.Attempt]:
        """By what the lines say of them: our id, or else the provider's own."""
        query = ledger_pb2.AttemptsQuery
        named = query(attempt_ids=[line.attempt_id for line in lines if line.attempt_id])
        unnamed = [line.request_id for line in lines if not line.attempt_id]
        theirs = query(provider=self.coverage.provider, provider_request_ids=unnamed)
        found = list((await self.ledger.attempts(named)).items) if named.attempt_ids else []
        if unnamed:
            found += (await self.ledger.attempts(theirs)).items
        return found

    async def _resolve_what_is_absent(self) -> None:
        """An uncertain call that complete books of its time do not have was not charged, if it is known of each line
        which call it is of."""
        conclusive = self.coverage.complete and self.books.names_all_calls()
        async for attempts in self._pages(unresolved=True):
            lines = self.books.of(attempts)
            missing = [attempt for attempt in attempts if attempt.attempt_id not in lines]
            if not conclusive:
                for attempt in missing:
                    self._differs("uncertain", attempt, None)
                continue
            absent = [ledger_pb2.Resolution(attempt_id=attempt.attempt_id, absent=True) for attempt in missing]
            if self.dry_run:
                self.counts["absent"] += len(absent)
            for start in range(0, 0 if self.dry_run else len(absent), _RESOLVED_AT_ONCE):
                for reply in await self._resolved(absent[start : start + _RESOLVED_AT_ONCE]):
                    self.counts["absent"] += reply.made
                    self.charged += reply.adjusted

    async def _compare(self, attempts: Sequence[ledger_pb2.Attempt], lines: dict[str, ExportLine]) -> None:
        correcting: list[tuple[ledger_pb2.Attempt, ExportLine]] = []
        for attempt in attempts:
            line = lines.get(attempt.attempt_id)
            if line is None:
                continue
            self.counts["matched"] += 1
            uncertain = attempt.certainty == "uncertain" and not attempt.resolved
            if uncertain or (_differences(attempt, line) and attempt.certainty in ACCEPTED[self.accept]):
                correcting.append((attempt, line))
            elif differences := _differences(attempt, line):
                self._differs("differing", attempt, line, differences)
            else:
                self.counts["equal"] += 1
            self.charged += attempt.amount
        for start in range(0, len(correcting), _RESOLVED_AT_ONCE):
            await self._correct(correcting[start : start + _RESOLVED_AT_ONCE])

    async def _correct(self, calls: Sequence[tuple[ledger_pb2.Attempt, ExportLine]]) -> None:
        if self.dry_run:
            self.counts["corrected"] += len(calls)
            return
        replies = await self._resolved([_resolution(line) for _, line in calls])
        for (attempt, line), reply in zip(calls, replies, strict=True):
            self.charged += reply.adjusted
            if reply.error.code:
                self._differs("not_corrected", attempt, line, [reply.error.message])
                continue
            self.counts["corrected"] += reply.made
            if line.cost is not None and line.cost != reply.amount:
                self._differs("priced_otherwise", attempt, line, ["cost"], amount=reply.amount)

    async def _resolved(self, items: Sequence[ledger_pb2.Resolution]) -> list[ledger_pb2.ResolveReply]:
        replies = (await self.ledger.resolve(ledger_pb2.ResolveBatch(items=items))).items
        self.adjusted += sum(reply.adjusted for reply in replies)
        return list(replies)

    async def _pages(self, *, unresolved: bool) -> AsyncIterator[Sequence[ledger_pb2.Attempt]]:
        query = ledger_pb2.AttemptsQuery(provider=self.coverage.provider, unresolved=unresolved)
        if self.coverage.since is not None:
            query.since = rfc3339(self.coverage.since)
        if self.coverage.until is not None:
            query.until = rfc3339(self.coverage.until)
        while True:
            page = await self.ledger.attempts(query)
            yield page.items
            query.cursor = page.cursor
            if not page.cursor:
                return

    def _missing_there(self, attempt: ledger_pb2.Attempt) -> None:
        self.charged += attempt.amount
        uncertain = attempt.certainty == "uncertain" and not attempt.resolved
        if uncertain:
            return  # is looked at when every line has been
        if attempt.amount:
            self._differs("missing_there", attempt, None)
        else:
            self.counts["equal"] += 1  # neither charged for it

    def _differs(
        self,
        kind: str,
        attempt: ledger_pb2.Attempt | None,
        line: ExportLine | None,
        what: Sequence[str] = (),
        amount: int | None = None,
    ) -> None:
        self.counts[kind] += 1
        difference: Difference = {"kind": kind, "what": list(what)}
        if attempt is not None:
            charged = attempt.amount if amount is None else amount
            difference |= {"attempt_id": attempt.attempt_id, "certainty": attempt.certainty, "model": attempt.model}
            difference |= {"charged_nano_dollars": charged, "charged_usage": _counts(attempt.usage)}
        if line is not None:
            difference |= {"line": line.number, "attempt_id": line.attempt_id, "request_id": line.request_id}
            difference |= {"export_model": line.model, "export_nano_dollars": line.cost}
            difference |= {"export_usage": _counts(line.usage)}
        self.tell(difference)


def _differences(attempt: ledger_pb2.Attempt, line: ExportLine) -> list[str]:
    """The fields that differ. Kinds of tokens that the export does not tell apart are 0 in it, and are not compared."""
    differing = []
    if any(line.usage):
        for name, said in line.usage._asdict().items():
            if (said or name in _ALWAYS_COMPARED) and said != getattr(attempt.usage, name):
                differing.append(name)
    if line.cost is not None and line.cost != attempt.amount:
        differing.append("cost")
    return differing


def _resolution(line: ExportLine) -> ledger_pb2.Resolution:
    usage = common_pb2.Usage(**line.usage._asdict())
    return ledger_pb2.Resolution(attempt_id=line.attempt_id, usage=usage, cost=line.cost)


def _counts(usage: common_pb2.Usage | UsageCounts) -> dict[str, int]:
    return {name: getattr(usage, name) for name in UsageCounts._fields if getattr(usage, name)}
