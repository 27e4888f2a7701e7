"""A network between an encoder and the server that breaks as networks do."""

import contextlib
import socket
import struct
import threading
from typing import Self

_READ_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)  # struct linger: on, 0 s: close() sends RST (socket(7))


class CuttableProxy:
    """Passes TCP connections on to `port`; all that are open can be cut at once."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._silenced: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        for thread in self._threads:
            thread.join(5)

    def reset(self) -> None:
        """Both ends of every connection get a TCP reset."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RD)  # wakes the thread that reads
                one.close()

    def silence(self) -> None:
        """Nothing more comes through in either direction, and neither end is told."""
        with self._lock:
            self._silenced.update(one for pair in self._pairs for one in pair)

    def _accept(self) -> None:
        while True:
            try:
                encoder, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._pairs.append((encoder, server))
            for source, sink in ((encoder, server), (server, encoder)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_READ_BYTES):
                if source in self._silenced:
                    continue  # what the encoder still sends is lost on the way
                sink.sendall(data)
            if source not in self._silenced:
                sink.shutdown(socket.SHUT_WR)
