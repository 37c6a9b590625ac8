"""Whose limits a call is under at the entry: its key's, user's, team's, organisation's, and those of the model."""

from __future__ import annotations

from llm_platform.core.config import Config
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.client import is_limited
from llm_platform.rate_limiter.configured import limits_of


class CallScopes:
    """Puts together what accounts say of a key and what the configuration says of keys and models."""

    def __init__(self, config: Config) -> None:
        traffic = config.traffic
        self._defaults = common_pb2.Limits(
            requests_per_minute=traffic.requests_per_minute or config.security.rate_limit_rpm,
            tokens_per_minute=traffic.tokens_per_minute,
            concurrency=traffic.concurrency,
            requests_burst=traffic.requests_burst,
            tokens_burst=traffic.tokens_burst,
        )
        self._models = {
            name: limiter_pb2.Scope(subject=f"model:{name}", limits=limits)
            for name, limits in limits_of(config.limits.models).items()
        }

    def quota_name(self, key_id: str, model: str) -> str:
        """Calls of the same name are under the same limits, while those do not change."""
        return f"{key_id} {model}" if model in self._models else key_id

    def of_key(self, principal: common_pb2.Principal) -> common_pb2.Limits:
        """The key's own limits; for each that it lacks the configured one. A burst goes with its limit."""
        own, defaults = principal.limits, self._defaults
        return common_pb2.Limits(
            requests_per_minute=own.requests_per_minute or defaults.requests_per_minute,
            tokens_per_minute=own.tokens_per_minute or defaults.tokens_per_minute,
            concurrency=own.concurrency or defaults.concurrency,
            requests_burst=own.requests_burst if own.requests_per_minute else defaults.requests_burst,
            tokens_burst=own.tokens_burst if own.tokens_per_minute else defaults.tokens_burst,
        )

    def beside_key(self, principal: common_pb2.Principal, model: str) -> list[limiter_pb2.Scope]:
        """The further scopes that have limits, without an estimate yet."""
        scopes = []
        if principal.HasField("user_limits") and is_limited(principal.user_limits):
            scopes.append(limiter_pb2.Scope(subject=f"user:{principal.user_id}", limits=principal.user_limits))
        if principal.HasField("team_limits") and is_limited(principal.team_limits):
            scopes.append(limiter_pb2.Scope(subject=f"team:{principal.team_id}", limits=principal.team_limits))
        if principal.HasField("organization_limits") and is_limited(principal.organization_limits):
            name = f"organization:{principal.organization_id}"
            scopes.append(limiter_pb2.Scope(subject=name, limits=principal.organization_limits))
        if (scope := self._models.get(model)) is not None:
            scopes.append(limiter_pb2.Scope(subject=scope.subject, limits=scope.limits))
        return scopes
