"""Which service may do what with which paths. What is not permitted is refused.

A pattern is a path, ``PREFIX/**`` (all below it) or ``**`` (all).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from llm_platform.core.actor import READ_ONLY, actor, is_over_all
from llm_platform.core.config import SecretsRule
from llm_platform.core.errors import Code, PlatformError
from llm_platform.rpc.caller import caller

_ALL = ["**"]

DEFAULT: Mapping[str, SecretsRule] = {
    "model-proxy": SecretsRule(read=["llm/**"]),
    "head": SecretsRule(read=["ruvector-api-key"]),
    "billing": SecretsRule(read=["billing/**"]),
    "auth-service": SecretsRule(read=["auth/**"]),
    "admin-dashboard": SecretsRule(write=_ALL, see=_ALL),  # a value is never shown again
    "operator": SecretsRule(read=_ALL, write=_ALL),
    "standalone": SecretsRule(read=_ALL, write=_ALL),
}
"""A service that ``secrets.policy`` names has the rule from there in place of this one."""


class Right(StrEnum):
    READ = "read"
    WRITE = "write"
    SEE = "see"
    """That it is there, and all about it but the value. Whoever may read may see."""


class Policy:
    """Holds the caller (``rpc/caller.py``) and whoever acts through it (``core/actor.py``) against the rules."""

    def __init__(self, rules: Mapping[str, SecretsRule]) -> None:
        merged = {**DEFAULT, **rules}
        self._patterns: dict[str, dict[Right, Sequence[str]]] = {
            name: {
                Right.READ: tuple(rule.read),
                Right.WRITE: tuple(rule.write),
                Right.SEE: (*rule.see, *rule.read),
            }
            for name, rule in merged.items()
        }

    def permits(self, right: Right, path: str) -> bool:
        return _may_act(right) and any(_matches(pattern, path) for pattern in self._of_caller(right))

    def check(self, right: Right, path: str) -> None:
        """Raises PERMISSION_DENIED."""
        if not self.permits(right, path):
            raise _refused(f"{right} {path}")

    def check_any(self, right: Right) -> None:
        """Raises PERMISSION_DENIED when the caller has the right for no path at all."""
        if not (_may_act(right) and self._of_caller(right)):
            raise _refused(f"{right} any secret")

    def _of_caller(self, right: Right) -> Sequence[str]:
        return self._patterns.get(caller.get(), {}).get(right, ())


def _may_act(right: Right) -> bool:
    """Of people only those who administer the platform; who may look at it sees what there is."""
    who = actor.get()
    return is_over_all(who) or (right is Right.SEE and who.platform and who.role == READ_ONLY)


def _matches(pattern: str, path: str) -> bool:
    if pattern.endswith("**"):
        return path.startswith(pattern[:-2])
    return path == pattern


def _refused(what: str) -> PlatformError:
    return PlatformError(
        Code.PERMISSION_DENIED, f"{caller.get()} may not {what}; secrets.policy of secrets-service says who may."
    )
