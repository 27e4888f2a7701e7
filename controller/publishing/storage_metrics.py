"""Uploads and disk space for Prometheus, read when they are asked for."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.publishing.space import SpaceGuard
from ingest import Uploader


class StorageMetrics(Collector):
    """What was stored, what waits, what is free, and what was given up for want of space."""

    def __init__(self, uploader: Uploader, space: SpaceGuard, registry: CollectorRegistry) -> None:
        self._uploader = uploader
        self._space = space
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing is asked before the daemon runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        yield from self._uploads()
        yield from self._volumes()

    def _uploads(self) -> Iterator[Metric]:
        figures = self._uploader.figures
        uploads = CounterMetricFamily(
            "golive_uploads", "Uploads of recorded files, by how they went.", labels=["outcome"]
        )
        uploads.add_metric(["stored"], figures.stored)
        uploads.add_metric(["failed"], figures.failed)
        uploads.add_metric(["refused"], figures.refused)
        yield uploads
        yield CounterMetricFamily(
            "golive_uploaded_bytes", "Stored by uploads.", value=figures.stored_bytes
        )
        missing = CounterMetricFamily(
            "golive_recording_files_missing",
            "Recorded files that no recording has: lost, or left out for want of space.",
            labels=["reason"],
        )
        missing.add_metric(["lost"], figures.lost)
        missing.add_metric(["no_space"], figures.left_out)
        yield missing
        yield GaugeMetricFamily(
            "golive_uploads_waiting", "Files yet to be stored.", value=self._uploader.backlog
        )

    def _volumes(self) -> Iterator[Metric]:
        free = GaugeMetricFamily("golive_space_free_bytes", "Free space.", labels=["volume"])
        step = GaugeMetricFamily(
            "golive_space_step",
            "What is given up for want of space: 0 nothing, 1 local copies, 2 new recordings, "
            "3 new encoders, 4 running recordings.",
            labels=["volume"],
        )
        for volume in self._space.volumes:
            free.add_metric([volume.name], volume.free_bytes)
            step.add_metric([volume.name], volume.step)
        yield free
        yield step
        taken = CounterMetricFamily(
            "golive_space_steps", "Steps taken for want of space.", labels=["volume", "step"]
        )
        for (volume_name, word), count in self._space.steps_taken.items():
            taken.add_metric([volume_name, word], count)
        yield taken
