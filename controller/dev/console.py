"""What `golive dev` says to the person at the terminal."""

import json
import re
from dataclasses import dataclass
from typing import TextIO

import structlog

_NGINX_LINE = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(?P<level>\w+)\] \d+#\d+: (?P<text>.*)")
_NGINX_LEVELS = {
    "debug": "debug",
    "info": "debug",
    # At notice nginx tells of each worker that starts and of each signal.
    "notice": "debug",
    "warn": "warning",
}


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Addresses of a `golive dev` that is ready; no secret in it, so it may be written down."""

    pid: int
    local_url: str
    public_url: str
    rtmp_url: str
    stream_id: str = ""

    @property
    def watch_url(self) -> str:
        """The demo stream's page."""
        return f"{self.public_url}/watch/{self.stream_id}"

    def to_json(self) -> str:
        """As kept in the state file."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "RunningServer":
        """The other direction; ValueError or TypeError for a file that is something else."""
        return cls(**json.loads(text))


class Console:
    """Progress on standard error, the result on standard output."""

    def __init__(self, out: TextIO, progress: TextIO, log: structlog.stdlib.BoundLogger) -> None:
        self._out = out
        self._progress = progress
        self._log = log

    def step(self, text: str) -> None:
        """One line of progress."""
        print(text, file=self._progress, flush=True)

    def ready(self, server: RunningServer, stream_key: str) -> None:
        """The block that a person copies from."""
        lines = (
            "",
            "  golive is running.",
            "",
            f"    RTMP URL     {server.rtmp_url}",
            f"    Stream key   {stream_key}",
            f"    Watch page   {server.watch_url}",
            "",
            "  Enter URL and key in OBS (Settings, Stream, Custom), or run `golive demo`",
            "  in another terminal for a test picture. Ctrl-C stops everything.",
            "",
        )
        print("\n".join(lines), file=self._out, flush=True)

    def ready_without_demo(self, server: RunningServer, why: str) -> None:
        """Everything runs, but there is no stream to push to."""
        lines = (
            "",
            "  golive is running, without a demo stream:",
            f"  {why}",
            "",
            f"    RTMP URL     {server.rtmp_url}",
            f"    API          {server.public_url}/api/v1",
            "",
        )
        print("\n".join(lines), file=self._out, flush=True)

    def new_demo_stream(self, server: RunningServer, stream_key: str) -> None:
        """The old demo stream has ended; here is the next."""
        lines = (
            "",
            "  The demo stream has ended; its page now plays the recording. The next one:",
            "",
            f"    Stream key   {stream_key}",
            f"    Watch page   {server.watch_url}",
            "",
        )
        print("\n".join(lines), file=self._out, flush=True)

    def child_line(self, name: str, line: str) -> None:
        """A line of nginx's error log, at its own level."""
        match = _NGINX_LINE.match(line)
        level = _NGINX_LEVELS.get(match["level"], "error") if match else "warning"
        text = match["text"] if match else line
        getattr(self._log, level)("nginx says", child=name, line=text)
