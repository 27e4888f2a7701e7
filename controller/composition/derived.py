"""What is derived from streams: thumbnails, MP4s, pictures, clips."""

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from controller.api.public_urls import PublicUrls
from controller.composition.media import MediaPlane
from controller.domain.derived import ClipRules, ClipSource
from controller.domain.jobs import JobDesk
from controller.publishing.clip_source import StreamClipSource
from controller.publishing.derivations import Derivations
from controller.publishing.thumbnails import LiveThumbnails
from controller.publishing.visits import Visits
from controller.settings import Settings
from controller.stores.opening import Stores
from ingest import ObjectStore
from ingest.derivatives import DerivedMedia

_MOST_UNFINISHED_CLIPS = 5


@dataclass(frozen=True, slots=True)
class DerivedParts:
    """What the API and the lives of streams need of it."""

    clip_source: ClipSource
    clip_rules: ClipRules
    jobs: JobDesk
    derivations: Derivations
    thumbnails: LiveThumbnails

    def start(self) -> None:
        """Begin the background work, once streams have been taken up again."""
        self.derivations.start()
        self.thumbnails.start()


def public_urls(settings: Settings) -> PublicUrls:
    """The addresses that clients are given."""
    return PublicUrls(settings.public_url, settings.rtmp_url, settings.vod_base)


def build_derived(
    settings: Settings,
    stores: Stores,
    objects: ObjectStore,
    media: MediaPlane,
    jobs: JobDesk,
    visits: Visits,
    stack: AsyncExitStack,
) -> DerivedParts:
    """Over the live streams of this daemon and the object store; `stack` closes it."""
    staging = settings.data_dir.absolute() / "clips"
    thumbnails = LiveThumbnails(
        media.supervisor,
        visits,
        stores.derived,
        public_urls(settings),
        settings.thumbnail_interval_s,
        time.monotonic,
    )
    derivations = Derivations(stores.derived, jobs)
    stack.push_async_callback(thumbnails.close)
    stack.push_async_callback(derivations.close)
    return DerivedParts(
        clip_source=StreamClipSource(media.supervisor, DerivedMedia(objects), staging),
        clip_rules=ClipRules(
            longest_s=settings.clip_longest_s,
            longest_exact_s=settings.clip_longest_exact_s,
            most=settings.clips_per_stream,
            most_unfinished=_MOST_UNFINISHED_CLIPS,
        ),
        jobs=jobs,
        derivations=derivations,
        thumbnails=thumbnails,
    )
