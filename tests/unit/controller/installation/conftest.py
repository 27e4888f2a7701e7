"""A system that does not run, with nginx in it."""

from pathlib import Path

import pytest

from controller.installation.install import Installation, Release
from controller.installation.places import Root

PROGRAM = Path("/opt/golive/current/bin/golive")


class QuietSystem:
    """Stands in for the system's tools; remembers what was asked of them."""

    def __init__(self, *, runs=False):
        self.runs = runs
        self.enabled = set()
        self.active = set()
        self.told = []

    def make_users(self, configuration):
        self.told.append(("users", configuration.name))

    def make_folders(self, configuration):
        self.told.append(("folders", configuration.name))

    def enable(self, units):
        before = set(self.enabled)
        self.enabled |= set(units)
        return self.enabled != before

    def disable(self, units):
        self.enabled -= set(units)

    def reread_units(self):
        self.told.append(("daemon-reload",))

    def is_active(self, unit):
        return unit in self.active

    def hand_over(self, unit):
        self.told.append(("hand over", unit))

    def tell(self, action, *units):
        self.told.append((action, *units))


class Image:
    """The folder of a system, and golive's installer for it."""

    def __init__(self, folder):
        self.folder = folder
        self.root = Root(folder)
        self.system = QuietSystem()
        self.said = []
        executable(folder / "usr/sbin/nginx")
        executable(folder / "usr/lib/nginx/modules/ngx_rtmp_module.so")
        executable(self.of(PROGRAM))

    def of(self, path):
        return self.root.of(Path(path))

    def installation(self):
        self.said.clear()
        return Installation(self.root, self.system, self.said.append)

    def install(self, version="1.0"):
        self.installation().install(Release(version, PROGRAM))
        return [*self.said]

    def uninstall(self):
        self.installation().uninstall()
        return [*self.said]


def executable(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.fixture
def image(tmp_path):
    return Image(tmp_path / "image")
