"""A provider's own id of a call: what its support asks for. It is theirs to choose, so nothing in it is believed."""

from __future__ import annotations

LONGEST = 128


def provider_request_id(said: str) -> str:
    """At most 128 characters, of printable ASCII: others are left out."""
    said = said[: 4 * LONGEST].strip()
    if not (said.isascii() and said.isprintable()):
        said = "".join(each for each in said if " " <= each <= "~")
    return said[:LONGEST]
