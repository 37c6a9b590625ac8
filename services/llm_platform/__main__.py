"""``python -m llm_platform`` is ``llm-gateway``."""

from llm_platform.cli.app import main

main()
