"""The revision known last, in a file: head starts with it while the database is away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from llm_platform.core.durable import remove_file, write_file
from llm_platform.core.logging import get_logger
from llm_platform.core.routing_document import of_text, text_of
from llm_platform.head.store.revisions import Revision

log = get_logger("head.store")


class Kept:
    """Blocks on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Revision | None:
        """None: there is none that can be read."""
        try:
            fields = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Any])
            return Revision(**{**fields, "document": of_text(fields["document"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the routing rules kept last cannot be read", path=str(self._path), reason=str(error))
            return None

    def write(self, revision: Revision | None) -> None:
        """A disk that is full or broken is only logged: the rules are in force all the same."""
        try:
            if revision is None:
                remove_file(self._path)
            else:
                fields = {**revision._asdict(), "document": text_of(revision.document)}
                write_file(self._path, msgspec.json.encode(fields))
        except OSError as error:
            log.warning("the routing rules cannot be kept", path=str(self._path), reason=error.strerror)
