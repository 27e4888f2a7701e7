"""What the host is told of the encoder and of the packager."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import Field

from controller.api.answers import CamelAnswer
from controller.domain.coach import Advice, AdviceCode, Severity
from controller.domain.session_health import IntakeHealth, PartHealth, SessionHealth


class IntakeAnswer(CamelAnswer):
    """What the encoder sends."""

    video_bitrate: int = Field(description="Bits per second, over the last seconds.")
    audio_bitrate: int = Field(description="Bits per second, over the last seconds.")
    frame_rate: float = Field(description="Frames per second, over the last seconds.")
    gop_seconds: float = Field(description="From the last but one key frame to the last.")
    av_offset_seconds: float = Field(
        description="How far the audio's timestamps are ahead of those of the video beside them."
    )
    audio_drift_seconds: float = Field(
        description="How far the audio's timestamps are ahead of the samples that came."
    )
    packets_dropped: int = Field(description="That could not be used, since the packager began.")
    timestamps_repaired: int = Field(description="Since the packager began.")
    queued_bytes: int = Field(description="Received and not packaged yet.")
    video_codec: str = Field(description="Empty without a picture.")
    audio_codec: str = Field(description="Empty without sound.")
    has_b_frames: bool
    pace: float = Field(description="Seconds of media that came in a second.")
    width: int = Field(description="Of the picture, in pixels; 0 without one.")
    height: int = Field(description="Of the picture, in pixels; 0 without one.")


class AdviceAnswer(CamelAnswer):
    """Something to change, in the encoder's own words."""

    code: AdviceCode
    severity: Severity
    title: str
    why: str
    obs: str = Field(description="What to change in OBS.")
    phone: str = Field(description="What to change in a phone's app.")
    since: datetime


class PartsAnswer(CamelAnswer):
    """Partial Segments since the server took the stream up."""

    listed: int
    late: int = Field(description="By more than half of PART-TARGET.")
    lateness_seconds: float = Field(description="Of the latest one in the last half minute.")


class StreamHealthAnswer(CamelAnswer):
    """How the stream comes in and goes out."""

    stream_id: UUID
    session: str | None = Field(
        description="What the packager is doing; null while no encoder is there."
    )
    restarts: int = Field(description="Of the packager, for this visit of the encoder.")
    intake: IntakeAnswer | None = Field(
        description="Null until the encoder has been sending for a few seconds."
    )
    parts: PartsAnswer | None
    advice: list[AdviceAnswer] = Field(description="Problems first; empty when all is well.")


def show_advice(advice: Advice) -> AdviceAnswer:
    """One piece of advice."""
    words = advice.words
    return AdviceAnswer(
        code=advice.code,
        severity=words.severity,
        title=words.title,
        why=words.why,
        obs=words.obs,
        phone=words.phone,
        since=advice.since,
    )


def show_health(
    stream_id: UUID, health: SessionHealth | None, advice: Sequence[Advice] = ()
) -> StreamHealthAnswer:
    """The answer for a stream with or without a session."""
    if health is None:
        return StreamHealthAnswer(
            stream_id=stream_id, session=None, restarts=0, intake=None, parts=None, advice=[]
        )
    return StreamHealthAnswer(
        stream_id=stream_id,
        session=health.state,
        restarts=health.restarts,
        intake=None if health.intake is None else _intake(health.intake),
        parts=_parts(health.parts),
        advice=[show_advice(one) for one in advice],
    )


def _intake(intake: IntakeHealth) -> IntakeAnswer:
    return IntakeAnswer(
        video_bitrate=round(intake.video_bits_per_s),
        audio_bitrate=round(intake.audio_bits_per_s),
        frame_rate=round(intake.frames_per_s, 2),
        gop_seconds=round(intake.gop_s, 3),
        av_offset_seconds=round(intake.av_offset_s, 3),
        audio_drift_seconds=round(intake.audio_drift_s, 4),
        packets_dropped=intake.packets_dropped,
        timestamps_repaired=intake.timestamps_repaired,
        queued_bytes=intake.queued_bytes,
        video_codec=intake.video_codec,
        audio_codec=intake.audio_codec,
        has_b_frames=intake.has_b_frames,
        pace=round(intake.pace, 3),
        width=intake.width,
        height=intake.height,
    )


def _parts(parts: PartHealth) -> PartsAnswer:
    return PartsAnswer(
        listed=parts.listed, late=parts.late, lateness_seconds=round(parts.lateness_s, 4)
    )
