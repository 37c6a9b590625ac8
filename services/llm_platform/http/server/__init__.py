"""The HTTP server of the entries, and of every service's health and metrics."""
