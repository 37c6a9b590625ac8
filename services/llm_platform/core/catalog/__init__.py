"""The catalogue of services, ``deploy/catalog.yml``: what each needs, listens on and lets in."""

from llm_platform.core.catalog.model import DEFAULT_PATH, GENERATIONS, Catalog, Network, load, parse

__all__ = ["DEFAULT_PATH", "GENERATIONS", "Catalog", "Network", "load", "parse"]
