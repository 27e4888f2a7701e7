"""Reads a recording as its playlists describe it: Periods, tracks, every access unit at its time."""

from dataclasses import dataclass, field
from pathlib import Path

from ingest.media import MediaKind
from ingest.packaging.boxes import find
from tests.support.fragments import read_chunks


@dataclass(frozen=True)
class RecordedUnit:
    """An access unit in a recording; times in milliseconds of its Period."""

    dts_ms: float
    pts_ms: float
    is_sync: bool
    data: bytes


@dataclass
class RecordedTrack:
    """A rendition's playlist: its units by Period, and how long its segments claim to be."""

    target_duration_s: int
    periods: list[list[RecordedUnit]] = field(default_factory=list)
    durations_s: list[float] = field(default_factory=list)


def read_recording(vods: Path, stream_id: str) -> dict[MediaKind, RecordedTrack]:
    """Every rendition of a published stream."""
    found = {}
    for kind in MediaKind:
        playlist = vods / stream_id / f"{kind.value}.m3u8"
        if playlist.exists():
            found[kind] = _read_playlist(playlist)
    return found


def _read_playlist(path: Path) -> RecordedTrack:
    lines = path.read_text().splitlines()
    target = next(line for line in lines if line.startswith("#EXT-X-TARGETDURATION:"))
    track = RecordedTrack(int(target.partition(":")[2]), [[]])
    sequence = [line for line in lines if line.startswith("#EXT-X-DISCONTINUITY-SEQUENCE:")]
    track.periods += [[] for line in sequence for _ in range(int(line.partition(":")[2]))]
    timescale, gap = 0, False
    for line in lines:
        name, _, value = line.partition(":")
        if name == "#EXT-X-DISCONTINUITY":
            track.periods.append([])
        elif name == "#EXT-X-MAP":
            timescale = _timescale((path.parent / value.split('"')[1]).read_bytes())
        elif name == "#EXT-X-GAP":
            gap = True
        elif name == "#EXTINF":
            track.durations_s.append(float(value.rstrip(",")))
        elif line and not line.startswith("#"):
            if not gap:
                track.periods[-1] += _units((path.parent / line).read_bytes(), timescale)
            gap = False
    return track


def _timescale(init: bytes) -> int:
    (mdhd,) = find(init, b"moov", b"trak", b"mdia", b"mdhd")
    return int.from_bytes(init[mdhd.payload + 12 : mdhd.payload + 16], "big")


def _units(data: bytes, timescale: int) -> list[RecordedUnit]:
    units = []
    for chunk in read_chunks(data):
        dts = chunk.decode_time
        for sample in chunk.samples:
            pts = dts + sample.cts_offset
            units.append(
                RecordedUnit(
                    dts * 1000 / timescale, pts * 1000 / timescale, sample.is_sync, sample.data
                )
            )
            dts += sample.duration
    return units


def stretches(vods: Path, stream_id: str, kind: MediaKind, folder: Path) -> list[Path]:
    """A rendition as one file for each Media Initialization Section: that and its segments."""
    playlist = vods / stream_id / f"{kind.value}.m3u8"
    files: list[bytes] = []
    for line in playlist.read_text().splitlines():
        if line.startswith("#EXT-X-MAP:"):
            files.append((playlist.parent / line.split('"')[1]).read_bytes())
        elif line and not line.startswith("#"):
            files[-1] += (playlist.parent / line).read_bytes()
    paths = [folder / f"{kind.value}-{i}.mp4" for i in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return paths
