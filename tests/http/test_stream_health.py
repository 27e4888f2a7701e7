"""What a host is told of the encoder, by the sessions that the daemon runs."""

import dataclasses
from datetime import UTC, datetime

from controller.domain.coach import WORDS, Advice, AdviceCode
from controller.domain.session_health import IntakeHealth, PartHealth, SessionHealth
from tests.http.running_api import run_api
from tests.support.tokens import person

INTAKE = IntakeHealth(
    video_bits_per_s=5_999_999.6,
    audio_bits_per_s=128_000.2,
    frames_per_s=29.9701,
    gop_s=2.0,
    av_offset_s=-0.021,
    audio_drift_s=0.00031,
    packets_dropped=2,
    timestamps_repaired=1,
    queued_bytes=4096,
    video_codec="hevc",
    audio_codec="aac",
    has_b_frames=True,
    pace=0.98765,
    width=1920,
    height=1080,
)


class Coaches:
    """A CoachMonitor that says the same of every stream."""

    def __init__(self, advice):
        self.advice = advice

    def advice_of(self, _stream_id):
        return self.advice


class Sessions:
    """A SessionMonitor with one session."""

    def __init__(self):
        self.found = {}

    def health_of(self, stream_id):
        return self.found.get(str(stream_id))


async def test_the_host_reads_how_the_encoder_fares(sqlite_factory):
    sessions = Sessions()
    coaches = Coaches([Advice(AdviceCode.LONG_GOP, datetime(2026, 5, 1, tzinfo=UTC))])
    changed = {"sessions": sessions, "coaches": coaches}
    async with run_api(await sqlite_factory.fresh(), **changed) as api:
        host = person("seller")
        stream_id = await api.live_stream(host)
        sessions.found[stream_id] = SessionHealth("live", 1, INTAKE, PartHealth(50, 2, 0.1236))

        reply = await api.call("GET", f"/streams/{stream_id}/health", host)

    assert reply.status == 200
    assert reply.data == {
        "streamId": stream_id,
        "session": "live",
        "restarts": 1,
        "intake": {
            "videoBitrate": 6_000_000,
            "audioBitrate": 128_000,
            "frameRate": 29.97,
            "gopSeconds": 2.0,
            "avOffsetSeconds": -0.021,
            "audioDriftSeconds": 0.0003,
            "packetsDropped": 2,
            "timestampsRepaired": 1,
            "queuedBytes": 4096,
            "videoCodec": "hevc",
            "audioCodec": "aac",
            "hasBFrames": True,
            "pace": 0.988,
            "width": 1920,
            "height": 1080,
        },
        "parts": {"listed": 50, "late": 2, "latenessSeconds": 0.1236},
        "advice": [
            {
                "code": "long_gop",
                "severity": "problem",
                "title": WORDS[AdviceCode.LONG_GOP].title,
                "why": WORDS[AdviceCode.LONG_GOP].why,
                "obs": WORDS[AdviceCode.LONG_GOP].obs,
                "phone": WORDS[AdviceCode.LONG_GOP].phone,
                "since": "2026-05-01T00:00:00Z",
            }
        ],
    }


async def test_a_session_that_has_just_begun_has_no_rates(sqlite_factory):
    sessions = Sessions()
    async with run_api(await sqlite_factory.fresh(), sessions=sessions) as api:
        host = person("seller")
        stream_id = await api.live_stream(host)
        begun = SessionHealth("live", 0, INTAKE, PartHealth(0, 0, 0.0))
        sessions.found[stream_id] = dataclasses.replace(begun, intake=None)

        reply = await api.call("GET", f"/streams/{stream_id}/health", host)

    assert (reply.status, reply.data["intake"]) == (200, None)


async def test_without_an_encoder_there_is_no_session(api):
    host = person("seller")
    stream_id = await api.live_stream(host)

    reply = await api.call("GET", f"/streams/{stream_id}/health", host)

    assert reply.status == 200
    assert (reply.data["session"], reply.data["parts"]) == (None, None)


async def test_nobody_else_reads_it(api):
    host, stranger = person("seller"), person("buyer")
    stream_id = await api.live_stream(host)

    refused = await api.call("GET", f"/streams/{stream_id}/health", stranger)
    anonymous = await api.call("GET", f"/streams/{stream_id}/health")

    assert (refused.status, refused.json["code"]) == (403, "not_your_stream")
    assert anonymous.status == 401
