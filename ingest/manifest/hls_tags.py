"""What the tags of several playlists have in common."""

from datetime import UTC, datetime
from functools import lru_cache

_MICROSECONDS = 1_000_000
_MINUTE_S = 60


def date_time(wall_s: float) -> str:
    """`wall_s` (Unix seconds) as RFC 3339 in UTC with milliseconds."""
    seconds, microseconds = divmod(round(wall_s * _MICROSECONDS), _MICROSECONDS)
    minute, second = divmod(seconds, _MINUTE_S)
    return f"{_minute(minute)}:{second:02}.{microseconds // 1000:03}Z"


@lru_cache(1024)
def _minute(number: int) -> str:
    """The beginning of all times of a minute; a playlist of hours asks for each thirty times."""
    return datetime.fromtimestamp(number * _MINUTE_S, UTC).strftime("%Y-%m-%dT%H:%M")
