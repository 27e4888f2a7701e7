"""Signed addresses for uploads into the local object store: what S3's presigned PUTs are to S3."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from urllib.parse import urlencode

from controller.auth.derived_keys import derive_key
from controller.domain.media import Upload, UploadTicket
from controller.domain.ports import Clock
from controller.errors import UploadTicketRefused

_MOST_DIGITS = 12


class SignedUploads:
    """Implements the domain's UploadTickets, and reads its tickets again.

    base_url: what stands before an object's key. The signature covers key, type, size and expiry.
    """

    def __init__(self, secret: bytes, base_url: str, clock: Clock) -> None:
        self._secret = derive_key(secret, "local uploads")
        self._base_url = base_url
        self._clock = clock

    def issue(self, upload: Upload) -> UploadTicket:
        """See `UploadTickets.issue`."""
        expires = int(upload.expires_at.timestamp())
        query = urlencode(
            {
                "type": upload.content_type,
                "size": upload.size,
                "expires": expires,
                "signature": self._signature(upload.key, upload.content_type, upload.size, expires),
            }
        )
        headers = {"Content-Type": upload.content_type}
        return UploadTicket(upload, f"{self._base_url}/{upload.key}?{query}", headers)

    def read(self, key: str, content_type: str, size: str, expires: str, signature: str) -> Upload:
        """What a ticket's address says; UploadTicketRefused when it is not one of ours, or old."""
        if not (_is_number(size) and _is_number(expires)):
            raise UploadTicketRefused
        expected = self._signature(key, content_type, int(size), int(expires))
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise UploadTicketRefused
        expires_at = datetime.fromtimestamp(int(expires), UTC)
        if expires_at <= self._clock.now():
            raise UploadTicketRefused
        return Upload(key, content_type, int(size), expires_at)

    def _signature(self, key: str, content_type: str, size: int, expires: int) -> str:
        said = "\n".join((key, content_type, str(size), str(expires)))
        digest = hmac.new(self._secret, said.encode(), hashlib.sha256).digest()
        return urlsafe_b64encode(digest).decode().rstrip("=")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
