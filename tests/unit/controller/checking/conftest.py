"""nginx's configurations as golive writes them, to be broken one line at a time."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.checking.nginx_reader import read_nginx_config
from controller.checking.rtmp_rules import RtmpExpectations
from controller.dev.layout import DataLayout
from controller.dev.nginx_config import render_http, render_rtmp
from tests.support.nginx_plans import nginx_plan


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
    plan = nginx_plan(layout)
    expected = RtmpExpectations(hook_listen=plan.hook_listen, spool=layout.spool_dir)
    return Configs(tmp_path, render_rtmp(plan), render_http(plan), expected)
