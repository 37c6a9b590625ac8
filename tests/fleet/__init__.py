"""The platform's services as real processes on the loopback, over mTLS, as the deployment would run them."""

from tests.fleet.fleet import Fleet

__all__ = ["Fleet"]
