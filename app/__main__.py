"""Serve the application: ``python -m app``. The settings are environment variables; see ``app/README.md``."""

import logging
import os
import socket
import sys
from contextlib import suppress

from uvicorn import Config, Server

from facial_expression.errors import UserError

from .connections import bounded_connections
from .main import create_app
from .settings import load_settings

BACKLOG = 64  # connections that the system may hold, and that asyncio accepts at once
_BATCHES = 3  # of connections that asyncio may have accepted before the protocol sees the first
SHUTDOWN_TIMEOUT = 5  # seconds for requests in progress; container platforms kill after ten
_OTHER_FILES = 64  # that the process may have open besides its connections

logger = logging.getLogger("uvicorn.error")


def main() -> None:
    try:
        settings = load_settings()
        listener = open_port(settings.host, settings.port)  # before the model is loaded, which takes a second or two
        app = create_app(settings)
    except UserError as error:
        sys.exit(f"app: {error}")
    host, port = settings.host, listener.getsockname()[1]
    config = Config(
        app,
        http=bounded_connections(allow_connections(settings.max_connections), settings.header_timeout),
        ws="none",
        loop="asyncio",
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )
    logger.addFilter(lambda record: record.levelno != logging.WARNING)  # one line for each malformed request
    print(f"Serving http://{f'[{host}]' if ':' in host else host}:{port} (stop with Ctrl+C)", flush=True)
    with suppress(KeyboardInterrupt):
        Server(config).run(sockets=[listener])
    os._exit(0)  # Python would wait for threads whose jobs cannot be stopped


def open_port(host: str, port: int) -> socket.socket:
    """A socket bound to the port; 0 means any free one.

    Raises:
        UserError: the port is taken, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"cannot listen on {host}, port {port}: {(error.strerror or str(error)).lower()}. Choose another port with "
            f"PORT={port + 1 if port < 65535 else 8000}, or stop the program that uses this one"
        ) from error
    return listener


def allow_connections(wanted: int) -> int:
    """Raise the limit on open files as far as needed, and return how many connections it allows.

    Without files left, asyncio fails to accept connections and logs every failure.
    """
    try:
        import resource
    except ModuleNotFoundError:  # on Windows
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reserved = _BATCHES * BACKLOG + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted + reserved:
        soft = wanted + reserved if hard == resource.RLIM_INFINITY else min(hard, wanted + reserved)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - reserved))


if __name__ == "__main__":
    main()
