"""The way to a database server, which a test can cut and mend."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url


class Line:
    """Passes on what goes to the server at `host` and `port`, at a port of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._listen()

    def cut(self) -> None:
        """New connections are refused, and those under way end in the middle of whatever they say."""
        _end(self._listener)
        self.drop()

    def drop(self) -> None:
        """Those under way end; new ones are taken, as after a fail-over."""
        ends, self._ends = self._ends, []
        for each in ends:
            _end(each)

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._to)
                self._ends += (near, far)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


@contextmanager
def line_to(url: str) -> Iterator[tuple[Line, str]]:
    """A line to this database, and the address that leads through it."""
    there = make_url(url)
    line = Line(there.host or "127.0.0.1", there.port or 5432)
    try:
        yield line, there.set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False)
    finally:
        line.cut()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
    _end(one)
    _end(other)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes whoever waits on it
    end.close()
