"""model-proxy: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_platform.billing.interfaces import LEDGER, Ledger
from llm_platform.core.config import Config
from llm_platform.core.inference import Inference
from llm_platform.model_proxy.interfaces import PROVIDERS, Providers
from llm_platform.secrets_service.interfaces import SECRETS, Secrets

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime


@dataclass(frozen=True)
class ModelProxy:
    """What model-proxy gives to the process that it runs in."""

    inference: Inference
    providers: Providers
    drain: Callable[[], Awaitable[None]]
    """Refuses new calls and returns when the open ones have ended and billing knows of them."""


@asynccontextmanager
async def open_model_proxy(config: Config, secrets: Secrets, ledger: Ledger) -> AsyncIterator[ModelProxy]:
    """The real object: providers, the journal of attempts and its delivery to billing."""
    raise NotImplementedError
    yield


async def start(runtime: Runtime) -> None:
    """Runs model-proxy in a process of its own."""
