"""Both sides of mTLS, from files that are replaced while the process runs.

gRPC asks a server for its certificate at every handshake, so a server takes up new files by itself. A
client channel keeps what it was opened with: ``peer.py`` opens a new one when the files change. A
process without ``tls`` in its configuration (tests) may listen and connect on loopback only.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import grpc
import grpc.aio

from llm_platform.core import certificate, metrics
from llm_platform.core.config import Config, Tls
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger

log = get_logger("rpc.credentials")

MESSAGE_BYTES = 8 * 1024 * 1024
"""The largest message either side takes."""

COMMON_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
)
CLIENT_OPTIONS: tuple[tuple[str, int], ...] = (
    *COMMON_OPTIONS,
    # A stopped slot may come back at any moment: look twice a second. The minimum bounds one attempt.
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 2000),
    # A host or container that freezes keeps its connections: they are given up after 8 s.
    ("grpc.keepalive_time_ms", 5000),
    ("grpc.keepalive_timeout_ms", 3000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Connections are ours alone, so that a new channel means a new handshake.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)
SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    *COMMON_OPTIONS,
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.http2.max_ping_strikes", 0),
)


class Material(NamedTuple):
    """The content of the three files, PEM."""

    certificate: bytes
    key: bytes
    authority: bytes


class Certificates:
    """The process's certificate files as last read. Safe to use from gRPC's threads."""

    def __init__(self, tls: Tls) -> None:
        """Raises ``PlatformError`` when the files are missing or do not belong together."""
        self._tls = tls
        self._lock = threading.Lock()
        self._stamp = self._look()
        try:
            self.material = self._read()
        except ValueError as error:
            raise PlatformError(Code.INTERNAL, f"Certificates in {tls.certificate.parent}: {error}.") from error

    def refresh(self) -> Material:
        """The current content. Files that are half replaced or broken leave the last good content in use."""
        with self._lock:
            try:
                stamp = self._look()
                if stamp == self._stamp:
                    return self.material
                self._stamp = stamp
                self.material = self._read()
            except (OSError, ValueError) as error:
                log.warning("new certificate files cannot be used yet, the last ones stay in use", reason=str(error))
            else:
                log.info("certificates read again", days_left=round(self.days_left(), 2))
            return self.material

    def days_left(self) -> float:
        """Until the own certificate expires; negative when it has."""
        return (self._expires_at - time.time()) / 86400

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        files = (self._tls.certificate, self._tls.key, self._tls.authority)
        return tuple((found.st_mtime_ns, found.st_ino, found.st_size) for found in (file.stat() for file in files))

    def _read(self) -> Material:
        tls = self._tls
        expires_at = certificate.expiry(tls)
        material = Material(tls.certificate.read_bytes(), tls.key.read_bytes(), tls.authority.read_bytes())
        if self._look() != self._stamp:
            raise ValueError("they are being replaced")
        self._expires_at = expires_at
        metrics.certificate_expiry.set(self._expires_at)
        return material


def server_credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Requires a certificate of every client, signed by an authority of the bundle."""
    served = certificates.refresh()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal served
        current = certificates.refresh()
        if current is served:
            return None
        served = current
        return _server_configuration(current)

    # The stubs leave out that None means "no change".
    fetcher = cast("Callable[[], grpc.ServerCertificateConfiguration]", fetch)
    return grpc.dynamic_ssl_server_credentials(_server_configuration(served), fetcher, True)


def channel_credentials(material: Material) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(material.authority, material.key, material.certificate)


def listen(server: grpc.aio.Server, config: Config, port: int, certificates: Certificates | None) -> int:
    """Binds ``server`` and returns the port. Raises ``OSError`` when it is taken, ``PlatformError`` without TLS."""
    host = config.listen.host
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if certificates is not None:
            bound = server.add_secure_port(address, server_credentials(certificates))
        else:
            _require_loopback(host, "listen on")
            bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from error
    return bound


def open_target(
    config: Config, target: str, service: str, material: Material | None, options: Sequence[tuple[str, Any]] = ()
) -> grpc.aio.Channel:
    """A channel to ``target`` (gRPC's syntax), whose peers must hold the certificate of ``service``.

    ``material`` is None without TLS; then the caller has checked that the target is on loopback.
    """
    if config.tls is None or material is None:
        return grpc.aio.insecure_channel(target, options=[*CLIENT_OPTIONS, *options])
    name = ("grpc.ssl_target_name_override", certificate.dns_name(config.tls.trust_domain, service))
    return grpc.aio.secure_channel(target, channel_credentials(material), options=[*CLIENT_OPTIONS, name, *options])


def require_loopback(endpoints: Sequence[str]) -> None:
    """Raises ``PlatformError`` for an endpoint on another host, which must not be used without TLS."""
    for endpoint in endpoints:
        _require_loopback(endpoint.rpartition(":")[0].strip("[]"), "connect to")


def _require_loopback(host: str, action: str) -> None:
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        raise PlatformError(Code.INTERNAL, f"Refusing to {action} {host} without mTLS: set tls in the configuration.")


def _server_configuration(material: Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(material.key, material.certificate)], material.authority)
