"""The catalogue of services, ``deploy/catalog.yml``: what each needs, listens on and lets in."""

from llm_platform.core.catalog.loading import DEFAULT_PATH, load, parse
from llm_platform.core.catalog.model import GENERATIONS, Catalog, Network

__all__ = ["DEFAULT_PATH", "GENERATIONS", "Catalog", "Network", "load", "parse"]
