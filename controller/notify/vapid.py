"""How push services know us: a key, and a signed header for each of them (RFC 8292)."""

import base64
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from controller.auth.derived_keys import derive_key
from controller.errors import ConfigurationError

_SIGNED_FOR_S = 12 * 3600
_RENEWED_AFTER_S = 6 * 3600.0
_MOST_ORIGINS = 200


@dataclass(frozen=True, slots=True)
class VapidKey:
    """The key that push services know us by; browsers subscribe with its public half."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def derive(cls, secret: bytes) -> "VapidKey":
        """The same for the same secret of the installation: nothing more has to be kept."""
        number = int.from_bytes(derive_key(secret, "web push"))
        # Any number from 1 to the group's order is a key; HKDF's almost always is one already.
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        return cls(ec.derive_private_key(number % (order - 1) + 1, ec.SECP256R1()))

    @classmethod
    def read(cls, path: Path) -> "VapidKey":
        """From a PEM file; ConfigurationError."""
        try:
            private = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigurationError(f"{path} is no private key: {type(error).__name__}") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise ConfigurationError(f"{path} is no P-256 key")
        return cls(private)

    @property
    def public(self) -> str:
        """As `PushManager.subscribe` wants it (`applicationServerKey`)."""
        point = self.private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


class VapidSigner:
    """The Authorization header for each push service, made anew twice a day."""

    def __init__(self, key: VapidKey, contact: str) -> None:
        self._key = key
        self._contact = contact
        self._made: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def authorization(self, origin: str) -> str:
        """For the service at `origin`: scheme, host, and port if it is not the scheme's own."""
        made_s, header = self._made.get(origin, (0.0, ""))
        now_s = time.time()
        if not header or now_s - made_s > _RENEWED_AFTER_S:
            claims: dict[str, object] = {"aud": origin, "exp": int(now_s) + _SIGNED_FOR_S}
            if self._contact:
                claims["sub"] = self._contact
            token = jwt.encode(claims, self._key.private, algorithm="ES256")
            header = f"vapid t={token}, k={self._key.public}"
            self._made[origin] = (now_s, header)
            while len(self._made) > _MOST_ORIGINS:
                self._made.popitem(last=False)
        return header
