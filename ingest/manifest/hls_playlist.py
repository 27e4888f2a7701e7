"""HLS playlists as text: RFC 8216 and draft-pantos-hls-rfc8216bis (Low-Latency HLS)."""

from collections.abc import Sequence

from ingest.journal_entries import init_name, part_name, segment_name
from ingest.manifest.hls_history import PlaylistHistory, Writer
from ingest.manifest.hls_tags import date_time
from ingest.media import MediaKind
from ingest.presentation import Presentation, Rendition, Segment

HLS_VERSION = 9
"""EXT-X-VERSION: 9 for EXT-X-SKIP (rfc8216bis §8)."""

_SKIP_TARGETS = 6
"""CAN-SKIP-UNTIL: the Skip Boundary must be at least six Target Durations (§4.4.3.8)."""

_HOLD_BACK_TARGETS = 3
_AUDIO_GROUP = "audio"


def multivariant_playlist(presentation: Presentation, base: str = "", query: str = "") -> str:
    """The Multivariant Playlist (§4.4.6): a variant per video rendition, audio as a group.

    Media playlists are named `{base}{rendition}.m3u8{query}`, relative to it.
    """
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{HLS_VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    video = presentation.of_kind(MediaKind.VIDEO)
    audio = presentation.of_kind(MediaKind.AUDIO)
    if not all(rendition.independent for rendition in video):
        lines.pop()
    for rendition in audio if video else ():
        init = rendition.inits[-1]
        default = "YES" if rendition is audio[0] else "NO"
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{_AUDIO_GROUP}",NAME="{rendition.name}",'
            f'DEFAULT={default},AUTOSELECT=YES,CHANNELS="{init.channels}",'
            f'URI="{base}{rendition.name}.m3u8{query}"'
        )
    for rendition in video or audio:
        lines.append(_stream_inf(rendition, audio if video else ()))
        lines.append(f"{base}{rendition.name}.m3u8{query}")
    return "\n".join(lines) + "\n"


def _stream_inf(rendition: Rendition, audio: tuple[Rendition, ...]) -> str:
    tracks = (rendition, *audio)
    peak = max(1, sum(track.peak_bandwidth for track in tracks))
    average = max(1, sum(track.average_bandwidth for track in tracks))
    codecs = ",".join(dict.fromkeys(track.inits[-1].codecs for track in tracks))
    attributes = [f"BANDWIDTH={peak}", f"AVERAGE-BANDWIDTH={average}", f'CODECS="{codecs}"']
    init = rendition.inits[-1]
    if init.width and init.height:
        attributes.append(f"RESOLUTION={init.width}x{init.height}")
    if audio:
        attributes.append(f'AUDIO="{_AUDIO_GROUP}"')
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def media_playlist(
    rendition: Rendition,
    others: Sequence[Rendition] = (),
    base: str = "",
    *,
    skip: bool = False,
    history: PlaylistHistory | None = None,
    date_ranges: Sequence[str] = (),
) -> str:
    """A live Media Playlist with Partial Segments; after the end, the same with ENDLIST.

    Media are named `{base}{rendition}/…`, relative to the playlist. `others` are reported on
    (§4.4.5.4). `skip` asks for a Playlist Delta Update (§6.2.5.1), which it is when there is
    anything to skip. `history` remembers the lines of a long playlist of this rendition.
    `date_ranges` are listed in a delta update, too: none is ever skipped.
    """
    target_s = rendition.target_duration_s
    lines = _header(rendition)
    lines.append(
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,"
        f"CAN-SKIP-UNTIL={_SKIP_TARGETS * target_s:.3f},"
        f"HOLD-BACK={_HOLD_BACK_TARGETS * target_s:.3f},"
        f"PART-HOLD-BACK={rendition.part_hold_back_s:.3f}"
    )
    lines.append(f"#EXT-X-PART-INF:PART-TARGET={rendition.part_target_s:.3f}")
    first = rendition.segments[0]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first.msn}")
    lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.period}")
    skipped = _skippable(rendition) if skip else 0
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    if not rendition.ended:
        lines += _start((rendition, *others))
    lines += date_ranges
    folder = f"{base}{rendition.name}/"
    if history is not None and not skipped:
        skipped = _add_remembered(lines, rendition, folder, history)
    lines += _segments(rendition, folder, parts=not rendition.ended, skipped=skipped)
    if rendition.ended:
        lines.append("#EXT-X-ENDLIST")
    else:
        hint = f"{folder}{part_name(rendition.next_part)}"
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{hint}"')
        lines += [_report(other, base) for other in others if other.segments]
    return "\n".join(lines) + "\n"


def _start(renditions: Sequence[Rendition]) -> list[str]:
    """EXT-X-START (§4.4.2.2), where some segments do not begin with a keyframe: the last that does.

    hls.js, for one, never shows a picture when it begins between two keyframes and goes back.
    """
    for rendition in renditions:
        if rendition.independent:
            continue
        behind_s = 0.0
        for segment in reversed(rendition.segments):
            behind_s += segment.duration_s
            if segment.independent and not segment.gap and behind_s >= rendition.part_hold_back_s:
                return [f"#EXT-X-START:TIME-OFFSET={-behind_s:.3f}"]
    return []


def _skippable(rendition: Rendition) -> int:
    """How many segments lie behind the Skip Boundary (§4.4.3.8)."""
    behind_s, boundary_s = 0.0, _SKIP_TARGETS * rendition.target_duration_s
    segments = rendition.segments
    for position in range(len(segments) - 1, 0, -1):
        behind_s += segments[position].duration_s
        if behind_s >= boundary_s:
            return position
    return 0


def _report(rendition: Rendition, base: str) -> str:
    """EXT-X-RENDITION-REPORT: how far another rendition has come."""
    last = rendition.segments[-1]
    part = f",LAST-PART={len(last.parts) - 1}" if last.parts else ""
    return f'#EXT-X-RENDITION-REPORT:URI="{base}{rendition.name}.m3u8",LAST-MSN={last.msn}{part}'


def vod_playlist(
    rendition: Rendition,
    base: str = "",
    *,
    history: PlaylistHistory | None = None,
    date_ranges: Sequence[str] = (),
) -> str:
    """The Media Playlist of a finished recording (EXT-X-PLAYLIST-TYPE:VOD, §4.4.3.5).

    `history` has the lines that `write_ahead` wrote while the recording grew.
    """
    lines = _header(rendition)
    lines.append("#EXT-X-PLAYLIST-TYPE:VOD")
    first = rendition.segments[0]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first.msn}")
    if first.period:  # the other renditions may have begun in an earlier one
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.period}")
    lines += date_ranges
    folder = f"{base}{rendition.name}/"
    known = _add_remembered(lines, rendition, folder, history) if history else 0
    lines += _segments(rendition, folder, parts=False, skipped=known)
    lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def write_ahead(rendition: Rendition, history: PlaylistHistory, base: str = "") -> None:
    """Let `history` write the lines of what has come since the last call, so that the playlist of
    hours has little left to write at its end."""
    history.write_ahead(rendition, _writer(rendition, f"{base}{rendition.name}/"))


def _add_remembered(
    lines: list[str], rendition: Rendition, folder: str, history: PlaylistHistory
) -> int:
    """Add what `history` knows of the rendition; answers how many segments that is."""
    text, count = history.lines(rendition, _writer(rendition, folder))
    if count:
        lines.append(text.rstrip("\n"))
    return count


def _writer(rendition: Rendition, folder: str) -> Writer:
    return lambda some, behind: _lines(rendition, some, behind, folder, parts=False)


def _header(rendition: Rendition) -> list[str]:
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{HLS_VERSION}",
        f"#EXT-X-TARGETDURATION:{rendition.target_duration_s}",
    ]
    if rendition.independent:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    return lines


def _segments(rendition: Rendition, folder: str, *, parts: bool, skipped: int = 0) -> list[str]:
    previous = rendition.segments[skipped - 1] if skipped else None
    return _lines(rendition, rendition.segments[skipped:], previous, folder, parts=parts)


def _lines(
    rendition: Rendition,
    segments: Sequence[Segment],
    previous: Segment | None,
    folder: str,
    *,
    parts: bool,
) -> list[str]:
    lines: list[str] = []
    for segment in segments:
        if previous is not None:
            lines += ["#EXT-X-DISCONTINUITY"] * (segment.period - previous.period)
        if previous is None or previous.init != segment.init or previous.period != segment.period:
            lines.append(f'#EXT-X-MAP:URI="{folder}{init_name(segment.init)}"')
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{date_time(segment.wall_s)}")
        if parts and segment.msn >= rendition.parts_from_msn:
            lines += _parts(segment, folder)
        if segment.gap:
            lines.append("#EXT-X-GAP")
        if segment.finished:
            lines.append(f"#EXTINF:{segment.duration_s:.5f},")
            lines.append(f"{folder}{segment_name(segment.msn)}")
        previous = segment
    return lines


def _parts(segment: Segment, folder: str) -> list[str]:
    return [
        f'#EXT-X-PART:DURATION={part.duration_s:.5f},URI="{folder}{part_name(part.number)}"'
        + (",INDEPENDENT=YES" if part.independent else "")
        for part in segment.parts
    ]
