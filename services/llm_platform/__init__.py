"""A self-hosted LLM platform: entries, routing, provider execution, accounts, limits, money, secrets."""

__version__ = "0.1.0"
