"""Looks at what was made of an upload, as a player or ffprobe sees it."""

import json
import subprocess
import xml.etree.ElementTree as ET
from typing import Any

from tests.support.uploads import Made

_DASH = {"d": "urn:mpeg:dash:schema:mpd:2011"}


def probe(url: str) -> dict[str, Any]:
    """Streams with their frames counted, and no complaint."""
    done = subprocess.run(
        [
            *("ffprobe", "-v", "error", "-count_frames", "-show_entries"),
            "stream=codec_type,codec_name,width,height,nb_read_frames,channels,pix_fmt,start_time",
            *("-of", "json", url),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), (url, done.stderr)
    return json.loads(done.stdout)


def of_kind(probed: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [stream for stream in probed["streams"] if stream["codec_type"] == kind]


def check_outputs(outputs: dict[str, str], mpd: str, metadata: dict[str, Any], made: Made) -> None:
    """HLS, DASH and poster against what must come of the upload."""
    assert (metadata["width"], metadata["height"]) == made.size
    assert metadata["videoCodec"] == made.codec
    assert metadata["damaged"] is made.damaged
    assert abs(metadata["duration"] - made.duration_s) < 0.3, metadata
    ladder = [(one["width"], one["height"]) for one in metadata["renditions"]]
    assert tuple(ladder) == made.ladder
    assert (metadata["audioCodec"] is not None) is made.sound

    hls = probe(outputs["hls"])
    videos = of_kind(hls, "video")
    assert {(v["width"], v["height"]) for v in videos} == set(made.ladder)
    assert {(v["codec_name"], v["pix_fmt"]) for v in videos} == {("h264", "yuv420p")}
    frames = {int(v["nb_read_frames"]) for v in videos}
    (count,) = frames  # the same in every size
    assert abs(count / metadata["frameRate"] - made.duration_s) < 0.3
    sounds = of_kind(hls, "audio")
    assert bool(sounds) is made.sound
    for sound in sounds:
        assert (sound["codec_name"], sound["channels"] <= 2) == ("aac", True)
        assert abs(float(sound["start_time"]) - float(videos[0]["start_time"])) < 0.005
        assert abs(int(sound["nb_read_frames"]) * 1024 / 48_000 - made.duration_s) < 0.3

    tree = ET.fromstring(mpd)
    video = tree.findall(".//d:AdaptationSet[@contentType='video']", _DASH)
    assert len(video) == 1  # players may switch within it
    sizes = [(int(r.get("width")), int(r.get("height"))) for r in video[0]]
    assert tuple(sizes) == made.ladder
    assert len(tree.findall(".//d:AdaptationSet[@contentType='audio']", _DASH)) == made.sound

    (poster,) = of_kind(probe(outputs["poster"]), "video")
    assert (poster["codec_name"], (poster["width"], poster["height"])) == ("mjpeg", made.ladder[0])
