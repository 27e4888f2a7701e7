"""What the tags of several playlists have in common."""

from datetime import UTC, datetime


def date_time(wall_s: float) -> str:
    """`wall_s` (Unix seconds) as RFC 3339 in UTC with milliseconds."""
    stamp = datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")
