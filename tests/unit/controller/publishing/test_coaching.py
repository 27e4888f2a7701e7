"""Coaches of the sessions that there are, and what the host is told."""

from datetime import UTC, datetime
from uuid import uuid4

from controller.domain.coach import AdviceCode
from controller.domain.rehearsals import new_rehearsal_id
from controller.domain.session_health import IntakeHealth, PartHealth, SessionHealth
from controller.publishing.coaching import Coaching

LONG_GOP = IntakeHealth(2e6, 128e3, 30.0, 10.0, 0.0, 0.0, 0, 0, 0, "h264", "aac")


class Sessions:
    """Health by stream."""

    def __init__(self):
        self.intakes = {}

    def streams(self):
        return [*self.intakes]

    def health_of(self, stream_id):
        intake = self.intakes.get(stream_id)
        return SessionHealth("live", 0, intake, PartHealth(0, 0, 0.0))


class Told:
    """Everything that was announced."""

    def __init__(self):
        self.changes = []

    async def advised(self, stream_id, change):
        self.changes.append((stream_id, change.advice.code, change.is_raised))


class Clock:
    def now(self):
        return datetime(2026, 5, 1, tzinfo=UTC)


async def test_the_host_is_told_and_told_again_when_the_encoder_has_gone():
    sessions, told = Sessions(), Told()
    coaching = Coaching(sessions, told, Clock(), 2.0)
    stream_id, quiet = uuid4(), uuid4()
    sessions.intakes = {stream_id: LONG_GOP, quiet: None}
    for _ in range(5):
        await coaching.look()
    assert told.changes == [(stream_id, AdviceCode.LONG_GOP, True)]
    assert [one.code for one in coaching.advice_of(stream_id)] == [AdviceCode.LONG_GOP]
    assert coaching.advice_of(quiet) == []
    del sessions.intakes[stream_id]
    await coaching.look()
    assert told.changes[1:] == [(stream_id, AdviceCode.LONG_GOP, False)]
    assert coaching.advice_of(stream_id) == []


async def test_a_rehearsal_is_coached_and_no_room_hears_of_it():
    sessions, told = Sessions(), Told()
    coaching = Coaching(sessions, told, Clock(), 2.0)
    rehearsal_id = new_rehearsal_id()
    sessions.intakes = {rehearsal_id: LONG_GOP}
    for _ in range(5):
        await coaching.look()
    assert [one.code for one in coaching.advice_of(rehearsal_id)] == [AdviceCode.LONG_GOP]
    del sessions.intakes[rehearsal_id]
    await coaching.look()
    assert told.changes == []
