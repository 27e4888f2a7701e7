"""Stream keys: `sk_` and 32 random bytes, found by a keyed hash, readable to their owner only."""

import base64
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from uuid import UUID, uuid4

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controller.auth.derived_keys import derive_key
from controller.domain.ports import KeyStore
from controller.domain.publications import KeyMatch, StoredKey

_PREFIX = "sk_"
_RANDOM_BYTES = 32
_NONCE_BYTES = 12
_FORM = re.compile(r"sk_[A-Za-z0-9_-]{43}")


class StreamKeyVault:
    """Makes stream keys and turns them into what may be stored; holds no key itself."""

    def __init__(self, secret: bytes) -> None:
        self._lookup_key = derive_key(secret, "stream key look-up")
        self._cipher = AESGCM(derive_key(secret, "stream key at rest"))

    def issue(self, stream_id: UUID) -> tuple[str, StoredKey]:
        """A new key for the stream: its plaintext, and what is stored of it."""
        random = secrets.token_bytes(_RANDOM_BYTES)
        plaintext = _PREFIX + base64.urlsafe_b64encode(random).rstrip(b"=").decode()
        key_id = uuid4()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        # Bound to its row: a ciphertext that is moved to another stream does not open.
        sealed = self._cipher.encrypt(nonce, plaintext.encode(), stream_id.bytes + key_id.bytes)
        stored = StoredKey(
            id=key_id, lookup_hash=self.lookup_hash(plaintext), ciphertext=nonce + sealed
        )
        return plaintext, stored

    def lookup_hash(self, plaintext: str) -> str:
        """HMAC-SHA256 in hex: what the database is asked for, so that its timing tells nothing
        about any key.
        """
        return hmac.new(self._lookup_key, plaintext.encode(), sha256).hexdigest()

    def reveal(self, stream_id: UUID, stored: StoredKey) -> str | None:
        """The plaintext for its owner; None when it was sealed under another secret."""
        nonce, sealed = stored.ciphertext[:_NONCE_BYTES], stored.ciphertext[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, sealed, stream_id.bytes + stored.id.bytes).decode()
        except InvalidTag:
            return None


class StreamKeys:
    """Stream keys over a store: look-up for the hooks, reading and rotation for their owners."""

    def __init__(self, vault: StreamKeyVault, store: KeyStore) -> None:
        self._vault = vault
        self._store = store
        self._log = structlog.get_logger(__name__)

    async def find_key(self, plaintext: str) -> KeyMatch | None:
        """What the key stands for, revoked keys included; None when it was never issued."""
        if _FORM.fullmatch(plaintext) is None:
            return None
        return await self._store.find(self._vault.lookup_hash(plaintext))

    async def reveal(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """The active keys of the given streams; the caller has checked that the owner asks."""
        revealed = {}
        for stream_id, stored in (await self._store.active(stream_ids)).items():
            plaintext = self._vault.reveal(stream_id, stored)
            if plaintext is None:
                self._log.warning(
                    "stream_key_unreadable", stream_id=str(stream_id), hint="rotate the key"
                )
            else:
                revealed[stream_id] = plaintext
        return revealed

    async def rotate(self, stream_id: UUID) -> str:
        """Replace the active key at once and answer the new one; KeyNotRotatable."""
        plaintext, stored = self._vault.issue(stream_id)
        await self._store.rotate(stream_id, stored)
        return plaintext

    def issue(self, stream_id: UUID) -> tuple[str, StoredKey]:
        """A first key for a stream that is about to be created."""
        return self._vault.issue(stream_id)
