"""Broken machines: ports, disks, secrets, certificates, logs, nginx; each found with its remedy."""

import subprocess
import time
from contextlib import contextmanager

import pytest

from controller.checking.certificate_check import certificate_findings
from controller.checking.clock_check import check_clock, skew_finding
from controller.checking.disk_check import DiskCheck
from controller.checking.findings import Check, Finding, Level
from controller.checking.identity_check import PublicUrlCheck, SecretsCheck
from controller.checking.nginx_check import NginxCheck, NginxWanted
from controller.checking.port_check import PortCheck, PortWanted
from controller.checking.processes import NginxProcess, listeners_of
from controller.checking.report import report_json, report_lines, worst
from controller.checking.runner import run_checks
from controller.checking.store_checks import bounded_session
from controller.dev.prerequisites import search_path
from controller.secrets_file import load_secrets
from tests.support.certificates import make_certificate
from tests.support.processes import free_ports
from tests.unit.controller.checking.conftest import changed

PERCENTS = (15.0, 10.0, 6.0, 3.0)
RTMP = ("nginx",)


def only(findings) -> Finding:
    (finding,) = findings
    return finding


# --- ports


def wanted(port: int, holders: tuple[str, ...] = RTMP) -> PortWanted:
    return PortWanted(f"127.0.0.1:{port}", "RTMP", holders, "GOLIVE_RTMP_PULL_URL")


@contextmanager
def listening(port: int):
    argv = ["python3", "-c", "import socket,sys; s=socket.create_server(('127.0.0.1',int(sys.argv[1]))); print(flush=True); sys.stdin.read()"]  # fmt: skip
    child = subprocess.Popen([*argv, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        yield
    finally:
        child.communicate(timeout=10)


async def test_a_port_that_another_program_has_taken_names_it(tmp_path):
    (port,) = free_ports(1)
    check = PortCheck([wanted(port)], listeners_of)

    assert only(await check.run()).level is Level.OK
    with listening(port):
        finding = only(await check.run())

    assert finding.level is Level.FAIL
    assert finding.found.startswith(f"127.0.0.1:{port} (RTMP) is taken by python")
    assert finding.remedy == "Stop it, or choose another address with GOLIVE_RTMP_PULL_URL."


async def test_a_port_that_its_own_program_holds_is_as_it_should_be():
    (port,) = free_ports(1)
    with listening(port):
        finding = only(await PortCheck([wanted(port, ("python",))], listeners_of).run())
        unseen = only(await PortCheck([wanted(port)], lambda _: []).run())

    assert finding.level is Level.OK
    assert (unseen.level, unseen.remedy[:24]) == (Level.WARN, "Run golive check as root")


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("nonsense", "Set GOLIVE_HTTP_LISTEN to host:port or unix:/path."),
        ("192.0.2.7:8080", "Choose another address with GOLIVE_HTTP_LISTEN."),
        ("unix:{}", "Remove it, or choose another path with GOLIVE_HTTP_LISTEN."),
    ],
)
async def test_an_address_that_cannot_be_listened_on_names_its_setting(tmp_path, address, remedy):
    file = tmp_path / "file"
    file.touch()
    need = PortWanted(address.format(file), "HTTP", ("python",), "GOLIVE_HTTP_LISTEN")

    finding = only(await PortCheck([need], listeners_of).run())

    assert (finding.level, finding.remedy) == (Level.FAIL, remedy)


# --- disks


@contextmanager
def small_disk(path, options: str):
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False, timeout=10).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=10)


@pytest.mark.parametrize(
    ("used_kb", "level", "says"),
    [
        (8000, Level.OK, "space for"),
        (9000, Level.WARN, "old media are given up"),
        (9350, Level.FAIL, "new streams are not recorded"),
        (9700, Level.FAIL, "new encoders are refused"),
        (9950, Level.FAIL, "running recordings pause"),
    ],
)
async def test_a_disk_that_is_nearly_full_says_what_golive_gives_up(tmp_path, used_kb, level, says):
    with small_disk(tmp_path / "disk", "size=10000k,nr_inodes=1000") as disk:
        (disk / "filler").write_bytes(b"x" * used_kb * 1024)

        finding = only(await DiskCheck({"data": disk / "not" / "made"}, PERCENTS).run())

    assert finding.level is level
    assert says in finding.found
    assert ("GOLIVE_RECORDINGS_MAX_GB" in finding.remedy) is (level is not Level.OK)


async def test_a_disk_without_inodes_is_found(tmp_path):
    with small_disk(tmp_path / "disk", "size=10m,nr_inodes=50") as disk:
        for number in range(46):
            (disk / str(number)).touch()

        finding = only(await DiskCheck({"spool": disk}, PERCENTS).run())

    assert finding.level is Level.WARN
    assert "inodes left" in finding.found


# --- clock


@pytest.mark.parametrize(
    ("off_s", "level"), [(0.5, Level.OK), (-6.0, Level.WARN), (3600.0, Level.FAIL)]
)
async def test_a_clock_that_is_off_is_found_against_another(off_s, level):
    finding = skew_finding("Redis", time.time() - off_s)

    assert finding.level is level
    assert ("chrony" in finding.remedy) is (level is not Level.OK)


async def test_the_kernel_tells_whether_anything_sets_the_clock():
    assert only(await check_clock()).level in {Level.OK, Level.WARN}


# --- secrets and addresses


async def test_secrets_that_can_be_guessed_or_read_are_found(tmp_path):
    load_secrets(tmp_path)
    assert only(await SecretsCheck("", "", tmp_path).run()).level is Level.OK
    good = "mXQ0v0cB1Z8iUe7sJpYh5fWd3kRt9nLaOqGx2wEz"
    assert only(await SecretsCheck(good, "", tmp_path).run()).level is Level.OK

    short = only(await SecretsCheck("short", "", tmp_path).run())
    repeated = only(await SecretsCheck("", "changeme" * 4, tmp_path / "none").run())
    (tmp_path / "secrets.json").chmod(0o644)
    readable = only(await SecretsCheck(good, "", tmp_path).run())

    assert short.found == "GOLIVE_AUTH_SECRET has fewer than 32 bytes"
    assert repeated.found == "GOLIVE_KEY_SECRET can be guessed: it repeats itself"
    assert "openssl rand -base64 48" in short.remedy
    assert "openssl rand -base64 48" in repeated.remedy
    assert readable.remedy.startswith(f"Run `chmod 600 {tmp_path}/secrets.json`")


@pytest.mark.parametrize(
    ("public_url", "rtmp_url", "remedies"),
    [
        ("https://x.test/live", "rtmps://x.test/live", ["Set it to an address such as https"]),
        ("http://127.0.0.1:9", "rtmp://127.0.0.1/live", ["Set GOLIVE_PUBLIC_URL", "Start golive"]),
        ("http://192.0.2.1", "rtmp://x.test/live", ["Set up TLS", "Start golive", "Set up RTMPS"]),
        ("https://192.0.2.1", "http://x.test/live", ["Start golive", "Set it to an address such"]),
    ],
)
async def test_addresses_that_clients_cannot_use_are_found(
    monkeypatch, public_url, rtmp_url, remedies
):
    monkeypatch.setattr("controller.checking.store_checks._ASK_S", 0.5)
    findings = await PublicUrlCheck(public_url, rtmp_url, bounded_session).run()

    told = [finding.remedy for finding in findings if finding.level is not Level.OK]
    assert len(told) == len(remedies)
    for finding, start in zip(told, remedies, strict=True):
        assert finding.startswith(start)


# --- certificates


@pytest.mark.parametrize(
    ("certificate", "key", "host", "says"),
    [
        ("good", "good", "live.test", None),
        ("old", "old", "live.test", "has expired"),
        ("soon", "soon", "live.test", "expires in 5 days"),
        ("good", "old", "live.test", "is not the key of"),
        ("good", "good", "other.test", "is not for other.test"),
        ("none", "good", "live.test", "cannot be used"),
    ],
)
def test_certificates_that_clients_refuse_are_found(configs, certificate, key, host, says):
    for name, days in (("good", 60), ("old", -1), ("soon", 5)):
        make_certificate(configs.folder, name, "live.test", days)
    lines = f"ssl_certificate {configs.folder}/{certificate}.pem; ssl_certificate_key {configs.folder}/{key}.key;"
    text = changed(configs.http, r"listen 0\.0\.0\.0:8080;", f"listen 443 ssl; {lines}")

    found = list(certificate_findings(configs.read(text), host))

    assert [says in finding.found for finding in found] == ([True] if says else [])


# --- nginx


def nginx_check(configs, path=None, processes=(), given=None) -> NginxCheck:
    named = [configs.folder / "nginx.conf"] if given is None else given
    wanted = NginxWanted(
        given=tuple(named),
        folders=(configs.folder / "run",),
        rtmp=configs.expected,
        addresses=(configs.expected.hook_listen,),
        public_host="",
        log_folder=configs.folder / "logs",
    )
    return NginxCheck(wanted, path or search_path(), lambda: list(processes))


def fake_nginx(folder, says: str) -> str:
    binary = folder / "nginx"
    binary.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    binary.chmod(0o755)
    return str(folder)


async def test_nginx_or_its_module_missing_names_the_package(configs, monkeypatch):
    monkeypatch.setattr("controller.dev.prerequisites.MODULE_DIRS", ())
    empty = configs.folder / "empty"
    empty.mkdir()
    nothing = only(await nginx_check(configs, str(empty)).program())
    without = fake_nginx(configs.folder, f"--modules-path={configs.folder}/modules")
    bare = only(await nginx_check(configs, without).program())

    assert nothing.found == "nginx is not installed"
    assert "apt-get install nginx" in nothing.remedy
    assert bare.found.startswith("nginx's RTMP module is missing")
    assert "apt-get install libnginx-mod-rtmp" in bare.remedy


async def test_a_key_in_a_log_is_found_and_not_told(configs):
    configs.read(configs.rtmp)
    logs = configs.folder / "logs"
    logs.mkdir()
    key = "sk_0123456789abcdefghijklmnopqrstuvwxyz"
    (logs / "rtmp.log").write_text(f"publish: name='{key}'\nplay: name='{key}'\n")

    findings = await nginx_check(configs).configuration()

    finding = findings[-1]
    assert finding.level is Level.FAIL
    assert finding.found == f"{logs}/rtmp.log holds 1 stream key or tokens"
    assert "rotate-key" in finding.remedy
    assert key not in "".join(report_lines(findings)) + report_json(findings)


async def test_a_configuration_that_nginx_would_not_take_says_where(configs):
    (configs.folder / "nginx.conf").write_text("rtmp {")

    finding = only(await nginx_check(configs).configuration())

    assert finding.level is Level.FAIL
    assert "ends in the middle of a directive" in finding.found


async def test_what_only_the_running_nginx_tells_is_found(configs):
    configs.read(configs.rtmp)
    path = configs.folder / "nginx.conf"
    process = NginxProcess(7, path, workers=2, leaving_workers=1, stack_bytes=8 << 20)

    findings = await nginx_check(configs, processes=[process]).configuration()

    remedies = [finding.remedy for finding in findings if finding.level is not Level.OK]
    assert remedies == [
        "Restart it when no stream is live, and never reload it.",
        "Set `worker_processes 1;` and restart it.",
        "Set `LimitSTACK=256M` in its unit and restart it.",
    ]


async def test_no_nginx_at_all_is_told_and_strangers_are_left_alone(configs):
    configs.read(configs.rtmp.replace(str(configs.folder), "/somewhere/else"))
    stranger = NginxProcess(7, configs.folder / "nginx.conf", 1, 0, None)

    findings = await nginx_check(configs, processes=[stranger], given=()).configuration()

    assert "--nginx FILE" in findings[0].remedy


# --- the whole


async def test_a_check_that_hangs_or_breaks_does_not_hide_the_others():
    async def hangs():
        import asyncio

        await asyncio.Event().wait()

    async def breaks():
        raise KeyError("sk_0123456789abcdefghijklmnopqrstuvwxyz")

    async def works():
        return [Finding("three", Level.OK, "well")]

    checks = [Check("one", hangs), Check("two", breaks), Check("three", works)]
    findings = await run_checks(checks, timeout_s=0.05)

    assert [(f.subject, f.level) for f in findings] == [
        ("one", Level.FAIL),
        ("two", Level.FAIL),
        ("three", Level.OK),
    ]
    assert findings[1].found == "the check itself failed (KeyError)"
    assert worst(findings) is Level.FAIL
    assert [*report_lines(findings)][-1] == "1 ok, 0 warn, 2 fail"


def test_what_is_wrong_has_a_remedy_and_what_is_well_has_none():
    with pytest.raises(ValueError, match="remedy"):
        Finding("x", Level.FAIL, "broken")
    with pytest.raises(ValueError, match="remedy"):
        Finding("x", Level.OK, "fine", "Do something.")
