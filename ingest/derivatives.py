"""The public face of what is derived from recordings: MP4s, clips, pictures.

Nothing here imports libav: media are touched by tasks in processes of their own.
"""

from ingest.derive.cut import Span
from ingest.derive.live_picture import newest_keyframe
from ingest.derive.maker import (
    ClipMade,
    ClipOrder,
    DerivedMedia,
    Fetched,
    clip_key,
    mp4_key,
    poster_key,
    stage,
    storyboard_key,
)
from ingest.derive.recording import Recording
from ingest.derive.requests import (
    THUMBNAILS_TASK,
    LivePicture,
    Mp4,
    Pictures,
    ThumbnailsRequest,
)
from ingest.errors import FilesMissing, MalformedMedia
from ingest.vod.object_keys import vod_folder

__all__ = [
    "THUMBNAILS_TASK",
    "ClipMade",
    "ClipOrder",
    "DerivedMedia",
    "Fetched",
    "FilesMissing",
    "LivePicture",
    "MalformedMedia",
    "Mp4",
    "Pictures",
    "Recording",
    "Span",
    "ThumbnailsRequest",
    "clip_key",
    "mp4_key",
    "newest_keyframe",
    "poster_key",
    "stage",
    "storyboard_key",
    "vod_folder",
]
