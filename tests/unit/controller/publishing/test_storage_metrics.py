"""Uploads and disk space in the words of Prometheus."""

from collections import Counter
from types import SimpleNamespace

from prometheus_client.parser import text_string_to_metric_families

from controller.metrics import PATH, create_metrics, create_registry
from controller.publishing.space import SpaceStep, VolumeState
from controller.publishing.storage_metrics import StorageMetrics
from ingest.vod.uploader import UploadFigures

UPLOADER = SimpleNamespace(figures=UploadFigures(7, 700, 2, 1, 3, 4), backlog=5)
SPACE = SimpleNamespace(
    volumes=[VolumeState("data", 1000, SpaceStep.NO_RECORDINGS)],
    steps_taken=Counter({("data", "prune"): 2}),
)


async def test_uploads_and_space_are_shown(aiohttp_client):
    registry = create_registry()
    StorageMetrics(UPLOADER, SPACE, registry)
    client = await aiohttp_client(create_metrics(registry))
    text = await (await client.get(PATH, headers={"Accept": "text/plain"})).text()
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    expected = {
        ("golive_uploads_total", "stored"): 7,
        ("golive_uploads_total", "failed"): 2,
        ("golive_uploads_total", "refused"): 1,
        ("golive_uploaded_bytes_total",): 700,
        ("golive_recording_files_missing_total", "lost"): 3,
        ("golive_recording_files_missing_total", "no_space"): 4,
        ("golive_uploads_waiting",): 5,
        ("golive_space_free_bytes", "data"): 1000,
        ("golive_space_step", "data"): 2,
        ("golive_space_steps_total", "data", "prune"): 2,
    }
    assert {key: samples.get(key) for key in expected} == expected
