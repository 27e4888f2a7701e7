"""The media task by itself: `python -m tests.bench.ladder_contestant SOURCE FOLDER`."""

import sys
import time

import msgspec

from ingest.transcode.limits import MediaLimits
from ingest.transcode.objects import VideoRequest
from ingest.transcode.upload import process

if __name__ == "__main__":
    request = VideoRequest(
        source=sys.argv[1],
        folder=sys.argv[2],
        poster_s=1.0,
        wall_s=time.time(),
        limits=MediaLimits(),
    )
    process(msgspec.to_builtins(request), lambda percent: None)
