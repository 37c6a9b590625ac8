"""The process's own certificate: what it is called, and whether its files are of use.

By Python's own TLS: the library that issues certificates (``pki.py``) takes 9 MB, which every service would keep.
"""

from __future__ import annotations

import ssl

from llm_platform.core.config import Tls

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which ``ssl`` has no name: when it expired is to be told as well.
Source: https://docs.openssl.org/master/man3/X509_VERIFY_PARAM_set_flags/"""


def spiffe_id(trust_domain: str, service: str) -> str:
    """What servers check against the catalogue."""
    return f"spiffe://{trust_domain}/{service}"


def dns_name(trust_domain: str, service: str) -> str:
    """What clients check."""
    return f"{service}.{trust_domain}"


def expiry(tls: Tls) -> float:
    """When the own certificate expires or expired, in seconds since 1970.

    Raises OSError, and ValueError for PEM files that are no use together, e.g. while they are being replaced.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        server.load_cert_chain(tls.certificate, tls.key, password="")  # without one it would ask the terminal
        client.load_verify_locations(tls.authority)
        # Whether the own authority signed it is for the peers to say: during a change they trust others.
        client.load_verify_locations(tls.certificate)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError("the key does not belong to the certificate") from error
        raise ValueError(f"unreadable: {error.reason or error}") from error
    client.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME) | ssl.VERIFY_X509_PARTIAL_CHAIN
    client.check_hostname = False
    return _presented(server, client)


def _presented(server: ssl.SSLContext, client: ssl.SSLContext) -> float:
    """A handshake in memory: the public way to have ``ssl`` read a certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server)
    presenting = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (asking, presenting, asking):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue  # it is the other's turn
        except ssl.SSLError as error:
            raise ValueError(f"no peer would accept it: {error.reason}") from error
    found = asking.getpeercert()
    if not found:
        raise ValueError("it cannot be read")
    return ssl.cert_time_to_seconds(str(found["notAfter"]))
