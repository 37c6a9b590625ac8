"""Archived entries leave the ledger; what they add up to stays (docs/money.md)."""
