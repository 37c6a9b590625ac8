"""The command line's entry point. Exit codes: 0 done, 1 failed, 2 wrong usage."""

from __future__ import annotations

import sys


def main() -> None:
    """``llm-gateway``."""
    if sys.argv[1:2] == ["run"]:
        from llm_platform.cli import run

        sys.exit(run.main(sys.argv[2:]))
    from llm_platform.cli import commands

    sys.exit(commands.main())


if __name__ == "__main__":
    main()
