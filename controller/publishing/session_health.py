"""Reads the sessions' health off the media plane."""

from collections.abc import Sequence
from uuid import UUID

from controller.domain.session_health import IntakeHealth, PartHealth, SessionHealth
from ingest import SessionSupervisor


class SupervisedSessions:
    """A SessionMonitor over the supervisor."""

    def __init__(self, supervisor: SessionSupervisor) -> None:
        self._supervisor = supervisor

    def streams(self) -> Sequence[UUID]:
        """The streams that have a session."""
        return [UUID(session.spec.stream_id) for session in self._supervisor.sessions()]

    def health_of(self, stream_id: UUID) -> SessionHealth | None:
        """The stream's session; None when no encoder is there."""
        session = self._supervisor.session(str(stream_id))
        if session is None:
            return None
        found, lateness = session.health, session.media.lateness
        checkpoint = session.media.checkpoint
        picture = None if checkpoint is None else checkpoint.video
        intake = (
            None
            if found is None
            else IntakeHealth(
                video_bits_per_s=found.video_bits_per_s,
                audio_bits_per_s=found.audio_bits_per_s,
                frames_per_s=found.frames_per_s,
                gop_s=found.gop_s,
                av_offset_s=found.av_offset_s,
                audio_drift_s=found.audio_drift_s,
                packets_dropped=found.dropped,
                timestamps_repaired=found.repaired,
                queued_bytes=found.unread_bytes,
                video_codec=found.video_codec,
                audio_codec=found.audio_codec,
                has_b_frames=found.has_b_frames,
                pace=found.pace,
                width=0 if picture is None else picture.width,
                height=0 if picture is None else picture.height,
            )
        )
        return SessionHealth(
            state=session.state.value,
            restarts=session.restarts,
            intake=intake,
            parts=PartHealth(lateness.parts, lateness.late, lateness.recent_max_s),
        )
