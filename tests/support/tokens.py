"""People with bearer tokens."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import jwt

SECRET = "a secret that only the tests of golive know, 32+ bytes"


@dataclass(frozen=True)
class Person:
    """Someone with a token that is signed with `SECRET`."""

    id: UUID
    username: str
    role: str

    @property
    def token(self) -> str:
        return bearer_token(sub=str(self.id), role=self.role, username=self.username)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def person(role: str = "buyer", username: str | None = None) -> Person:
    user_id = uuid4()
    return Person(user_id, username or f"{role}-{user_id.hex[:6]}", role)


def bearer_token(
    secret: str | bytes = SECRET,
    algorithm: str = "HS256",
    life_s: float = 3600,
    headers: dict[str, str] | None = None,
    **claims: object,
) -> str:
    """A token; a claim of None is left out."""
    expires = datetime.now(UTC) + timedelta(seconds=life_s)
    full = {
        "sub": str(uuid4()),
        "role": "buyer",
        "username": "someone",
        "exp": int(expires.timestamp()),
        **claims,
    }
    kept = {name: value for name, value in full.items() if value is not None}
    return jwt.encode(kept, secret, algorithm=algorithm, headers=headers)
