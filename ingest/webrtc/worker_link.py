"""The daemon's end of a WebRTC worker: ask, be told, and notice when it has gone."""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
import structlog

from ingest.session.worker_process import spawn_module
from ingest.webrtc.errors import WebRtcRefused, WorkerLost, refusal
from ingest.webrtc.messages import (
    Answered,
    Begin,
    Closed,
    Connected,
    Figures,
    FromPeerWorker,
    Hangup,
    Offer,
    Refused,
    SourceLost,
    ToPeerWorker,
    Trickle,
    Trickled,
    decode_from_worker,
    encode,
)

WHEP_MODULE = "ingest.webrtc.whep_worker"
WHIP_MODULE = "ingest.webrtc.whip_worker"
_ANSWER_WAIT_S = 25.0
"""A worker that is started for the first viewer of a stream takes a while on a busy machine."""

_KILL_WAIT_S = 5.0

Listener = Callable[[Connected | Closed | SourceLost], None]


class WorkerLink:
    """A running worker. `on_told` hears what it says of its own accord; `on_lost` its end, once."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_told: Listener,
        on_lost: Callable[[], None],
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._on_told = on_told
        self._on_lost = on_lost
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._reading = asyncio.create_task(self._read(), name=f"webrtc-{process.pid}")
        self._log = structlog.get_logger()
        self.figures = Figures()

    @classmethod
    async def spawn(
        cls, module: str, begin: Begin, on_told: Listener, on_lost: Callable[[], None]
    ) -> "WorkerLink":
        """Start a worker."""
        link = cls(*await spawn_module(module), on_told, on_lost)
        link.tell(begin)
        return link

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.returncode is None and not self._reading.done()

    def tell(self, message: ToPeerWorker) -> None:
        """Send a message; one that can no longer arrive is dropped."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def answer(self, session: str, sdp: str) -> str:
        """The SDP answer to an offer. Raises WebRtcRefused."""
        return await self._ask(session, Offer(session=session, sdp=sdp))

    async def trickle(self, session: str, fragment: str) -> None:
        """Hand on candidates. Raises WebRtcRefused."""
        await self._ask(session, Trickle(session=session, fragment=fragment))

    def hangup(self, session: str) -> None:
        """End a session; Closed is told."""
        self.tell(Hangup(session=session))

    async def close(self) -> None:
        """End the process, with all its sessions."""
        self._writer.close()
        try:
            async with asyncio.timeout(_KILL_WAIT_S):
                await self._process.wait()
        except TimeoutError:
            self._kill()
            await self._process.wait()
        await asyncio.wait({self._reading})

    async def _ask(self, session: str, message: Offer | Trickle) -> str:
        try:
            async with asyncio.timeout(_ANSWER_WAIT_S):
                while (earlier := self._waiting.get(session)) is not None:
                    await asyncio.wait({earlier})  # candidates come in quick succession
                    await asyncio.sleep(0)
                return await self._ask_next(session, message)
        except TimeoutError as error:
            self.hangup(session)
            raise WorkerLost("the WebRTC worker did not answer in time") from error
        except asyncio.CancelledError:
            self.hangup(session)
            raise

    async def _ask_next(self, session: str, message: Offer | Trickle) -> str:
        if not self.alive:
            raise WorkerLost("the WebRTC worker has died: try again")
        self._waiting[session] = asyncio.get_running_loop().create_future()
        try:
            self.tell(message)
            return str(await self._waiting[session])
        finally:
            self._waiting.pop(session, None)

    def _settle(self, session: str, result: str | WebRtcRefused) -> None:
        future = self._waiting.get(session)
        if future is None or future.done():
            return
        if isinstance(result, str):
            future.set_result(result)
        else:
            future.set_exception(result)

    def _take(self, message: FromPeerWorker) -> None:
        match message:
            case Answered():
                self._settle(message.session, message.sdp)
            case Trickled():
                self._settle(message.session, "")
            case Refused():
                self._settle(message.session, refusal(message.code, message.detail))
            case Figures():
                self.figures = message
            case Connected() | Closed() | SourceLost():
                self._on_told(message)

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(decode_from_worker(line))
        except (ConnectionError, msgspec.DecodeError, ValueError) as error:
            self._log.warning("webrtc_worker_lost", pid=self.pid, error=type(error).__name__)
        finally:
            self._writer.close()
            self._kill()
            await self._process.wait()
            for session in [*self._waiting]:
                self._settle(session, WorkerLost("the WebRTC worker has died: try again"))
            self._on_lost()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
