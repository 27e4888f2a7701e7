"""Every alert fires when it should, and not before; told by Prometheus' own tool."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[4] / "config"
RULES = CONFIG / "prometheus-alerts.yml"
PROMTOOL = shutil.which("promtool")

# What makes each alert fire, and the same figures as they are when all is well; a value each
# half minute: `0+5x60` begins at 0 and grows by 5.
SERIES = {
    "GoliveDown": ('up{job="golive"}', "0x60", "1x60"),
    "GoliveDependencyDown": ('golive_dependency_up{dependency="database"}', "0x60", "1x60"),
    "GoliveRestarting": (
        'process_start_time_seconds{job="golive"}',
        "1x30 2x2 3x2 4x2 5x2 6x20",
        "1x60",
    ),
    "GoliveWorkersRestarting": ("golive_worker_restarts_total", "0+1x60", "3x60"),
    "GolivePublicationsFailing": (
        'golive_publications_total{outcome="failed"}',
        "0+1x60",
        "2x60",
    ),
    "GoliveStalledSessions": ('golive_sessions{state="stalled"}', "2x60", "0x60"),
    "GolivePartsLate": (
        ("golive_parts_late_total", "golive_part_lateness_seconds_count"),
        ("0+20x60", "0+150x60"),
        ("0+1x60", "0+150x60"),
    ),
    "GoliveSpoolBehind": ("golive_spool_unread_bytes", "90000000x60", "100000x60"),
    "GoliveNearCapacity": (
        ("golive_session_cost", "golive_session_budget"),
        ("115x60", "120x60"),
        ("60x60", "120x60"),
    ),
    "GoliveEncodersRefused": (
        'golive_hooks_total{hook="publish", outcome="no_capacity"}',
        "0x30 0+1x30",
        "5x60",
    ),
    "GoliveKeysGuessed": (
        'golive_hooks_total{hook="publish", outcome="unknown_key"}',
        "0+60x60",
        "0+1x60",
    ),
    "GoliveHooksSlow": (
        tuple(
            f'golive_hook_duration_seconds_bucket{{hook="publish", le="{bound}"}}'
            for bound in ("0.1", "2.5", "8.0", "+Inf")
        ),
        ("0+1x60", "0+1x60", "0+9x60", "0+9x60"),
        ("0+9x60", "0+9x60", "0+9x60", "0+9x60"),
    ),
    "GoliveErrors": (
        ('golive_http_requests_total{status="503"}', 'golive_http_requests_total{status="200"}'),
        ("0+5x60", "0+100x60"),
        ("0x60", "0+100x60"),
    ),
    "GoliveEventLoopBlocked": (
        tuple(
            f'golive_event_loop_lag_seconds_bucket{{le="{bound}"}}'
            for bound in ("0.025", "0.25", "1.0", "+Inf")
        ),
        ("0+100x60", "0+100x60", "0+120x60", "0+120x60"),
        ("0+120x60", "0+120x60", "0+120x60", "0+120x60"),
    ),
    "GoliveDatabasePoolExhausted": (
        ("golive_database_connections", "golive_database_connections_limit"),
        ("10x60", "10x60"),
        ("3x60", "10x60"),
    ),
    "GoliveDatabaseFailures": ("golive_database_failures_total", "0+1x60", "4x60"),
    "GoliveUploadsBehind": ("golive_uploads_waiting", "900x60", "20x60"),
    "GoliveUploadsRefused": ('golive_uploads_total{outcome="refused"}', "0+1x60", "1x60"),
    "GoliveRecordingIncomplete": (
        'golive_recording_files_missing_total{reason="lost"}',
        "0+1x60",
        "1x60",
    ),
    "GoliveDiskShort": ('golive_space_step{volume="data"}', "1x60", "0x60"),
    "GoliveJobsBehind": ("golive_job_wait_seconds", "900x60", "2x60"),
    "GoliveJobsFailing": ('golive_jobs{state="failed"}', "20x60", "1x60"),
}
_EVALUATED = "25m"


def alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", RULES.read_text())


def promtool(*arguments: str) -> None:
    ended = subprocess.run(
        [PROMTOOL, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def group(*, fires: bool) -> dict:
    """All series at once, either such that every alert fires, or such that none does."""
    series = []
    for names, firing, quiet in SERIES.values():
        values = firing if fires else quiet
        pairs = [(names, values)] if isinstance(names, str) else zip(names, values, strict=True)
        series += [{"series": name, "values": value} for name, value in pairs]
    told = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in SERIES]
    return {
        "interval": "30s",
        "input_series": series,
        "promql_expr_test": [
            {
                "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": _EVALUATED,
                "exp_samples": told if fires else [],
            }
        ],
    }


def document(*groups: dict) -> str:
    """A file for `promtool test rules`; JSON is YAML."""
    return json.dumps(
        {"rule_files": [str(RULES)], "evaluation_interval": "30s", "tests": list(groups)}
    )


pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def test_prometheus_takes_the_rules():
    promtool("check", "rules", str(RULES))


def test_every_alert_fires_and_none_does_when_all_is_well(tmp_path):
    assert sorted(SERIES) == sorted(alerts())
    (tmp_path / "tests.yml").write_text(document(group(fires=True), group(fires=False)))

    promtool("test", "rules", str(tmp_path / "tests.yml"))


@pytest.mark.parametrize("alert", ["GoliveDown", "GoliveHooksSlow"])
def test_an_alert_that_does_not_fire_is_noticed(tmp_path, monkeypatch, alert):
    names, _, quiet = SERIES[alert]
    monkeypatch.setitem(SERIES, alert, (names, quiet, quiet))
    (tmp_path / "tests.yml").write_text(document(group(fires=True)))

    with pytest.raises(AssertionError, match=alert):
        promtool("test", "rules", str(tmp_path / "tests.yml"))
