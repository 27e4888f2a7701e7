"""Who runs on this machine: nginx masters, and who holds a port."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

_MASTER = "nginx: master process "
_WORKER = "nginx: worker process"
_LEAVING = "nginx: worker process is shutting down"


@dataclass(frozen=True, slots=True)
class NginxProcess:
    """A running nginx; `config` is None when its command line does not name one.

    stack_bytes: the limit of its workers' stack; None when it is not told, or without bound.
    """

    pid: int
    config: Path | None
    workers: int
    leaving_workers: int
    stack_bytes: int | None


def nginx_processes() -> list[NginxProcess]:
    """Every nginx master that this user may see."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            title = " ".join(process.cmdline())
            if title.startswith(_MASTER):
                found.append(_describe(process, title.removeprefix(_MASTER)))
    return found


def listeners_of(port: int) -> list[str]:
    """The names of the processes that listen on a TCP port; `""` for one that is not told."""
    with suppress(psutil.Error):
        return [
            psutil.Process(connection.pid).name() if connection.pid else ""
            for connection in psutil.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN and _port(connection.laddr) == port
        ]
    return []


def _port(address: Sequence[object]) -> object:
    """psutil's addresses are `(host, port)`, or empty."""
    return address[-1] if address else None


def _describe(process: psutil.Process, command: str) -> NginxProcess:
    titles = []
    for child in process.children():
        with suppress(psutil.Error):
            titles.append(" ".join(child.cmdline()))
    workers = [title for title in titles if title.startswith(_WORKER)]
    leaving = [title for title in workers if title.startswith(_LEAVING)]
    return NginxProcess(
        pid=process.pid,
        config=_config_of(shlex.split(command)),
        workers=len(workers) - len(leaving),
        leaving_workers=len(leaving),
        stack_bytes=_stack_bytes(process),
    )


def _config_of(words: Sequence[str]) -> Path | None:
    options = dict(pairwise(words))
    if "-c" not in options:
        return None
    return Path(options.get("-p", "/")) / options["-c"]


def _stack_bytes(process: psutil.Process) -> int | None:
    with suppress(psutil.Error):
        soft, _ = process.rlimit(psutil.RLIMIT_STACK)
        return None if soft < 0 else soft
    return None
