"""How an ended stream becomes a VOD, and how its live files leave."""

import asyncio
import contextlib
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from uuid import UUID

import structlog

from controller.domain.ports import EndedMedia, StreamStore
from controller.domain.states import StreamStatus
from controller.domain.streams import Stream
from controller.errors import StoreUnavailable, StreamNotFound
from controller.publishing.background import BackgroundTasks
from ingest import IngestError, SessionSupervisor

_FINISH_TIMEOUT_S = 10.0
"""How long the host's `end` waits for the VOD before it is answered without."""

_LINGER_S = 60.0
"""How long an ended stream's live playlists stay, so that players read their ENDLIST."""

_RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Between tries, each of which waits for the store by itself."""


class Recordings:
    """Finishes ended streams: ENDLIST, VOD, then the live files go.

    on_finished: called when a stream's media are, with whether there is a recording.
    """

    def __init__(
        self,
        streams: StreamStore,
        supervisor: SessionSupervisor,
        vod_base_url: str,
        on_finished: Callable[[UUID, bool], None] = lambda _, __: None,
    ) -> None:
        self._streams = streams
        self._supervisor = supervisor
        self._vod_base_url = vod_base_url
        self._on_finished = on_finished
        self._tasks = BackgroundTasks()
        self._running: dict[UUID, asyncio.Task[str | None]] = {}
        self._log = structlog.get_logger()

    async def finish(self, stream: Stream) -> EndedMedia:
        """Publish the recording of an ended stream, whose session is over.

        Answers without a URL when there is no recording, or when it is not ready in time: then
        it goes on in the background until it succeeds.
        """
        work = self._start(stream)
        await asyncio.wait({work}, timeout=_FINISH_TIMEOUT_S)
        if work.done() and not work.cancelled() and work.exception() is None:
            return EndedMedia(vod_url=work.result())
        return EndedMedia(vod_url=None)

    async def recover(self, but: AbstractSet[UUID]) -> None:
        """Finish what the last run of the daemon left: ended streams without their VOD, and live
        files that nobody needs any more. Streams in `but` have a session that comes first.
        """
        root = self._supervisor.folder("")
        folders = await asyncio.to_thread(lambda: [*root.iterdir()] if root.exists() else [])
        for folder in folders:
            with contextlib.suppress(ValueError):
                stream_id = UUID(folder.name)
                if stream_id not in but:
                    await self._recover(stream_id)

    async def close(self) -> None:
        """Stop; what is unfinished is taken up by `recover` at the next start."""
        await self._tasks.close()

    async def _recover(self, stream_id: UUID) -> None:
        try:
            stream = await self._streams.get(stream_id)
        except StreamNotFound:
            self._log.warning("live_files_of_unknown_stream", stream_id=str(stream_id))
            return
        if stream.status is StreamStatus.ENDED:
            self._start(stream)

    def _start(self, stream: Stream) -> asyncio.Task[str | None]:
        """The stream's one finishing task."""
        running = self._running.get(stream.id)
        if running is None:
            running = self._tasks.start(self._finish(stream), f"finish-{stream.id}")
            self._running[stream.id] = running
            running.add_done_callback(lambda _: self._running.pop(stream.id, None))
        return running

    async def _finish(self, stream: Stream) -> str | None:
        """The VOD's URL, tried until the store takes it; None when nothing was recorded."""
        attempt = 0
        while True:
            try:
                url = await self._publish(stream)
                break
            except (IngestError, StoreUnavailable, OSError) as error:
                wait_s = _RETRY_S[min(attempt, len(_RETRY_S) - 1)]
                self._log.warning(
                    "recording_not_published",
                    stream_id=str(stream.id),
                    error=str(error),
                    again_in_s=wait_s,
                )
                attempt += 1
                await asyncio.sleep(wait_s)
        self._on_finished(stream.id, url is not None)
        self._tasks.start(self._forget_later(stream.id), f"forget-{stream.id}")
        return url

    async def _publish(self, stream: Stream) -> str | None:
        vod = await self._supervisor.finish_stream(
            str(stream.id),
            record=stream.options.record_stream,
            reason=stream.end_reason.value if stream.end_reason else "ended",
        )
        if vod is None:
            return None
        url = f"{self._vod_base_url}/{vod.hls_key}"
        if stream.vod_url != url:
            await self._streams.set_vod(stream.id, url)
        self._log.info(
            "recording_ready", stream_id=str(stream.id), duration_s=round(vod.duration_s, 3)
        )
        return url

    async def _forget_later(self, stream_id: UUID) -> None:
        await asyncio.sleep(_LINGER_S)
        await self._supervisor.forget_stream(str(stream_id), remove_files=True)
