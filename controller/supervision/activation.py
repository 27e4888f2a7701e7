"""Listening sockets that the service manager opened and keeps open (sd_listen_fds(3))."""

import os
import stat
from collections.abc import Mapping

from controller.errors import ConfigurationError

_FIRST = 3


def passed_sockets(environment: Mapping[str, str], pid: int) -> dict[str, int]:
    """Descriptors by the names that their socket units give them (`FileDescriptorName=`).

    Empty unless `LISTEN_PID` means `pid`. They are closed in whatever the process executes.
    ConfigurationError for two of one name, or for what is no socket.
    """
    if environment.get("LISTEN_PID") != str(pid):
        return {}
    count = environment.get("LISTEN_FDS", "")
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    if not count.isdecimal() or len(names) != int(count):
        return {}
    found: dict[str, int] = {}
    for descriptor, name in enumerate(names, _FIRST):
        if name in found:
            raise ConfigurationError(f"two sockets called {name} were handed over: one is needed")
        if not _is_socket(descriptor):
            raise ConfigurationError(f"what was handed over as {name} is no socket")
        os.set_inheritable(descriptor, False)
        found[name] = descriptor
    return found


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False
