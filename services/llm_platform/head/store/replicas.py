"""The replicas of model-proxy, each asked by itself which definitions it serves, and given those in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.head.store.revisions import Revision
from llm_platform.model_proxy.interfaces import Providers
from llm_platform.proto import common_pb2, providers_pb2, routing_pb2

ANSWER_SECONDS = 1.5
"""How long a replica may take to answer."""

log = get_logger("head.replicas")

Rules = tuple[int, str]
"""Number and digest of a revision; (0, ""): the configuration file's."""
FILE: Rules = (0, "")


class Replica(NamedTuple):
    """A replica that answered."""

    rules: Rules | None
    """None: of a release that can be given none; it serves its configuration file."""
    providers: frozenset[str]
    """Names of the definitions that it has."""


class Replicas:
    """Those that can be reached: half of the addresses are empty slots at any time."""

    def __init__(self, providers: Mapping[str, Providers]) -> None:
        """By address."""
        self._providers = providers
        self._problems: dict[str, str] = {}
        self.reached: dict[str, Replica] = {}

    async def look(self) -> None:
        """Asks all of them."""
        answers = await asyncio.gather(*(self._ask(each) for each in self._providers.values()))
        self.reached = {
            address: answer for address, answer in zip(self._providers, answers, strict=True) if answer is not None
        }
        self._problems = {address: why for address, why in self._problems.items() if address in self.reached}

    async def apply(self, revision: Revision | None) -> None:
        """Gives ``revision`` (None: the configuration file) to all that serve another."""
        behind = self.others(rules_of(revision))
        await asyncio.gather(*(self._apply(address, revision) for address in behind))

    def others(self, rules: Rules) -> list[str]:
        """Addresses of the replicas that serve other rules than these."""
        return [address for address, replica in self.reached.items() if (replica.rules or FILE) != rules]

    def providers(self) -> frozenset[str] | None:
        """What all of them have; None: nobody can be asked."""
        having = [replica.providers for replica in self.reached.values()]
        return frozenset.intersection(*having) if having else None

    def problem(self, revision: Revision | None) -> str | None:
        """For readiness: who does not serve these rules, and why."""
        behind = self.others(rules_of(revision))
        return "; ".join(f"model-proxy at {each} {self._why(each)}" for each in behind) or None

    def listed(self, revision: Revision | None) -> list[routing_pb2.RulesReplica]:
        behind = set(self.others(rules_of(revision)))
        return [
            routing_pb2.RulesReplica(
                address=address,
                number=(replica.rules or FILE)[0],
                problem=self._why(address) if address in behind else "",
            )
            for address, replica in self.reached.items()
        ]

    def _why(self, address: str) -> str:
        if self.reached[address].rules is None:
            return "is of a release that takes no definitions: it serves its configuration file"
        return self._problems.get(address, "does not serve the rules in force yet")

    async def _ask(self, providers: Providers) -> Replica | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return _replica(await providers.health(common_pb2.Empty()))
        except (PlatformError, TimeoutError):
            return None

    async def _apply(self, address: str, revision: Revision | None) -> None:
        rules = self.reached[address].rules
        if rules is None:
            return
        request = providers_pb2.ApplyRequest(
            rules=_applied(rules_of(revision)),
            document=revision.document if revision is not None else None,
            before=_applied(rules),
        )
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                applied = await self._providers[address].apply(request)
                healths = await self._providers[address].health(common_pb2.Empty())
        except (PlatformError, TimeoutError) as error:
            self._note(address, error)
            return
        log.info("model-proxy serves other definitions", replica=address, number=applied.number)
        self._problems.pop(address, None)
        self.reached[address] = _replica(healths)

    def _note(self, address: str, error: PlatformError | TimeoutError) -> None:
        if isinstance(error, PlatformError) and error.code is Code.CONFLICT:
            return  # another head was faster; the next look shows what it serves
        why = error.message if isinstance(error, PlatformError) else "it did not answer in time"
        told = f"does not take the definitions: {why}"
        if self._problems.get(address) != told:
            log.warning("model-proxy does not take the definitions", replica=address, reason=why)
        self._problems[address] = told


def rules_of(revision: Revision | None) -> Rules:
    return (revision.number, revision.digest) if revision is not None else FILE


def _applied(rules: Rules) -> providers_pb2.Applied:
    return providers_pb2.Applied(number=rules[0], digest=rules[1])


def _replica(healths: providers_pb2.ProviderHealths) -> Replica:
    rules = (healths.applied.number, healths.applied.digest) if healths.HasField("applied") else None
    return Replica(rules, frozenset(health.name for health in healths.items))
