"""`golive serve` and `golive worker` under a service manager: a real notify socket, real sockets
that were handed over, real signals."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import psutil
import pytest

from controller.launcher import HAND_OVER
from controller.stores.migration import migrate
from controller.stores.opening import database_url
from tests.support.processes import wait_until
from tests.support.service_manager import clean_environment, service_manager, unix_listeners

pytestmark = pytest.mark.e2e

WATCHDOG_S = 2.0

CONFIG = """\
data_dir = "{data}"
log_format = "json"
job_workers = 0
nginx_control = "unix:{data}/none.sock"
"""


class Service:
    """A daemon that a service manager started."""

    def __init__(self, folder, manager, config):
        self.folder = folder
        self.notify = manager.notify
        self.config = config
        self._manager = manager
        self.process = None

    def start(self, command="serve"):
        arguments = ["-m", "controller.cli", command, "--config", str(self.config)]
        self.process = self._manager.start(arguments, clean_environment())

    def get(self, path):
        """Through the socket that was handed over; waits until somebody answers."""
        connection = HTTPConnection("golive", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(str(self.folder / "http.sock"))
        connection.request("GET", path)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read()
        finally:
            connection.close()

    def get_until(self, stop, path):
        """Asks on and on; answers every status that came."""
        statuses = set()
        while not stop.is_set():
            statuses.add(self.get(path)[0])
        return statuses

    def events(self, name):
        lines = [json.loads(line) for line in self.process.err if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    @property
    def daemon(self):
        """The process that serves; its launcher is the one that was started."""
        (child,) = [
            one
            for one in psutil.Process(self.process.pid).children()
            if one.name() == "golive-daemon"
        ]
        return child


@pytest.fixture
def service(tmp_path):
    config = tmp_path / "golive.toml"
    config.write_text(CONFIG.format(data=tmp_path))
    asyncio.run(migrate(database_url("", tmp_path)))
    with (
        unix_listeners(tmp_path, "hooks", "http") as sockets,
        service_manager(tmp_path, sockets, watchdog_s=WATCHDOG_S) as manager,
    ):
        made = Service(tmp_path, manager, config)
        yield made
        if made.process is not None:
            made.process.kill()


def test_it_says_when_it_is_ready_and_when_it_stops_and_connections_wait_meanwhile(service):
    with ThreadPoolExecutor() as pool:
        asked_before_it_runs = pool.submit(service.get, "/healthz")
        service.start()
        assert asked_before_it_runs.result(60)[0] == 200
    service.notify.wait("READY", "1")
    service.notify.wait("STATUS", "serving 0 encoders")
    service.notify.wait("WATCHDOG", count=3)
    made = {path.name for path in service.folder.glob("run/*.sock")}
    assert made == {"players.sock"}, "it listens where it was told"
    assert service.process.stop() == 0
    assert service.notify.last("STATUS").startswith("stopping")
    assert service.notify.count("STOPPING") == 1
    assert service.notify.count("READY") == 1
    with ThreadPoolExecutor() as pool:
        asked_while_it_is_away = pool.submit(service.get, "/healthz")
        service.start()
        assert asked_while_it_is_away.result(60)[0] == 200
    assert service.process.stop() == 0


def test_a_reload_takes_over_a_valid_configuration_and_refuses_any_other(service):
    service.start()
    service.notify.wait("READY")
    good = service.config.read_text()

    service.config.write_text(good + 'log_level = "debug"\npart_target_s = 0.5\n')
    service.process.process.send_signal(signal.SIGHUP)
    service.notify.wait("READY", count=2)
    said = "serving 0 encoders; reloaded log_level; waiting for a restart: part_target_s"
    assert service.notify.last("STATUS") == said
    assert int(service.notify.last("MONOTONIC_USEC")) > 0
    order = [n for m in service.notify.messages for n in m if n in {"READY", "RELOADING"}]
    assert order == ["READY", "RELOADING", "READY"]
    service.get("/healthz")
    wait_until(lambda: service.events("request"), 20, "what only debug logs")

    service.config.write_text(good + 'log_level = "warning"\nlog_lewel = "info"\n')
    service.process.process.send_signal(signal.SIGHUP)
    service.notify.wait("READY", count=3)
    problem = f"{service.config}:6: log_lewel - there is no such setting; did you mean log_level?"
    assert service.notify.last("STATUS") == f"serving 0 encoders; reload refused: {problem}"
    wait_until(lambda: service.events("reload_refused"), 20, "the refusal")
    assert service.events("reload_refused")[0]["problems"] == [problem]
    seen = len(service.events("request"))
    service.get("/healthz")
    wait_until(lambda: len(service.events("request")) > seen, 20, "still at debug")

    # Nor does a daemon that takes the place of a killed one begin with what was refused.
    daemon = service.daemon
    wait_until(lambda: time.time() - daemon.create_time() > 3, 20, "past its start")
    daemon.kill()
    service.notify.wait("READY", count=4)
    seen = len(service.events("request"))
    assert service.get("/healthz")[0] == 200
    wait_until(lambda: len(service.events("request")) > seen, 20, "still at debug")
    assert service.process.stop() == 0


def test_it_hands_over_to_what_is_installed_now_and_nobody_is_refused(service):
    service.start()
    service.notify.wait("READY")
    before = service.daemon
    service.config.write_text(service.config.read_text() + "session_budget = 9.0\n")
    stop = threading.Event()
    with ThreadPoolExecutor() as pool:
        answers = pool.submit(service.get_until, stop, "/healthz")
        service.process.process.send_signal(HAND_OVER)
        service.notify.wait("READY", count=2)
        stop.set()
        assert answers.result(60) == {200}
    assert not before.is_running()
    order = [n for m in service.notify.messages for n in m if n in {"READY", "RELOADING"}]
    assert order == ["READY", "RELOADING", "READY"]
    assert service.notify.count("STOPPING") == 0
    service.notify.wait("WATCHDOG", count=service.notify.count("WATCHDOG") + 2)
    # What only a restart takes over is in force: a reload finds nothing to do.
    service.process.process.send_signal(signal.SIGHUP)
    service.notify.wait("READY", count=3)
    assert service.notify.last("STATUS") == "serving 0 encoders; reloaded, nothing changed"
    assert service.process.stop() == 0


def test_it_hands_over_to_nothing_that_could_not_run(service):
    service.start()
    service.notify.wait("READY")
    before, good = service.daemon, service.config.read_text()
    service.config.write_text(good + 'log_lewel = "info"\n')
    service.process.process.send_signal(HAND_OVER)
    wait_until(lambda: len(service.events("handover_refused")) == 1, 60, "the refusal")
    assert f"{service.config}:5: log_lewel - " in service.process.text
    with closing(sqlite3.connect(service.folder / "golive.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    service.config.write_text(good)
    service.process.process.send_signal(HAND_OVER)
    wait_until(lambda: len(service.events("handover_refused")) == 2, 60, "the refusal")
    assert "golive migrate" in service.process.text
    assert service.get("/healthz")[0] == 200
    assert service.daemon == before
    assert service.process.stop() == 0


def test_a_loop_that_hangs_gives_no_sign_and_tells_where_when_it_is_ended(service):
    """What hangs it is a file that is never read to its end."""
    service.start()
    service.notify.wait("READY")
    service.notify.wait("WATCHDOG", count=service.notify.count("WATCHDOG") + 2)
    good = service.config.read_text()
    service.config.unlink()
    os.mkfifo(service.config)
    service.daemon.send_signal(signal.SIGHUP)
    service.notify.wait("RELOADING")
    assert not service.notify.comes("WATCHDOG", within_s=WATCHDOG_S), "systemd would end it now"
    # As systemd does: WatchdogSignal= to the main process.
    service.process.process.send_signal(signal.SIGABRT)
    assert service.process.wait() == 128 + signal.SIGABRT
    assert "in reload" in service.process.text
    service.config.unlink()
    service.config.write_text(good)
    service.start()
    service.notify.wait("READY", count=2)
    assert service.get("/healthz")[0] == 200
    assert service.process.stop() == 0


def test_a_configuration_that_is_refused_at_the_start_ends_it_with_the_line(service):
    service.config.write_text("\npart_target_s = 9.0\n")
    service.start()
    assert service.process.wait() == 2
    assert f"{service.config}:2: part_target_s - " in service.process.text
    assert service.notify.count("READY") == 0


def test_a_worker_of_background_jobs_says_the_same(service):
    service.start("worker")
    service.notify.wait("READY")
    service.notify.wait("WATCHDOG", count=3)
    assert service.notify.last("STATUS") == "doing background jobs"
    psutil.Process(service.process.pid).suspend()
    service.notify.comes("WATCHDOG", within_s=0.1)  # one may have been on its way
    assert not service.notify.comes("WATCHDOG", within_s=WATCHDOG_S)
    psutil.Process(service.process.pid).resume()
    service.notify.wait("WATCHDOG", count=service.notify.count("WATCHDOG") + 1)
    assert service.process.stop() == 0
    assert service.notify.count("STOPPING") == 1
