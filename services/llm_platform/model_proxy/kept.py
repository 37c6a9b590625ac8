"""The definitions of head's that were applied last, in a file: a restart goes on with them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from llm_platform.core.durable import remove_file, write_file
from llm_platform.core.logging import get_logger
from llm_platform.core.routing_document import of_text, text_of
from llm_platform.proto.rules_pb2 import RoutingDocument

log = get_logger("model_proxy.kept")


class AppliedRules(NamedTuple):
    """A revision of head's."""

    number: int
    digest: str
    document: RoutingDocument


class _Content(msgspec.Struct):
    number: int
    digest: str
    document: str


class Kept:
    """Blocks on the disk. Replicas of a host share the file: it says what any of them was given last."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> AppliedRules | None:
        """None: there are none that can be read."""
        try:
            content = msgspec.json.decode(self._path.read_bytes(), type=_Content)
            return AppliedRules(content.number, content.digest, of_text(content.document))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.error("the definitions applied last cannot be read", path=str(self._path), reason=str(error))
            return None

    def write(self, rules: AppliedRules | None) -> None:
        """None: the configuration file is in force. A disk that is full or broken is only logged."""
        try:
            if rules is None:
                remove_file(self._path)
            else:
                content = _Content(rules.number, rules.digest, text_of(rules.document))
                write_file(self._path, msgspec.json.encode(content))
        except OSError as error:
            log.error(
                "the definitions cannot be kept: a restart would go back", path=str(self._path), reason=str(error)
            )
