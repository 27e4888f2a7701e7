"""The low-latency MPD: numbers in place of a timeline, and segments that are there before they are
whole (ISO/IEC 23009-1, 5.3.9.5.3; ETSI TS 103 285, 10.20; DASH-IF low-latency live).

A Period is a run of segments whose numbers tell when they start; see NumberedRun. The last one is
open. What is said of a Period stays, but for its end, and for @availabilityTimeOffset.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple
from xml.etree import ElementTree as ET

from ingest.cues import Cue, Span
from ingest.manifest.dash_elements import (
    NUMBERED_SEGMENT,
    add_clock,
    add_period,
    duration_text,
    root_of,
    text_of,
)
from ingest.manifest.dash_events import PeriodPlace, add_events, begun_at
from ingest.manifest.dash_stretches import Stretch, Track, stretches_of
from ingest.manifest.hls_tags import date_time
from ingest.media import MediaKind
from ingest.presentation import NumberedRun, Presentation

PERIOD_QUERY = "period"
"""The query field with which a segment is asked for part by part: its Period in the journal. The
same number is another segment where an encoder has come back meanwhile."""

_UPDATE_S = 1.0
"""A break in the numbers is to be heard of before what is buffered is played. dash.js asks no more
often."""

_BUFFER_S = 0.9
"""What a player has between what it plays and what it may get, beside the parts on their way:
as much as a segment that ends early, and the MPD that tells of it, let it wait."""

_PARTS_ON_THEIR_WAY = 3
_START_S = 0.75
"""What a player needs at most from the MPD to its first request for media."""

_CATCH_UP_S = 4.0
"""A player that has fallen behind by more than this starts anew near the live edge."""

_SLOWEST, _FASTEST = 0.95, 1.1
_PERIODS = 32
_SEAM_S = 0.05


class _Numbered(NamedTuple):
    """A Period: `run` from its first segment on, of which those from `listed_wall_s` to
    `end_wall_s` (Unix seconds) are finished and still in the window. `stop` is the number behind
    the last one; None while it grows. `ends_before`: the next one does not follow at once."""

    id: str
    run: NumberedRun
    tracks: tuple[Track, ...]
    listed_wall_s: float
    end_wall_s: float
    stop: int | None = None
    ends_before: bool = False


def low_latency_mpd(
    presentation: Presentation,
    runs: Sequence[NumberedRun],
    *,
    least_late_s: float,
    most_late_s: float,
    now_wall_s: float,
    time_url: str,
    location: str = "",
    cues: Sequence[Cue] = (),
    spans: Sequence[Span] = (),
) -> str:
    """A dynamic MPD of `runs`, the segment that grows included.

    `least_late_s`, `most_late_s`: how long after their last frame's time parts come, in seconds
    by the clock of @availabilityStartTime. What always comes late is promised for later; players
    keep their distance from what comes late sometimes. The rest as in `live_mpd`.
    """
    target = max((r.target_duration_s for r in presentation.renditions), default=1)
    part_s = max((r.part_target_s for r in presentation.renditions), default=0.0)
    usual_s = _BUFFER_S + _PARTS_ON_THEIR_WAY * part_s + max(0.0, most_late_s)
    latency_s = _from_keyframe_s(presentation, now_wall_s, usual_s)
    numbered = _numbered(presentation, runs)
    depth_s = numbered[-1].end_wall_s - numbered[0].listed_wall_s if numbered else 0.0
    started_s = presentation.begins_wall_s
    lasts = {"minimumUpdatePeriod": duration_text(_UPDATE_S)}
    if presentation.ended and numbered:
        lasts = {"mediaPresentationDuration": duration_text(numbered[-1].end_wall_s - started_s)}
    mpd = root_of(
        "dynamic",
        availabilityStartTime=date_time(started_s),
        publishTime=date_time(now_wall_s),
        **lasts,
        timeShiftBufferDepth=duration_text(max(depth_s, latency_s + target)),
        suggestedPresentationDelay=duration_text(latency_s),
        maxSegmentDuration=duration_text(target + 0.5),
        minBufferTime=duration_text(_PARTS_ON_THEIR_WAY * part_s),
    )
    if location:
        ET.SubElement(mpd, "Location").text = location
    _add_service(mpd, latency_s)
    late_s = max(0.0, least_late_s)
    places = [_add_numbered(mpd, one, started_s, late_s) for one in numbered]
    add_events(places, cues, begun_at(started_s, spans), ended=presentation.ended)
    add_clock(mpd, time_url)
    return text_of(mpd)


def _from_keyframe_s(presentation: Presentation, now_wall_s: float, latency_s: float) -> float:
    """How far behind a player should begin: `latency_s`, but where that lies in a segment that has
    no keyframe at its start, as far as the last one that has. One that began there would wait for
    a keyframe in a Period that ends before the next."""
    begins_s = now_wall_s - latency_s + _START_S
    for rendition in presentation.of_kind(MediaKind.VIDEO):
        before = (s for s in reversed(rendition.segments) if s.wall_s <= begins_s)
        newest = next(before, None)
        if newest is not None and not newest.independent:
            keyed = next((segment for segment in before if segment.independent), None)
            if keyed is not None:
                return max(latency_s, now_wall_s - keyed.wall_s)
    return latency_s


def _add_service(mpd: ET.Element, latency_s: float) -> None:
    """How far behind the clock of @availabilityStartTime players should play (annex K)."""
    service = ET.SubElement(mpd, "ServiceDescription", id="0")
    target_ms = round(latency_s * 1000)
    most_ms = target_ms + round(_CATCH_UP_S * 1000)
    ET.SubElement(service, "Latency", target=str(target_ms), max=str(most_ms))
    ET.SubElement(service, "PlaybackRate", min=str(_SLOWEST), max=str(_FASTEST))


def _numbered(presentation: Presentation, runs: Sequence[NumberedRun]) -> list[_Numbered]:
    """The newest Periods; each ends where the next one begins."""
    known = {
        period.id: period
        for stretch in stretches_of(presentation)
        for period in _within(stretch, runs)
    }
    opening = _opening(presentation, runs)
    if opening is not None:
        known.setdefault(opening.id, opening)
    found = [*known.values()][-_PERIODS:]
    for position, (one, following) in enumerate(pairwise(found)):
        begins_s = following.run.wall_s
        is_whole = one.stop == following.run.first_msn
        ends_before = one.run.period != following.run.period or (
            is_whole and begins_s - one.end_wall_s > _SEAM_S
        )
        found[position] = one._replace(stop=following.run.first_msn, ends_before=ends_before)
    if found:
        last = found[-1]
        stop = last.stop if presentation.ended else None
        found[-1] = last._replace(stop=stop, ends_before=presentation.ended)
    return found


def _id(run: NumberedRun) -> str:
    return f"p{run.period}-{run.first_msn}"


def _within(stretch: Stretch, runs: Sequence[NumberedRun]) -> list[_Numbered]:
    """The runs that the stretch has segments of; one that began before it begins with it."""
    first = stretch.tracks[0].segments[0].msn
    stop = stretch.tracks[0].segments[-1].msn + 1
    found = []
    for run, following in zip(runs, [*runs[1:], None], strict=True):
        low = max(first, run.first_msn)
        high = stop if following is None else min(stop, following.first_msn)
        if low >= high:
            continue
        begun = run
        if stretch.since_msn > run.first_msn:
            moved_s = stretch.offset_s - run.start_s
            begun = run._replace(
                first_msn=stretch.since_msn,
                start_s=stretch.offset_s,
                wall_s=run.wall_s + moved_s,
            )
        tracks = tuple(
            Track(t.rendition, t.init, t.segments[low - first : high - first])
            for t in stretch.tracks
        )
        ends = [t.segments[-1] for t in tracks]
        found.append(
            _Numbered(
                id=_id(begun),
                run=begun,
                tracks=tracks,
                listed_wall_s=min(t.segments[0].wall_s for t in tracks),
                end_wall_s=max(last.wall_s + last.duration_s for last in ends),
                stop=high,
            )
        )
    return found


def _opening(presentation: Presentation, runs: Sequence[NumberedRun]) -> _Numbered | None:
    """The newest run, as soon as each of its renditions has media."""
    if not runs:
        return None
    run = runs[-1]
    tracks = []
    for name in run.renditions:
        rendition = presentation.rendition(name)
        if rendition is None or rendition.segments[-1].period != run.period:
            return None
        tracks.append(Track(rendition, rendition.init_of(rendition.segments[-1])))
    return _Numbered(
        id=_id(run),
        run=run,
        tracks=tuple(tracks),
        listed_wall_s=run.wall_s,
        end_wall_s=run.wall_s,
    )


def _add_numbered(
    mpd: ET.Element, numbered: _Numbered, started_s: float, late_s: float
) -> PeriodPlace:
    run = numbered.run

    def add_template(representation: ET.Element, track: Track) -> None:
        _segment_template(representation, track, numbered, late_s)

    start = f"PT{max(0.0, run.wall_s - started_s):.6f}S"
    period = add_period(
        mpd, numbered.id, start, numbered.tracks, add_template, keyframes_told=False
    )
    if numbered.ends_before:
        period.set("duration", duration_text(numbered.end_wall_s - run.wall_s))
    init = next(
        (t.init for t in numbered.tracks if t.rendition.kind is MediaKind.VIDEO),
        numbered.tracks[0].init,
    )
    span = Span(numbered.id, run.wall_s, numbered.end_wall_s, init.width, init.height)
    return PeriodPlace(period, span, run.start_s, numbered.listed_wall_s)


def _segment_template(
    representation: ET.Element, track: Track, numbered: _Numbered, late_s: float
) -> None:
    """@availabilityTimeOffset: a segment may be asked for when the first of its parts should be
    there. Who comes too early waits, so it is moved in steps of half a segment only: players that
    reckon their live edge from it (Shaka) go astray when it sways."""
    run, rendition, init = numbered.run, track.rendition, track.init
    if numbered.stop is None:
        late_s += max(0.0, run.late_s)
    step_s = run.duration_s / 2
    ahead_s = max(0.0, run.duration_s - rendition.part_target_s - late_s // step_s * step_s)
    folder = f"{rendition.name}/"
    template = ET.SubElement(
        representation,
        "SegmentTemplate",
        timescale=str(init.timescale),
        presentationTimeOffset=str(round(run.start_s * init.timescale)),
        initialization=f"{folder}init-{init.init}.mp4",
        media=f"{folder}{NUMBERED_SEGMENT}?{PERIOD_QUERY}={run.period}",
        startNumber=str(run.first_msn),
        duration=str(round(run.duration_s * init.timescale)),
        availabilityTimeOffset=f"{ahead_s:.3f}",
        availabilityTimeComplete="false",
    )
    if numbered.stop is not None:
        template.set("endNumber", str(numbered.stop - 1))
