"""Each thing that is missing is told in one line that says what to do."""

import os
import socket
from pathlib import Path

import pytest

from controller.dev.errors import AlreadyRunningError, NotRunningError, PrerequisiteError
from controller.dev.layout import MAX_SOCKET_PATH_BYTES, opened_layout, prepare_data_dir
from controller.dev.lock import is_locked, locked_data_dir
from controller.dev.prerequisites import (
    PortNeed,
    check_ports,
    find_nginx,
    find_wrappers,
    search_path,
)
from controller.dev.running import running_server


def fake_nginx(folder: Path, says: str, status: int = 0) -> str:
    binary = folder / "nginx"
    binary.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {status}\n")
    binary.chmod(0o755)
    return str(folder)


def only_line(error: pytest.ExceptionInfo) -> str:
    (line,) = error.value.lines
    return line


def test_this_machine_has_what_it_takes():
    nginx = find_nginx(search_path())

    assert nginx.binary.name == "nginx"
    assert nginx.rtmp_module is None or nginx.rtmp_module.is_file()
    assert [path.name for path in find_wrappers(search_path())] == ["setpriv", "prlimit"]


def test_sbin_is_looked_at_for_users_whose_path_lacks_it(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin")

    assert find_nginx(search_path()).binary.is_file()


def test_no_nginx_names_the_package(tmp_path):
    with pytest.raises(PrerequisiteError) as error:
        find_nginx(str(tmp_path))

    assert only_line(error) == (
        "nginx is not installed: run `make setup`, or `sudo apt-get install nginx`."
    )


def test_a_missing_module_names_the_package(tmp_path, monkeypatch):
    path = fake_nginx(tmp_path, f"configure arguments: --modules-path={tmp_path}/modules")
    monkeypatch.setattr("controller.dev.prerequisites.MODULE_DIRS", ())

    with pytest.raises(PrerequisiteError) as error:
        find_nginx(path)

    assert only_line(error) == (
        f"nginx's RTMP module is missing ({tmp_path}/modules/ngx_rtmp_module.so): "
        "run `make setup`, or `sudo apt-get install libnginx-mod-rtmp`."
    )


def test_a_module_is_found_where_nginx_was_built_to_look(tmp_path):
    path = fake_nginx(tmp_path, f"configure arguments: --modules-path={tmp_path}")
    (tmp_path / "ngx_rtmp_module.so").touch()

    assert find_nginx(path).rtmp_module == tmp_path / "ngx_rtmp_module.so"


def test_a_module_that_is_compiled_in_needs_no_file(tmp_path):
    path = fake_nginx(tmp_path, "configure arguments: --add-module=/src/nginx-rtmp-module-1.2.2")

    assert find_nginx(path).rtmp_module is None


def test_an_nginx_that_does_not_run_is_told(tmp_path):
    with pytest.raises(PrerequisiteError) as error:
        find_nginx(fake_nginx(tmp_path, "segfault", status=1))

    assert "reinstall nginx" in only_line(error)


def test_missing_wrappers_name_the_package(tmp_path):
    with pytest.raises(PrerequisiteError) as error:
        find_wrappers(str(tmp_path))

    assert "apt-get install util-linux" in only_line(error)


def test_a_port_in_use_names_its_owner_and_the_option():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(PrerequisiteError) as error:
            check_ports([PortNeed("127.0.0.1", port, "RTMP", "--rtmp-port")])

    assert only_line(error).startswith(f"Port {port} (RTMP) is in use by ")
    assert only_line(error).endswith(
        f"(pid {os.getpid()}): stop it, or choose another with --rtmp-port."
    )


def test_an_address_of_another_machine_cannot_be_used():
    with pytest.raises(PrerequisiteError) as error:
        check_ports([PortNeed("192.0.2.1", 8080, "HTTP", "--http-port")])

    assert "choose another address with --host or port with --http-port" in only_line(error)


def test_a_port_whose_connections_just_closed_is_free():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()

    check_ports([PortNeed("127.0.0.1", port, "HTTP", "--http-port")])


@pytest.mark.parametrize("name", ["cost$", "new\nline"])
def test_a_path_that_nginx_cannot_take_is_refused(tmp_path, name):
    with pytest.raises(PrerequisiteError) as error:
        prepare_data_dir(tmp_path / name)

    assert "choose another folder with --data" in only_line(error)
    assert not (tmp_path / name).exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(PrerequisiteError) as error:
        prepare_data_dir(tmp_path / "file" / "data")

    assert only_line(error).endswith("choose another with --data.")


def test_the_data_folder_is_closed_to_others(tmp_path):
    folder = prepare_data_dir(tmp_path / "new" / "data")

    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["d" * 100, "with space", "co:lon", "ümläut"])
def test_sockets_move_where_nginx_can_name_them(tmp_path, name):
    with opened_layout(prepare_data_dir(tmp_path / name)) as layout:
        sockets = (layout.daemon_socket, layout.hook_socket, layout.control_socket)
        assert all(len(bytes(one)) <= MAX_SOCKET_PATH_BYTES for one in sockets)
        assert not layout.socket_dir.is_relative_to(layout.data_dir)
        assert layout.socket_dir.stat().st_mode & 0o777 == 0o700

    assert not layout.socket_dir.exists()


def test_stale_sockets_of_a_killed_server_are_cleared_away(tmp_path):
    data = prepare_data_dir(tmp_path / "d")
    (data / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(data / "run" / "hooks.sock"))

    with opened_layout(data) as layout:
        assert not layout.hook_socket.exists()


def test_the_lock_is_held_by_one_and_free_afterwards(tmp_path):
    with locked_data_dir(tmp_path):
        assert is_locked(tmp_path)
        with (
            pytest.raises(AlreadyRunningError, match=f"pid {os.getpid()}"),
            locked_data_dir(tmp_path),
        ):
            pass
    assert not is_locked(tmp_path)
    with locked_data_dir(tmp_path):
        pass


def test_who_looks_for_a_server_is_told_whether_there_is_one(tmp_path):
    with pytest.raises(NotRunningError, match="start `golive dev` first"):
        running_server(tmp_path)
    with locked_data_dir(tmp_path), pytest.raises(NotRunningError, match="not ready yet"):
        running_server(tmp_path)
