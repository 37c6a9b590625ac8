"""Sends notifications of budgets to the operator's webhook, as standardwebhooks.com says.

The signature covers the event's id, the time of sending and the body, so that a receiver can refuse what is old or
was seen before. The address comes from the configuration alone (https, or this host), and redirects are not followed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from llm_platform.core.config.values import STANDARD_WEBHOOK
from llm_platform.http.client.client import ClientError, HttpClient, Target

ANSWER_SECONDS = 10.0


@dataclass(slots=True)
class DeliveryError(Exception):
    """Why a notification did not arrive."""

    reason: str


class Webhook:
    """Where notifications go."""

    def __init__(self, client: HttpClient, url: str, secret: str) -> None:
        if not secret:
            raise ValueError("a webhook needs a secret: anyone could sign with an empty one")
        self._client = client
        self._target = Target("POST", url, [("content-type", "application/json"), ("user-agent", "llm-platform")])
        self._secret = signing_key(secret)

    async def send(self, event_id: str, body: str, now: int) -> None:
        """``now`` in microseconds. Raises DeliveryError unless the receiver answers with a status of 2xx."""
        content, timestamp = body.encode(), now // 1_000_000
        headers = [
            ("webhook-id", event_id),
            ("webhook-timestamp", str(timestamp)),
            ("webhook-signature", signature(self._secret, event_id, timestamp, content)),
        ]
        try:
            response = await self._client.request(
                self._target, headers, content, first_byte=ANSWER_SECONDS, silence=ANSWER_SECONDS
            )
        except ClientError as error:
            raise DeliveryError(str(error)) from error
        response.close()
        if not 200 <= response.status < 300:
            raise DeliveryError(f"the receiver answered with status {response.status}")


def signing_key(secret: str) -> bytes:
    """Of a secret as standardwebhooks.com writes them, ``whsec_`` and Base64, what was encoded; else its bytes."""
    if secret.startswith(STANDARD_WEBHOOK):
        return base64.b64decode(secret.removeprefix(STANDARD_WEBHOOK).strip(), validate=True)
    return secret.encode()


def signature(secret: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 of ``ID.TIMESTAMP.BODY``."""
    signed = b"%b.%d.%b" % (event_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
