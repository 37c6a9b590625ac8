"""Builds the platform's images with BuildKit, and its Debian base where none can be pulled.

An image is named after the digest of everything it was made from, so an unchanged tree finds its image by
name and builds nothing. The build context holds the named inputs and nothing else: what is not in the digest
cannot influence the image. What this network needs to reach a package mirror (CA bundle, pip's, npm's and
apt's configuration) is given as BuildKit secrets and never enters a layer.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

IGNORED = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", "node_modules", "dist"}
"""Directories that tools make in a checkout."""
LABEL_INPUTS = "llm-platform.inputs"
PULL_SECONDS = 90
# pip options that say where packages come from; everything else of the machine's configuration stays here.
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")


class ImageError(Exception):
    """An image could not be made. The message says what to do."""


@dataclass(frozen=True)
class Recipe:
    """What an image is made from. ``inputs`` are paths relative to ``root``: files, or directories taken whole."""

    name: str
    root: Path
    dockerfile: str
    inputs: list[str]
    arguments: dict[str, str] = field(default_factory=dict)
    target: str | None = None

    def files(self) -> list[Path]:
        """Every input file, relative to ``root``, sorted."""
        found: set[Path] = {Path(self.dockerfile)}
        for one in self.inputs:
            path = self.root / one
            if not path.exists():
                raise ImageError(f"{self.name}: the input {one} does not exist in {self.root}; restore it.")
            files = [path] if path.is_file() else files_below(path)
            found.update(file.relative_to(self.root) for file in files)
        return sorted(found)

    def digest(self) -> str:
        """SHA-256 (hex) over names, modes and contents of the inputs and over the arguments."""
        total = hashlib.sha256(json.dumps([self.arguments, self.target], sort_keys=True).encode())
        for file in self.files():
            executable = bool((self.root / file).stat().st_mode & 0o100)
            content = hashlib.sha256((self.root / file).read_bytes()).hexdigest()
            total.update(f"{file}\0{executable}\0{content}\n".encode())
        return total.hexdigest()

    def reference(self) -> str:
        return f"{self.name}:{self.digest()[:16]}"

    def assemble(self, context: Path) -> None:
        """Copies the inputs, and only them, into an empty build context."""
        for file in self.files():
            copy = context / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / file, copy)
            copy.chmod(0o755 if (self.root / file).stat().st_mode & 0o100 else 0o644)


def files_below(directory: Path) -> Iterator[Path]:
    """Every file, without those that a checkout has only here and now."""
    for folder, folders, names in os.walk(directory):
        folders[:] = [one for one in folders if one not in IGNORED]
        yield from (Path(folder, name) for name in names)


@dataclass(frozen=True)
class PackageAccess:
    """What this machine needs to reach package mirrors."""

    pip_configuration: str = ""
    """Output of ``pip config list``."""
    npm_configuration: str = ""
    """The lines of an ``.npmrc`` that say where packages come from."""
    ca_bundle: Path | None = None
    http_proxy: str = ""

    def write_secrets(self, directory: Path) -> dict[str, Path]:
        secrets = {
            "pip": pip_conf(self.pip_configuration, ca=self.ca_bundle is not None),
            "npm": self.npmrc(),
            "apt": self.apt_conf(),
        }
        files = {}
        for name, text in secrets.items():
            files[name] = directory / name
            files[name].write_text(text)
        if self.ca_bundle is not None:
            files["ca"] = self.ca_bundle
        return files

    def npmrc(self) -> str:
        return self.npm_configuration + ("cafile=/run/secrets/ca\n" if self.ca_bundle is not None else "")

    def apt_conf(self) -> str:
        lines = [f'Acquire::http::Proxy "{self.http_proxy}";'] if self.http_proxy else []
        if self.ca_bundle is not None:
            lines.append('Acquire::https::CAInfo "/run/secrets/ca";')
        return "".join(f"{line}\n" for line in lines)


def pip_conf(listing: str, *, ca: bool) -> str:
    """A ``pip.conf`` for a build from the output of ``pip config list``: where packages come from, without
    anything that exists on this machine only. The environment's value wins, as it does for pip."""
    options: dict[str, str] = {}
    for line in sorted(listing.splitlines(), key=lambda one: one.startswith(":env:")):
        key, separator, literal = line.partition("=")
        option = key.strip().rpartition(".")[2]
        if not separator or option not in PIP_OPTIONS:
            continue
        remote = [word for word in str(ast.literal_eval(literal)).split() if not word.startswith(("file:", "/"))]
        if remote:
            options[option] = " ".join(remote)
    if ca:
        options["cert"] = "/run/secrets/ca"
    return "[global]\n" + "".join(f"{option} = {value}\n" for option, value in options.items())


def run(
    command: list[str], *, seconds: float | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command and never raises for its exit code; 127 when it does not exist, 124 past its time."""
    try:
        return subprocess.run(  # noqa: S603 - commands are lists of our own making
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} is not installed")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]} took more than {seconds:.0f} s")


def docker_clients() -> list[str]:
    """Every Docker client on this machine, the first on PATH first."""
    directories = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]
    clients = [f"{one}/docker" for one in dict.fromkeys(directories) if os.access(f"{one}/docker", os.X_OK)]
    if not clients:
        raise ImageError("There is no Docker client on this machine: apt-get install docker.io")
    return clients


def buildkit() -> tuple[list[str], dict[str, str]]:
    """The command and environment that build with BuildKit here.

    Clients since 23 need the plugin buildx for it; Debian 12's 20.10 has it built in and may be shadowed by a
    newer one on PATH.
    """
    clients = docker_clients()
    for client in clients:
        if run([client, "buildx", "version"]).returncode == 0:
            return [client, "buildx", "build", "--load"], {}
    for client in clients:
        version = run([client, "version", "--format", "{{.Client.Version}}"]).stdout.strip()
        if version.partition(".")[0].isdigit() and int(version.partition(".")[0]) < 23:
            return [client, "build"], {"DOCKER_BUILDKIT": "1"}
    raise ImageError("No Docker client here can use BuildKit: apt-get install docker-buildx")


def image_id(reference: str) -> str | None:
    """``sha256:…`` of a local image; None when there is none of that name."""
    found = run([docker_clients()[0], "image", "inspect", "--format", "{{.Id}}", reference])
    return found.stdout.strip() if found.returncode == 0 else None


def build(recipe: Recipe, access: PackageAccess) -> tuple[str, str]:
    """Builds an image and gives its reference and id. Raises ImageError with the last lines of the build.

    The name comes from the files that were copied: a tree that changes meanwhile cannot mislabel an image.
    """
    command, environment = buildkit()
    with tempfile.TemporaryDirectory(prefix="llm-platform-build-") as scratch:
        context, secrets = Path(scratch, "context"), Path(scratch, "secrets")
        context.mkdir()
        secrets.mkdir(mode=0o700)
        recipe.assemble(context)
        recipe = replace(recipe, root=context)
        reference = recipe.reference()
        command += ["--progress", "plain", "--file", str(context / recipe.dockerfile), "--tag", reference]
        command += ["--label", f"{LABEL_INPUTS}={recipe.digest()}"]
        command += [part for key, value in recipe.arguments.items() for part in ("--build-arg", f"{key}={value}")]
        command += ["--target", recipe.target] if recipe.target else []
        for name, file in access.write_secrets(secrets).items():
            command += ["--secret", f"id={name},src={file}"]
        built = run([*command, str(context)], environment=environment)
    made = image_id(reference)
    if built.returncode != 0 or made is None:
        tail = "\n".join((built.stdout + built.stderr).splitlines()[-25:])
        raise ImageError(f"Building {recipe.name} failed with exit code {built.returncode}. Its last lines:\n{tail}")
    return reference, made


@dataclass(frozen=True)
class Debian:
    """Debian's own image of a suite, or the same suite by debootstrap."""

    suite: str
    mirror: str
    pull: str
    name: str = "llm-platform-debian"

    def present(self) -> str | None:
        """The newest one on this machine, as a reference."""
        listing = run([docker_clients()[0], "images", "--format", "{{.Tag}}", self.name]).stdout.split()
        tags = sorted(tag for tag in listing if tag.startswith(f"{self.suite}-"))
        return f"{self.name}:{tags[-1]}" if tags else None

    def fetch(self, day: str) -> tuple[str, str]:
        """Reference and how it came here, ``pulled`` or ``debootstrap``; ``day`` (YYYYMMDD) is part of its tag."""
        reference, client = f"{self.name}:{self.suite}-{day}", docker_clients()[0]
        if run([client, "pull", "--quiet", self.pull], seconds=PULL_SECONDS).returncode == 0:
            run([client, "tag", self.pull, reference])
            return reference, "pulled"
        with tempfile.TemporaryDirectory(prefix="llm-platform-debian-") as scratch:
            rootfs, archive = Path(scratch, "rootfs"), Path(scratch, "rootfs.tar")
            self.debootstrap(rootfs)
            forget_this_machine(rootfs)
            expect(["tar", "--create", "--numeric-owner", "--directory", str(rootfs), "--file", str(archive), "."])
            expect([client, "import", "--change", 'CMD ["bash"]', str(archive), reference])
        return reference, "debootstrap"

    def debootstrap(self, rootfs: Path) -> None:
        expect(["debootstrap", "--variant=minbase", self.suite, str(rootfs), self.mirror])


def forget_this_machine(rootfs: Path) -> None:
    """Removes what debootstrap copies from the build machine, and what a container never reads."""
    for name in ("etc/resolv.conf", "etc/hostname", "etc/machine-id", "var/lib/dbus/machine-id"):
        (rootfs / name).unlink(missing_ok=True)
    for name in ("var/lib/apt/lists", "var/cache/apt", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(rootfs / name, ignore_errors=True)
        (rootfs / name).mkdir(parents=True)


def expect(command: list[str]) -> None:
    result = run(command)
    if result.returncode != 0:
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-10:])
        raise ImageError(f"`{' '.join(command[:2])} …` failed with exit code {result.returncode}: {tail}")
