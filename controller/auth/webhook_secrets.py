"""Secrets that sign webhooks: made here, kept encrypted, shown once."""

import base64
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controller.auth.derived_keys import derive_key

_PREFIX = "whsec_"
_RANDOM_BYTES = 32
_NONCE_BYTES = 12


class WebhookSecrets:
    """Makes secrets, and turns them into what may be stored and back; holds none itself."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(derive_key(secret, "webhook secret at rest"))

    def issue(self, endpoint_id: UUID) -> tuple[str, bytes]:
        """A new secret for the endpoint: as its receiver gets it (`whsec_` and base64, Standard
        Webhooks), and what is stored of it.
        """
        raw = secrets.token_bytes(_RANDOM_BYTES)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, raw, endpoint_id.bytes)
        return _PREFIX + base64.b64encode(raw).decode(), sealed

    def open(self, endpoint_id: UUID, sealed: bytes) -> bytes | None:
        """The signing key; None when it was sealed under another secret of the installation."""
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, ciphertext, endpoint_id.bytes)
        except InvalidTag:
            return None
