"""LiteLLM's proxy, one worker, with a master key and no database."""

from __future__ import annotations

from pathlib import Path

import yaml

from bench.contestant import Contestant
from bench.python import environment

VERSION = "1.106.0"


class LiteLlm(Contestant):
    name = "LiteLLM"

    @classmethod
    def install(cls) -> None:
        _python()

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "litellm.yaml"
        parameters = {"model": "openai/gpt-4o-mini", "api_base": self.upstream, "api_key": "sk-upstream"}
        config.write_text(
            yaml.safe_dump(
                {
                    "model_list": [{"model_name": "gpt-4o-mini", "litellm_params": parameters}],
                    "general_settings": {"master_key": "sk-bench"},
                    "litellm_settings": {"telemetry": False},
                }
            )
        )
        program = _python().with_name("litellm")
        self.launch(
            [
                str(program),
                "--config",
                str(config),
                "--num_workers",
                "1",
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
            ],
            {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
        )


def _python() -> Path:
    return environment(f"litellm-{VERSION}", [f"litellm[proxy]=={VERSION}"])
