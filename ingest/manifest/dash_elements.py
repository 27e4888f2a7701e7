"""The elements that live, low-latency and recorded MPDs have in common (ISO/IEC 23009-1, 5.3)."""

from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from ingest.journal_entries import segment_name
from ingest.manifest.dash_stretches import Track
from ingest.media import MediaKind

_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_LIVE_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
_DIRECT_TIME = "urn:mpeg:dash:utc:http-iso:2014"
_CHANNELS_SCHEME = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
_CICP_BY_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 12}

NUMBERED_SEGMENT = segment_name(0).replace("0", "$Number$")
"""SegmentTemplate@media, behind the rendition's folder."""

AddTemplate = Callable[[ET.Element, Track], None]
"""Says of a Representation where its segments are."""


def root_of(kind: str, **attributes: str) -> ET.Element:
    """An MPD element; `kind` is static or dynamic (ISO/IEC 23009-1, 5.3.1.2)."""
    return ET.Element(
        "MPD", {"xmlns": _NAMESPACE, "profiles": _LIVE_PROFILE, "type": kind} | attributes
    )


def add_clock(mpd: ET.Element, time_url: str) -> None:
    """`time_url` answers the time by which segments become available (5.8.4.11)."""
    ET.SubElement(mpd, "UTCTiming", schemeIdUri=_DIRECT_TIME, value=time_url)


def add_period(
    mpd: ET.Element,
    period_id: str,
    start: str,
    tracks: Sequence[Track],
    add_template: AddTemplate,
    *,
    keyframes_told: bool = True,
) -> ET.Element:
    """A Period of these tracks that begins at `start`, a duration of the schema.

    `keyframes_told`: say so where all segments that are listed begin with a keyframe.
    """
    period = ET.SubElement(mpd, "Period", id=period_id, start=start)
    for position, together in enumerate(_switching_sets(tracks)):
        adaptation = _adaptation_set(period, position, together[0].rendition.kind)
        if keyframes_told and all(s.independent for track in together for s in track.segments):
            adaptation.set("startWithSAP", "1")
        for track in together:
            add_template(_representation(adaptation, track), track)
    return period


def _switching_sets(tracks: Sequence[Track]) -> list[list[Track]]:
    """Video that players may switch between, together; each rendition of sound by itself."""
    videos = [track for track in tracks if track.rendition.kind is MediaKind.VIDEO]
    others = [[track] for track in tracks if track.rendition.kind is not MediaKind.VIDEO]
    return [videos, *others] if videos else others


def _adaptation_set(period: ET.Element, position: int, kind: MediaKind) -> ET.Element:
    return ET.SubElement(
        period,
        "AdaptationSet",
        id=str(position),
        contentType=kind.value,
        mimeType="video/mp4" if kind is MediaKind.VIDEO else "audio/mp4",
        segmentAlignment="true",
    )


def _representation(adaptation: ET.Element, track: Track) -> ET.Element:
    rendition, init = track.rendition, track.init
    representation = ET.SubElement(
        adaptation,
        "Representation",
        id=rendition.name,
        bandwidth=str(max(1, rendition.peak_bandwidth)),
        codecs=init.codecs,
    )
    if rendition.kind is MediaKind.VIDEO:
        representation.set("width", str(init.width))
        representation.set("height", str(init.height))
    else:
        representation.set("audioSamplingRate", str(init.sample_rate))
        ET.SubElement(
            representation,
            "AudioChannelConfiguration",
            schemeIdUri=_CHANNELS_SCHEME,
            value=str(_CICP_BY_CHANNELS.get(init.channels, 2)),
        )
    return representation


def duration_text(seconds: float) -> str:
    """Seconds as an xs:duration, to the millisecond."""
    return f"PT{max(0.0, seconds):.3f}S"


def text_of(mpd: ET.Element) -> str:
    """The document."""
    ET.indent(mpd)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(mpd, encoding="unicode") + "\n"
