"""``python -m llm_platform.core.migration PACKAGE``: migrates the database whose URL is on standard input.

The other half of ``core/database.py: migrate_apart``. A failure's reason goes to standard output, status 1.
"""

from __future__ import annotations

import asyncio
import sys

from llm_platform.core.database import UnusableDatabaseError, open_database


async def _migrate(url: str, package: str) -> int:
    try:
        async with open_database(url, package):
            return 0
    except UnusableDatabaseError as error:
        sys.stdout.write(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(_migrate(sys.stdin.read(), sys.argv[1])))
