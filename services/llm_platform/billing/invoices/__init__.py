"""Invoices: what an organisation, a team or a user owes for a period (docs/usage.md)."""
