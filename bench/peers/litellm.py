"""LiteLLM's proxy, one worker, with a master key and no database."""

from __future__ import annotations

import subprocess
import sys

import yaml

from bench.contestant import CACHE, Contestant

VERSION = "1.106.0"


class LiteLlm(Contestant):
    name = "LiteLLM"

    @classmethod
    def install(cls) -> None:
        environment = CACHE / f"litellm-{VERSION}"
        if (environment / "bin" / "litellm").exists():
            return
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run(
            [str(environment / "bin" / "pip"), "install", "--quiet", f"litellm[proxy]=={VERSION}"], check=True
        )

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
        program = CACHE / f"litellm-{VERSION}" / "bin" / "litellm"
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
