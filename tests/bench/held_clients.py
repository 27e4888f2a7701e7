"""Players that wait: many blocking playlist requests on one socket, and when each is answered.

`python -m tests.bench.held_clients SOCKET PATH COUNT`: keeps COUNT connections and asks all of them
for what a line on standard input names (`QUERY`), says `held` once all is sent and `answered` with
the time of each answer as soon as the last is there. Plain epoll and `recv`: the clients share the
machine with what is measured.
"""

import json
import select
import socket
import sys
import time

from controller.open_files import raise_open_files_limit

_BACKLOG_STEP = 200
_PAUSE_S = 0.02
"""After each step, so that no backlog on the other side runs over."""

_LAST_CHUNK = b"0\r\n\r\n"
_READ_BYTES = 1 << 14
_OK = b"HTTP/1.1 200"
_END = b"\r\n\r\n"
_TIMEOUT_S = 30.0


def connect(address: str) -> socket.socket:
    """`host:port` or the path of a unix socket."""
    if address.startswith("/"):
        client = socket.socket(socket.AF_UNIX)
        client.connect(address)
    else:
        host, _, port = address.rpartition(":")
        client = socket.create_connection((host, int(port)))
    client.setblocking(False)
    return client


def ask_all(clients: dict[int, socket.socket], target: str, encoding: str) -> None:
    """Send the request on every connection."""
    accept = f"Accept-Encoding: {encoding}\r\n" if encoding else ""
    request = f"GET {target} HTTP/1.1\r\nHost: bench\r\n{accept}\r\n".encode()
    for sent, client in enumerate(clients.values()):
        client.send(request)
        if sent % _BACKLOG_STEP == 0:
            time.sleep(_PAUSE_S)


def wait_all(clients: dict[int, socket.socket], poll: select.epoll) -> tuple[list[float], int]:
    """Wall time of each complete answer, and how many were not 200.

    Answers are of one length, so that all but the first need hardly be looked at: what the clients
    take is taken from the time of the last.
    """
    wall, answered, refused, usual = time.time, [], 0, -1
    waiting, partial = set(clients), {}
    deadline_s = time.monotonic() + _TIMEOUT_S
    while waiting and time.monotonic() < deadline_s:
        for descriptor, _ in poll.poll(1.0, len(clients)):
            data = clients[descriptor].recv(_READ_BYTES)
            if len(data) != usual or not data.startswith(_OK):
                data = partial.pop(descriptor, b"") + data
                if not _complete(data):
                    partial[descriptor] = data
                    continue
                refused += not data.startswith(_OK)
                usual = len(data)
            answered.append(wall())
            waiting.discard(descriptor)
    return answered, refused + len(waiting)


def _complete(answer: bytes) -> bool:
    """By its length, or by its last chunk."""
    head, found, body = answer.partition(_END)
    if not found:
        return False
    _, told, rest = head.lower().partition(b"content-length:")
    return len(body) >= int(rest.partition(b"\r\n")[0]) if told else body.endswith(_LAST_CHUNK)


def main(arguments: list[str]) -> int:
    """Serve lines until standard input ends."""
    raise_open_files_limit()
    address, path, count, encoding = arguments[0], arguments[1], int(arguments[2]), arguments[3]
    clients = {}
    for made in range(count):
        client = connect(address)
        clients[client.fileno()] = client
        if made % _BACKLOG_STEP == 0:
            time.sleep(_PAUSE_S)
    poll = select.epoll()
    for descriptor in clients:
        poll.register(descriptor, select.EPOLLIN)
    print("connected", flush=True)
    for line in sys.stdin:
        ask_all(clients, f"{path}?{line.strip()}", encoding)
        print("held", flush=True)
        answered, refused = wait_all(clients, poll)
        print(json.dumps({"answered": answered, "refused": refused}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
