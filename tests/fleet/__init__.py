"""The platform's services as real processes on the loopback, over mTLS, as the deployment would run them."""

from tests.fleet.fleet import Fleet
from tests.fleet.stores import ProductionStores

__all__ = ["Fleet", "ProductionStores"]
