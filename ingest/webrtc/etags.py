"""Entity tags of ICE sessions (RFC 9725 §4.3.1)."""

import hashlib


def etag_of(session: str) -> str:
    """Of the one ICE session that a session has: it is never restarted."""
    return f'"{hashlib.sha256(session.encode()).hexdigest()[:16]}"'
