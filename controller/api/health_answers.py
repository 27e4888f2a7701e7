"""What the host is told of the encoder and of the packager."""

from uuid import UUID

from pydantic import Field

from controller.api.answers import CamelAnswer
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


def show_health(stream_id: UUID, health: SessionHealth | None) -> StreamHealthAnswer:
    """The answer for a stream with or without a session."""
    if health is None:
        return StreamHealthAnswer(
            stream_id=stream_id, session=None, restarts=0, intake=None, parts=None
        )
    return StreamHealthAnswer(
        stream_id=stream_id,
        session=health.state,
        restarts=health.restarts,
        intake=None if health.intake is None else _intake(health.intake),
        parts=_parts(health.parts),
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
    )


def _parts(parts: PartHealth) -> PartsAnswer:
    return PartsAnswer(
        listed=parts.listed, late=parts.late, lateness_seconds=round(parts.lateness_s, 4)
    )
