"""HTTP connections that cannot exhaust the server: uvicorn's protocol with deadlines and a limit on their number.

A connection *waits* while it has no request to answer: it is idle, or its headers are incomplete, or it still sends the
body of a request that was answered early. Waiting connections are closed at a deadline, and if there are too many
connections, the one that waits longest gives way. Attackers who hold connections open hold those, whereas a request
whose headers are complete is always answered.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

WRITE_TIMEOUT = 30.0
"""Seconds after which a client that reads nothing of its response loses the connection."""
SHUTDOWN_GRACE = 3.0
"""Seconds that bodies may still take to arrive when the server is stopped."""


class BoundedConnection(H11Protocol):
    """One connection. Use :func:`bounded_connections` to set the limits."""

    max_connections: int
    header_timeout: float

    def __init__(self, *arguments: Any, **keywords: Any):
        super().__init__(*arguments, **keywords)
        self._waiting_since: float | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.max_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_waiting():
            self._stop_waiting()

    def on_response_complete(self) -> None:
        self._wait()
        super().on_response_complete()  # may begin with the next request
        if not self._is_waiting():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_write_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        self._stop_write_deadline()
        super().resume_writing()

    def _watch_writing(self) -> None:
        self._write_deadline = self.loop.call_later(WRITE_TIMEOUT, self._end_writing, self._unsent())

    def _end_writing(self, before: int) -> None:
        """Abort, unless the client has read some of its response meanwhile."""
        if self._unsent() < before:
            self._watch_writing()
        else:
            self.transport.abort()

    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def shutdown(self) -> None:
        super().shutdown()
        self.loop.call_later(SHUTDOWN_GRACE, self._abort_body)

    def _abort_body(self) -> None:
        if self.cycle and self.cycle.more_body:
            self.transport.abort()

    def _is_waiting(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._stop_waiting()
        self._waiting_since = self.loop.time()
        self._deadline = self.loop.call_later(self.header_timeout, self._end_waiting, self._unsent())

    def _end_waiting(self, before: int) -> None:
        """Abort, unless the client still reads the response before."""
        unsent = self._unsent()
        if 0 < unsent < before:
            self._deadline = self.loop.call_later(self.header_timeout, self._end_waiting, unsent)
        else:
            self.transport.abort()

    def _stop_waiting(self) -> None:
        self._waiting_since = None
        if self._deadline:
            self._deadline.cancel()

    def _stop_write_deadline(self) -> None:
        if self._write_deadline:
            self._write_deadline.cancel()

    def _make_room(self) -> None:
        """Close the connection that has waited longest, which may be this one."""
        waiting = [connection for connection in self.connections if isinstance(connection, BoundedConnection)]
        longest = min(waiting, key=lambda connection: connection._waiting_since or float("inf"))
        self.connections.discard(longest)
        longest.transport.abort()


def bounded_connections(max_connections: int, header_timeout: float) -> type[BoundedConnection]:
    """The protocol with these limits, for uvicorn.

    Args:
        max_connections: open connections.
        header_timeout: seconds that a connection may wait.
    """
    limits = {"max_connections": max_connections, "header_timeout": header_timeout}
    return type("Connection", (BoundedConnection,), limits)
