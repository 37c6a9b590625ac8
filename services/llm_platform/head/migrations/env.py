"""Alembic's entry; the transaction and the lock are core/database.py's."""

from alembic import context

from llm_platform.core.database import migrate
from llm_platform.head.store.schema import metadata

migrate(context, metadata)
