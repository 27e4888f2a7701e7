"""One secret, many uses: a key of its own for each."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32


def derive_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for `purpose`; knowing one purpose's key tells nothing of another's (RFC 5869)."""
    info = f"golive {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(secret)
