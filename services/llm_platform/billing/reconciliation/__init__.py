"""Holds the ledger against a provider's own books (docs/usage.md)."""
