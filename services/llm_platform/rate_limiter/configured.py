"""What the configuration states: the limits of models and providers, and how long a lease lasts."""

from __future__ import annotations

from collections.abc import Mapping

from llm_platform.core.config import Config, Limit
from llm_platform.proto import common_pb2
from llm_platform.rate_limiter.client import is_limited

LEASE_MARGIN_SECONDS = 60


def lease_seconds(config: Config) -> int:
    """A lease outlives the longest stream, then it ends by itself: its holder died."""
    return config.traffic.stream_max_seconds + LEASE_MARGIN_SECONDS


def limits_of(configured: Mapping[str, Limit]) -> dict[str, common_pb2.Limits]:
    """By name, those alone that limit something."""
    limits = {
        name: common_pb2.Limits(
            requests_per_minute=limit.requests_per_minute,
            tokens_per_minute=limit.tokens_per_minute,
            concurrency=limit.concurrency,
            requests_burst=limit.requests_burst,
            tokens_burst=limit.tokens_burst,
        )
        for name, limit in configured.items()
    }
    return {name: limit for name, limit in limits.items() if is_limited(limit)}
