"""What making a ladder costs beside ffmpeg's command line with the same x264 settings.

Both read the same file and write 1080p, 720p and AAC as fragmented MP4 in segments of four
seconds; ffmpeg lists them for HLS, golive for HLS and DASH, and makes a poster. The whole process
counts, its start included.
"""

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

from ingest.transcode.encoders import KEYFRAME_EVERY_S, x264_options
from ingest.transcode.ladder import Picture, Rung, ladder
from tests.bench.clip import clip_file
from tests.bench.registry import Bar, BenchFailed, Options, Result, Row

_LIMIT_S = 300.0
_FPS = 30
_COLUMNS = ("CPU s", "wall s", "MB of video")


class LadderBench:
    """Implements Bench."""

    name = "ladder"
    about = "1080p and 720p of an uploaded video, beside ffmpeg's command line"

    def run(self, options: Options) -> Result:
        """Rounds alternate between the two; the best round of each counts."""
        source = clip_file(options.cache_dir)
        rungs = ladder(Picture(1920, 1080, Fraction(_FPS)))
        rounds: dict[str, list[dict[str, float]]] = {"ffmpeg": [], "golive": []}
        for turn in range(max(2, options.windows // 2)):
            for who, figures in rounds.items():
                folder = options.work_dir / f"{who}-{turn}"
                folder.mkdir()
                command = (
                    _ffmpeg(source, folder, rungs) if who == "ffmpeg" else _golive(source, folder)
                )
                figures.append(_measured(who, command, folder))
        best = {who: min(figures, key=lambda one: one["CPU s"]) for who, figures in rounds.items()}
        ratio = best["golive"]["CPU s"] / best["ffmpeg"]["CPU s"]
        bits = best["golive"]["MB of video"] / best["ffmpeg"]["MB of video"]
        return Result(
            self.name,
            _COLUMNS,
            tuple(Row(who, figures) for who, figures in best.items()),
            (
                Bar("CPU of golive / CPU of ffmpeg", ratio, 1.0),
                Bar("bytes of golive / bytes of ffmpeg", bits, 1.05),
            ),
            ("10 s of 1080p30 with noise; 4 s segments, a keyframe every 2 s",),
        )


def _golive(source: Path, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.bench.ladder_contestant", str(source), str(folder)]


def _ffmpeg(source: Path, folder: Path, rungs: tuple[Rung, ...]) -> list[str]:
    names = [f"[v{index}]" for index in range(len(rungs))]
    scales = [
        f"[s{index}]scale={rung.width}:{rung.height}:flags=bicubic,format=yuv420p{name}"
        for index, (rung, name) in enumerate(zip(rungs, names, strict=True))
    ]
    splits = "".join(f"[s{index}]" for index in range(len(rungs)))
    graph = ";".join([f"[0:v]fps={_FPS},split={len(rungs)}{splits}", *scales])
    video = [
        word
        for index, rung in enumerate(rungs)
        for option, value in x264_options(rung).items()
        for word in (f"-{option}:v:{index}", value)
    ]
    maps = [word for name in names for word in ("-map", name)]
    streams = " ".join(f"v:{index},agroup:a" for index in range(len(rungs)))
    return [
        "ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source),
        "-filter_complex", graph, *maps, "-map", "0:a",
        "-c:v", "libx264", *video, "-g", str(KEYFRAME_EVERY_S * _FPS),
        "-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2",
        "-f", "hls", "-hls_time", "4", "-hls_playlist_type", "vod",
        "-hls_segment_type", "fmp4", "-var_stream_map", f"{streams} a:0,agroup:a",
        "-master_pl_name", "index.m3u8",
        "-hls_segment_filename", f"{folder}/%v-%d.m4s", f"{folder}/%v.m3u8",
    ]  # fmt: skip


def _measured(who: str, command: list[str], folder: Path) -> dict[str, float]:
    script = (
        "import json, os, resource, subprocess, sys, time; started = time.monotonic(); "
        "done = subprocess.run(sys.argv[1:]); used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(json.dumps([used.ru_utime + used.ru_stime, time.monotonic() - started])); "
        "sys.exit(done.returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command],
        capture_output=True, text=True, timeout=_LIMIT_S, check=False,
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},
    )  # fmt: skip
    if done.returncode:
        raise BenchFailed(f"{who}: {done.stderr[-2000:]}")
    cpu_s, wall_s = json.loads(done.stdout.splitlines()[-1])
    segments = [path for path in folder.rglob("*.m4s") if path.stat().st_size > 200_000]
    if len(segments) < 4:
        raise BenchFailed(f"{who} made {len(segments)} segments of video")
    megabytes = sum(path.stat().st_size for path in segments) / 1e6
    return {"CPU s": cpu_s, "wall s": wall_s, "MB of video": megabytes}
