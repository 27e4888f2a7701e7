"""Writes the playlists of a recording, when all its segments are stored."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from ingest.cues import Cue, Span
from ingest.manifest.dash_mpd import vod_mpd
from ingest.manifest.hls_dateranges import DateRanges
from ingest.manifest.hls_history import PlaylistHistory
from ingest.manifest.hls_playlist import multivariant_playlist, vod_playlist
from ingest.ports import ObjectKind, StoredObject
from ingest.presentation import Presentation, Rendition
from ingest.vod.late_sound import SilentSegment, with_silence_first
from ingest.vod.object_keys import DASH_MPD, HLS_PLAYLIST, kind_of, media_kind, vod_folder


class PlaylistStore(Protocol):
    """Where playlists are put: a store, or whoever tries again when it does not answer."""

    async def put_bytes(self, key: str, data: bytes, kind: ObjectKind) -> StoredObject:
        """Store `data`; whole or not at all."""
        ...


@dataclass(frozen=True, slots=True)
class Vod:
    """A published recording: object keys of its playlists, its length in seconds, and how much
    room its media take."""

    hls_key: str
    dash_key: str
    duration_s: float
    size_bytes: int = 0


async def publish_vod(
    stream_id: str,
    recorded: Presentation,
    store: PlaylistStore,
    *,
    private: bool = False,
    cues: Sequence[Cue] = (),
    histories: Mapping[str, PlaylistHistory] = MappingProxyType({}),
) -> Vod | None:
    """Write `vods/{id}.m3u8` and `.mpd`, the multivariant playlist last; None without media.
    They tell the `cues`, too. `histories` have written much of the playlists of that name already.
    Silence is put before sound that begins after the picture.

    The segments must be stored already. Raises ObjectStoreError.
    """
    if not recorded.renditions:
        return None
    recorded, silence = await asyncio.to_thread(_whole, recorded)
    prefix, base = vod_folder(stream_id, private=private), f"{stream_id}/"
    spans = spans_of(recorded.renditions[0]) if cues else []
    hls, dash = kind_of(HLS_PLAYLIST, prefix), kind_of(DASH_MPD, prefix)
    dash_key, hls_key = f"{prefix}.mpd", f"{prefix}.m3u8"

    filled = {name.partition("/")[0] for name, _ in silence}
    for name, data in silence:
        key = f"{prefix}/{name}"
        await store.put_bytes(key, data, media_kind(key))

    async def put_media_playlist(index: int) -> None:
        rendition = recorded.renditions[index]
        history = None if rendition.name in filled else histories.get(rendition.name)
        text = await asyncio.to_thread(_media_playlist, rendition, history, cues, spans)
        await store.put_bytes(f"{prefix}/{rendition.name}.m3u8", text.encode(), hls)

    async def put_mpd() -> None:
        text = await asyncio.to_thread(vod_mpd, recorded, base, cues)
        await store.put_bytes(dash_key, text.encode(), dash)

    playlists = [put_media_playlist(i) for i in range(len(recorded.renditions))]
    await asyncio.gather(*playlists, put_mpd())
    text = multivariant_playlist(recorded, base)
    await store.put_bytes(hls_key, text.encode(), hls)
    return Vod(
        hls_key,
        dash_key,
        max(r.duration_s for r in recorded.renditions),
        sum(rendition.size for rendition in recorded.renditions),
    )


def _whole(recorded: Presentation) -> tuple[Presentation, list[SilentSegment]]:
    """The same, with the segments of hours read from their compact log once for all manifests, and
    with silence before sound that begins late."""
    renditions = (replace(one, segments=tuple(one.segments)) for one in recorded.renditions)
    return with_silence_first(replace(recorded, renditions=tuple(renditions)))


def _media_playlist(
    rendition: Rendition,
    history: PlaylistHistory | None,
    cues: Sequence[Cue],
    spans: Sequence[Span],
) -> str:
    first_wall_s = rendition.segments[0].wall_s
    lines = DateRanges().lines(cues, spans, first_wall_s, ended=True)
    return vod_playlist(rendition, history=history, date_ranges=lines)


def spans_of(rendition: Rendition) -> list[Span]:
    """Where on the timeline of PROGRAM-DATE-TIME a finished rendition has media."""
    spans: list[Span] = []
    period = -1
    for segment in rendition.segments:
        if segment.gap:
            continue
        end_s = segment.wall_s + segment.duration_s
        if segment.period == period:
            spans[-1] = spans[-1]._replace(end_wall_s=end_s)
            continue
        period, init = segment.period, rendition.init_of(segment)
        spans.append(Span(str(period), segment.wall_s, end_s, init.width, init.height))
    return spans
