"""Alembic's entry; the transaction and the lock are core/database.py's."""

from alembic import context

import llm_platform.auth_service.audit.schema
import llm_platform.auth_service.sessions.schema  # noqa: F401 - their tables are of the same metadata
from llm_platform.auth_service.schema import metadata
from llm_platform.core.database import migrate

migrate(context, metadata)
