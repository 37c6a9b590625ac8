"""The services of the catalogue as processes, with certificates, endpoints and settings made for them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from llm_platform.core import catalog, pki
from tests.fleet.canaries import Canaries
from tests.fleet.process import ROOT, ServiceProcess
from tests.servers.ports import free_port

TRUST_DOMAIN = "test.llm-platform.internal"
DASHBOARDS = ("admin-dashboard", "user-dashboard")
ENTRIES = ("tail", "gateway")


class Fleet:
    """Starts the backend services on free ports of the loopback; use it as a context manager, asynchronous or not.

    When it ends, what it leaves behind is searched for secrets: raises LeakedError.

    ``replicas`` says how many of a service run (default 1). ``settings`` are sections of the configuration
    given to every service. Each replica also has a slot where nothing listens, as in a deployment.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        replicas: Mapping[str, int] | None = None,
        services: Iterable[str] | None = None,
        pages: Path | None = None,
        python: str = sys.executable,
    ) -> None:
        """``services``: by default all but the dashboards, whose built pages are in ``pages``. ``python`` runs them."""
        self.directory = directory
        self.python = python
        self.root = ROOT
        self.settings = dict(settings or {})
        self.pages = pages
        self.canaries = Canaries()
        self.canaries.learn(self.settings)
        self.catalog = catalog.load()
        backend = [name for name in self.catalog.services if name not in DASHBOARDS]
        self.services = list(services or backend)
        self.processes: dict[str, ServiceProcess] = {}
        self._ports: dict[tuple[str, str], int] = {}
        self._endpoints: dict[str, list[str]] = {}
        counts = {name: (replicas or {}).get(name, 1) for name in self.services}
        self._issue_certificates()
        self._choose_ports(counts)
        for name, count in counts.items():
            for number in range(1, count + 1):
                self._configure(name, f"{name}-{number}")
        self.operator_config = self._write("operator", self._configuration("operator", "operator", {}))

    def __enter__(self) -> Fleet:
        try:
            for wave in self.catalog.waves():
                starting = [one for one in self.processes.values() if one.service in wave]
                for process in starting:
                    process.start()
                for process in starting:
                    process.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.look_at_metrics()
        finally:
            self.stop()
        self.look_for_leaks()

    async def __aenter__(self) -> Fleet:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def look_at_metrics(self) -> None:
        """Raises LeakedError when a running service shows a secret."""
        for replica, process in self.processes.items():
            if process.running:
                self.canaries.look_in_metrics(self.url(replica))

    def look_for_leaks(self) -> None:
        """Raises LeakedError when a secret stands in a log, a trace, a journal, a database: in any file but those that
        gave it to the services."""
        given = {self.directory / "pki", *self.directory.glob("*.yaml")}
        files = (file for file in self.directory.rglob("*") if not given & {file, *file.parents})
        self.canaries.look_in_files(files)

    def stop(self) -> None:
        """Ends every process, the entries first; kills what does not end by itself."""
        for wave in reversed(self.catalog.waves()):
            for process in self.processes.values():
                if process.service in wave and process.running:
                    try:
                        process.terminate(10)
                    except subprocess.TimeoutExpired:
                        process.kill()

    def __getitem__(self, replica: str) -> ServiceProcess:
        return self.processes[replica]

    def replicas(self, service: str) -> list[ServiceProcess]:
        return [process for process in self.processes.values() if process.service == service]

    def url(self, replica: str) -> str:
        return f"http://127.0.0.1:{self._ports[replica, 'http']}"

    def data_dir(self, service: str) -> Path:
        return self.directory / "data" / service

    def command(self, *arguments: str, stdin: str | None = None) -> Any:
        """Runs the command line as the operator and returns what it printed as JSON."""
        if stdin is not None:
            self.canaries.add(" ".join(arguments), stdin.strip())
        done = subprocess.run(
            [
                *(sys.executable, "-m", "llm_platform"),
                *(*arguments, "--config", str(self.operator_config), "--format", "json"),
            ],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root / "services")},
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        printed = json.loads(done.stdout)
        self.canaries.learn(printed, " ".join(arguments[:2]))
        return printed

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Further sections for every service, before it starts: those that depend on its addresses."""
        self.canaries.learn(settings)
        self.settings |= settings
        for path in (*(process.config for process in self.processes.values()), self.operator_config):
            path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | dict(settings)))

    def of_release(self, root: Path) -> None:
        """What is started from now on, and the command line, are those of the checkout ``root``."""
        self.root = root
        for process in self.processes.values():
            process.root = root

    def create_key(self, name: str = "test", *options: str) -> str:
        """A new API key of the first admin."""
        return str(self.command("keys", "create", name, *options)["secret"])

    def _issue_certificates(self) -> None:
        authority = pki.issue_authority(TRUST_DOMAIN)
        for name in self.catalog.identities:
            pki.write_bundle(self.directory / "pki" / name, pki.issue_certificate(authority, name))

    def _choose_ports(self, counts: Mapping[str, int]) -> None:
        held: list[socket.socket] = []
        for name, count in counts.items():
            for number in range(1, count + 1):
                for listener in self.catalog.service(name).ports:
                    port = free_port(held)
                    self._ports[f"{name}-{number}", listener] = port
                    if listener != "http":
                        peer = name if listener == "grpc" else f"{name}/{listener}"
                        empty_slot = free_port(held)
                        self._endpoints.setdefault(peer, []).extend([f"127.0.0.1:{port}", f"127.0.0.1:{empty_slot}"])
        for holder in held:
            holder.close()

    def _configure(self, service: str, replica: str) -> None:
        listen = {str(listener): self._ports[replica, listener] for listener in self.catalog.service(service).ports}
        config = self._write(replica, self._configuration(service, replica, listen))
        self.processes[replica] = ServiceProcess(service, replica, config, listen["http"], self.directory, self.python)
        self.processes[replica].environment = self.canaries.environment

    def _configuration(self, service: str, replica: str, listen: Mapping[str, int]) -> dict[str, Any]:
        bundle = self.directory / "pki" / service
        callees = self.catalog.callees(service)
        configuration: dict[str, Any] = {
            "service": {"name": service, "replica": replica, "data_dir": str(self.data_dir(service))},
            "listen": {"host": "127.0.0.1", **listen},
            "tls": {
                "certificate": str(bundle / "certificate.pem"),
                "key": str(bundle / "key.pem"),
                "authority": str(bundle / "authority.pem"),
                "trust_domain": TRUST_DOMAIN,
            },
            "peers": {
                peer: endpoints for peer, endpoints in self._endpoints.items() if peer.partition("/")[0] in callees
            },
        }
        if service in DASHBOARDS:
            entries = {name: self.url(f"{name}-1") for name in ENTRIES if name in self.services}
            pages = {"web_root": str(self.pages)} if self.pages else {}
            configuration["dashboard"] = {"entries": entries, **pages}
        return configuration | self.settings

    def _write(self, name: str, configuration: Mapping[str, Any]) -> Path:
        self.data_dir(configuration["service"]["name"]).mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump(dict(configuration)))
        return path
