"""The Cache-Control table of what the daemon answers, in one place.

Media files have theirs from nginx: they never change.
"""

FOR_EVER = "public, max-age=31536000, immutable"
"""A Media Segment that is sent while it grows: the same as nginx says of its file."""

NEVER = "no-store"
"""Errors, and anything that a token decides."""

REVALIDATE = "no-cache"
"""Playlists as they are now."""


def blocking_reload(target_duration_s: int) -> str:
    """An answered blocking request is the same for everyone who asks for that part
    (rfc8216bis §6.2.5.2 recommends six Target Durations)."""
    return f"public, max-age={6 * target_duration_s}"
