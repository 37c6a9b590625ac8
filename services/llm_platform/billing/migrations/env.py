"""Alembic's entry; the transaction and the lock are core/database.py's."""

from alembic import context

from llm_platform.billing import schema_derived  # noqa: F401 - its tables belong to the same metadata
from llm_platform.billing.schema import metadata
from llm_platform.core.database import migrate

migrate(context, metadata)
