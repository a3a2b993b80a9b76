"""A server that dies half-way: a TCP proxy that closes every connection after a number of bytes."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Forwards connections to a port of this machine.

    Attributes:
        port: where it listens.
        limit: bytes, both ways together, after which every connection is closed and none accepted; None for no limit.
    """

    def __init__(self, target: int) -> None:
        self.limit: int | None = None
        self._target = target
        self._passed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    @contextlib.contextmanager
    def dying_after(self, count: int) -> Iterator[None]:
        """Die once ``count`` more bytes have passed; come back to life after the block."""
        self._passed, self.limit = 0, count
        try:
            yield
            assert self._is_dead, f"only {self._passed:,} bytes passed, so nothing was interrupted"
        finally:
            self.limit = None

    @property
    def _is_dead(self) -> bool:
        return self.limit is not None and self._passed > self.limit

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_dead:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (content := source.recv(2**14)) and not self._is_dead:
                self._passed += len(content)
                sink.sendall(content)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
