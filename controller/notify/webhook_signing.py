"""The headers of a webhook: its id, when it was sent, and proof of who sent it."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from uuid import UUID


def webhook_headers(
    event_id: UUID, at_s: float, body: bytes, secrets: Sequence[bytes]
) -> Mapping[str, str]:
    """The Standard Webhooks headers: one HMAC-SHA256 for each secret, so that a receiver with the
    old or the new one verifies it while they change. The id is the same at every try.
    """
    message_id, timestamp = f"msg_{event_id.hex}", str(int(at_s))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (
        "v1," + base64.b64encode(hmac.new(secret, signed, sha256).digest()).decode()
        for secret in secrets
    )
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }
