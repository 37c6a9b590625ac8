"""How many tokens a text or a call is likely to be, where no provider has counted them."""

from __future__ import annotations

BYTES_PER_TOKEN = 4
"""On average."""


def tokens_of(size: int) -> int:
    """Of ``size`` bytes of text."""
    return -(-size // BYTES_PER_TOKEN)


def estimated_tokens(prompt_bytes: int, *, max_output: int, default_output: int, choices: int) -> int:
    """What token limits hold until the provider's own count is known.

    ``max_output``: tokens, as the call asks (0: it does not say); ``default_output``: of each choice then.
    """
    return tokens_of(prompt_bytes) + (max_output or default_output * max(choices, 1))
