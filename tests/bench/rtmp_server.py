"""An nginx-rtmp of a benchmark's own: one per contestant, so that each one's share is its own."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import tree
from tests.bench.registry import BenchFailed
from tests.support.processes import Running, free_ports, port_is_free, wait_until

APP = "live"
_MODULES = (
    Path("/usr/lib/nginx/modules/ngx_rtmp_module.so"),
    Path("/usr/share/nginx/modules/ngx_rtmp_module.so"),
)
_START_WAIT_S = 15.0

# What the product's own configuration sets of the directives that cost time.
_CONFIG = """\
load_module {module};
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
rtmp {{
    access_log off;
    max_message 4M;
    out_queue 8192;
    out_cork 8;
    max_connections 1024;
    server {{
        listen 127.0.0.1:{port};
        application {app} {{
            live on;
            idle_streams on;
            publish_notify on;
            wait_key off;
            wait_video off;
            interleave off;
            play_restart off;
            {extra}
        }}
    }}
}}
"""

RECORDER = (
    "recorder spool {{ record all; record_path {folder}; record_suffix .flv; record_lock on; }}"
)
PACKAGERS = (
    "hls on; hls_path {folder}/hls; hls_fragment 2s; hls_playlist_length 12s; "
    "dash on; dash_path {folder}/dash; dash_fragment 2s; dash_playlist_length 12s;"
)


@dataclass(frozen=True)
class RtmpServer:
    """A running nginx."""

    port: int
    folder: Path
    process: Running

    def url(self, name: str) -> str:
        """Where `name` is published and played."""
        return f"rtmp://127.0.0.1:{self.port}/{APP}/{name}"

    def pids(self) -> list[int]:
        """Master and worker."""
        return tree([self.process.pid])


@contextlib.contextmanager
def rtmp_server(folder: Path, extra: str = "") -> Iterator[RtmpServer]:
    """nginx with `extra` in its application; `{folder}` in it is a folder of its own."""
    folder.mkdir(parents=True)
    module = next((path for path in _MODULES if path.exists()), None)
    if module is None:
        raise BenchFailed("nginx's rtmp module is not installed (libnginx-mod-rtmp)")
    (port,) = free_ports(1)
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            module=module,
            user="user root;" if os.geteuid() == 0 else "",
            folder=folder,
            port=port,
            app=APP,
            extra=extra.format(folder=folder),
        ),
        encoding="utf-8",
    )
    argv = ["nginx", "-p", str(folder), "-c", str(config), "-e", "stderr"]
    process = Running(argv, os.environ)
    try:
        wait_until(lambda: not port_is_free(port), _START_WAIT_S, f"nginx listens:\n{process.text}")
        yield RtmpServer(port, folder, process)
    finally:
        process.stop(signal.SIGTERM)
