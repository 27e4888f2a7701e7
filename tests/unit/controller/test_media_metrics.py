import contextlib
from types import SimpleNamespace

from prometheus_client.parser import text_string_to_metric_families

from controller.metrics import PATH, create_metrics, create_registry
from controller.publishing.media_metrics import MediaMetrics
from ingest.errors import OverBudget
from ingest.session.admission import Admission, SessionBudget, SessionKind
from ingest.session.health import LATENESS_BOUNDS_S, Lateness
from ingest.session.messages import SessionHealth
from ingest.session.session_totals import SessionCounts, SessionTotals
from ingest.session.state import SessionState

HEALTH = SessionHealth(
    video_bits_per_s=6e6,
    audio_bits_per_s=1e5,
    frames_per_s=30,
    gop_s=2,
    av_offset_s=0,
    audio_drift_s=0,
    dropped=0,
    repaired=0,
    unread_bytes=512,
)


class Supervisor:
    def sessions(self):
        return [
            SimpleNamespace(state=SessionState.LIVE, health=HEALTH),
            SimpleNamespace(state=SessionState.LIVE, health=HEALTH),
            SimpleNamespace(state=SessionState.PROBING, health=None),
        ]

    @property
    def admission(self):
        admission = Admission(SessionBudget(total=3))
        for name in "abc":
            admission.enter(name, SessionKind.PASSTHROUGH)
        with contextlib.suppress(OverBudget):
            admission.enter("d", SessionKind.PASSTHROUGH)
        return admission

    def totals(self):
        counts = [1, 2, *[0] * (len(LATENESS_BOUNDS_S) - 1)]
        lateness = Lateness(3, 1, 0.05, 0.02, tuple(counts))
        return SessionTotals().with_session(SessionCounts(1, 2, 3)).with_lateness(lateness)


async def test_the_media_plane_is_summed_up_without_naming_anybody(aiohttp_client):
    registry = create_registry()
    MediaMetrics(Supervisor(), registry)
    client = await aiohttp_client(create_metrics(registry))

    text = await (await client.get(PATH)).text()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples["golive_sessions", "live"] == 2
    assert samples["golive_sessions", "probing"] == 1
    assert samples["golive_intake_bits_per_second",] == 12_200_000
    assert samples["golive_spool_unread_bytes",] == 1024
    assert samples["golive_session_budget",] == samples["golive_session_cost",] == 3
    assert samples["golive_sessions_refused_total",] == 1
    assert samples["golive_worker_restarts_total",] == 1
    assert samples["golive_packets_dropped_total",] == 2
    assert samples["golive_timestamps_repaired_total",] == 3
    assert samples["golive_parts_late_total",] == 1
    assert samples["golive_part_lateness_seconds_bucket", "0.01"] == 1
    assert samples["golive_part_lateness_seconds_bucket", "+Inf"] == 3
    assert samples["golive_part_lateness_seconds_sum",] == 0.05
    labels = {
        name
        for family in families.values()
        if family.name.startswith("golive_")
        for sample in family.samples
        for name in sample.labels
    }
    assert labels <= {"state", "le"}
