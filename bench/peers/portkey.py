"""Portkey's open-source gateway (Node)."""

from __future__ import annotations

import json
import subprocess

from bench.contestant import CACHE, Contestant

VERSION = "1.15.2"
PACKAGE = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": VERSION},
    # Newer ones break its streaming.
    "overrides": {"@hono/node-server": "1.13.8"},
}


class Portkey(Contestant):
    name = "Portkey"

    @classmethod
    def install(cls) -> None:
        directory = CACHE / f"portkey-{VERSION}"
        if (directory / "node_modules" / "@portkey-ai" / "gateway").exists():
            return
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "package.json").write_text(json.dumps(PACKAGE))
        subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit"], cwd=directory, check=True)

    def start(self) -> None:
        program = (
            CACHE / f"portkey-{VERSION}" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
        )
        self.launch(
            ["node", str(program), f"--port={self.port}", "--headless"],
            {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"},
        )

    def headers(self) -> dict[str, str]:
        return {
            **super().headers(),
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": self.upstream,
        }
