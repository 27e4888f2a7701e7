"""nginx's configurations as golive writes them, to be broken one line at a time."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.checking.nginx_reader import read_nginx_config
from controller.checking.rtmp_rules import RtmpExpectations
from controller.dev.layout import DataLayout
from controller.dev.nginx_config import NginxPlan, render_http, render_rtmp


@dataclass
class Configs:
    """`rtmp` and `http` as they are shipped; both are clean."""

    folder: Path
    rtmp: str
    http: str
    expected: RtmpExpectations

    def read(self, text: str):
        path = self.folder / "nginx.conf"
        path.write_text(text)
        return read_nginx_config(path)


def changed(text: str, pattern: str, replacement: str) -> str:
    """The text with one line changed; the change must be one."""
    result, count = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
    assert count == 1, pattern
    return result


@pytest.fixture
def configs(tmp_path) -> Configs:
    layout = DataLayout(tmp_path, tmp_path / "run")
    plan = NginxPlan(
        layout=layout,
        http_listen=("0.0.0.0:8080",),
        rtmp_listen=("0.0.0.0:1935",),
        daemon_listen=f"unix:{layout.daemon_socket}",
        hook_listen=f"unix:{layout.hook_socket}",
        control_listen=f"unix:{layout.control_socket}",
        player_log=str(layout.socket_dir / "players.sock"),
        rtmp_module=None,
        spool=True,
        run_as_root=False,
        http_workers=2,
        open_files=65_536,
    )
    expected = RtmpExpectations(hook_listen=plan.hook_listen, spool=layout.spool_dir)
    return Configs(tmp_path, render_rtmp(plan), render_http(plan), expected)
