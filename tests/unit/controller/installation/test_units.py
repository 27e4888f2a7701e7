"""The units, before systemd's own tools: nothing to complain about, and next to nothing allowed."""

import os
import re
import shutil
import subprocess

import pytest

from controller.installation.rendering import UNITS
from controller.installation.system import System

UNIT_DIR = "/usr/local/lib/systemd/system"
SERVICES = [name for name in UNITS if name.endswith(".service")]
MOST_EXPOSED = 2.0


def analyze(*arguments):
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def installed(image):
    shutil.copytree("/usr/lib/systemd/system", image.of("/usr/lib/systemd/system"), symlinks=True)
    for name in ("bin/kill", "bin/rm", "sbin/init"):
        at = image.of(f"/{name}")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text("#!/bin/sh\n")
        at.chmod(0o755)
    image.install()
    return image


def test_systemd_has_nothing_to_say(installed):
    answer = analyze("verify", f"--root={installed.folder}", *UNITS)
    assert (answer.stdout + answer.stderr, answer.returncode) == ("", 0)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_gives_up_all_that_it_does_not_need(installed, service):
    answer = analyze("security", "--offline=true", str(installed.of(f"{UNIT_DIR}/{service}")))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", answer.stdout)
    assert found, answer.stdout + answer.stderr
    print(found[0])
    assert float(found[1]) <= MOST_EXPOSED, answer.stdout


def test_nginx_sees_neither_the_settings_nor_the_secrets_nor_the_database(installed):
    for service in ("golive-nginx.service", "golive-nginx-rtmp.service"):
        text = installed.of(f"{UNIT_DIR}/{service}").read_text()
        assert "InaccessiblePaths=-/etc/golive/credentials -/etc/golive/golive.toml" in text
        assert "TemporaryFileSystem=/var/lib/golive:ro" in text


def test_nginx_rtmp_starts_again_beside_the_socket_that_a_killed_one_left(installed):
    text = installed.of(f"{UNIT_DIR}/golive-nginx-rtmp.service").read_text()
    first = next(line for line in text.splitlines() if line.startswith("ExecStartPre="))
    assert first == "ExecStartPre=/bin/rm -f /run/golive/nginx-control.sock"


def test_nginx_rtmp_is_never_reloaded(installed):
    assert "ExecReload" not in installed.of(f"{UNIT_DIR}/golive-nginx-rtmp.service").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes users and gives files away")
def test_users_and_folders_are_made_by_systemd_s_own_tools(installed):
    system = System(installed.root)
    lib = installed.of("/usr/local/lib")
    for _ in range(2):
        system.make_users(lib / "sysusers.d" / "golive.conf")
        system.make_folders(lib / "tmpfiles.d" / "golive.conf")
    passwd = installed.of("/etc/passwd").read_text().splitlines()
    (user,) = [line for line in passwd if line.startswith("golive:")]
    uid = int(user.split(":")[2])
    for folder in ("/var/lib/golive/spool", "/run/golive", "/var/cache/golive"):
        assert installed.of(folder).stat().st_uid == uid, folder
    assert installed.of("/var/lib/golive").stat().st_mode & 0o777 == 0o750
    assert system.enable(["golive.target"])
    assert not system.enable(["golive.target"]), "so it was already"
    system.disable(["golive.target"])
    assert not installed.of("/etc/systemd/system/multi-user.target.wants/golive.target").exists()
