"""The secrets that golive makes for itself at the first start, and where they are kept.

One file in the data folder, readable by its owner alone. A configured secret always wins.
"""

import json
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from controller.errors import ConfigurationError

SECRETS_FILE = "secrets.json"
LEAST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Secrets:
    """`auth` signs bearer tokens (HS256); `keys` is the root of everything about stream keys and
    playback tokens. Neither is ever shown.
    """

    auth: bytes = field(repr=False)
    keys: bytes = field(repr=False)


def load_secrets(data_dir: Path, auth_secret: str = "", key_secret: str = "") -> Secrets:
    """The configured secrets; for an empty one, the data folder's, made now if need be.

    ConfigurationError when one is shorter than 32 bytes or the file cannot be used.
    """
    kept = {} if auth_secret and key_secret else _kept_or_made(data_dir)
    return Secrets(
        auth=_usable("auth_secret", auth_secret or kept.get("auth_secret", "")),
        keys=_usable("key_secret", key_secret or kept.get("key_secret", "")),
    )


def _usable(name: str, value: str) -> bytes:
    raw = value.encode()
    if len(raw) < LEAST_BYTES:
        raise ConfigurationError(f"{name} must have {LEAST_BYTES} bytes or more")
    return raw


def _kept_or_made(data_dir: Path) -> dict[str, str]:
    path = data_dir / SECRETS_FILE
    try:
        if not path.exists():
            _make(path)
        kept = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        # A new secret would silently lock everybody out: only a human may decide that.
        raise ConfigurationError(f"{path} cannot be used: {type(error).__name__}") from error
    if not isinstance(kept, dict):
        raise ConfigurationError(f"{path} does not hold secrets")
    return {name: value for name, value in kept.items() if isinstance(value, str)}


def _make(path: Path) -> None:
    """Write new secrets; when several processes start at once, the first one's count for all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {"auth_secret": secrets.token_urlsafe(48), "key_secret": secrets.token_urlsafe(48)}
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{SECRETS_FILE}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(made, file)
            _give_to_owner(descriptor, path.parent)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces what another process has just written.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()


def _give_to_owner(descriptor: int, folder: Path) -> None:
    """What root makes in the service user's data folder belongs to the service user."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
