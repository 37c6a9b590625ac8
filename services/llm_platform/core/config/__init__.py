"""Configuration of every service: its model (``model.py``), read from a file and the environment (``file.py``)."""

from llm_platform.core.config.model import (
    Auth,
    Billing,
    Cache,
    Config,
    Listen,
    Logging,
    Provider,
    Routing,
    Security,
    Service,
    Stores,
    Telemetry,
    Tls,
    Traffic,
    Vault,
)

__all__ = [
    "Auth",
    "Billing",
    "Cache",
    "Config",
    "Listen",
    "Logging",
    "Provider",
    "Routing",
    "Security",
    "Service",
    "Stores",
    "Telemetry",
    "Tls",
    "Traffic",
    "Vault",
]
