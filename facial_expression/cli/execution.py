"""Where chunks are worked on: in this process, in processes of this machine, or by the workers of a Dask scheduler."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from facial_expression.cli.pictures import Chunk
from facial_expression.cli.work import Options, Results, recognize_chunk
from facial_expression.errors import UserError

CONNECT_SECONDS = 20
"""How long a scheduler may take to answer."""

_GO_ON = "Run the same command again to go on where it ended"


def recognize_here(options: Options, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Results]]:
    """Each chunk with the faces of its pictures, recognized in this process."""
    for chunk in chunks:
        yield chunk, recognize_chunk(options, chunk.pictures)


def recognize_in_processes(options: Options, chunks: Iterable[Chunk], workers: int) -> Iterator[tuple[Chunk, Results]]:
    """The same from so many processes of this machine.

    Raises:
        UserError: a process was killed.
    """
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        yield from _in_order(pool, options, chunks, workers + 2)
    except BrokenProcessPool:
        reason = "a worker process was killed, perhaps because memory ran out"
        raise UserError(f"{reason}. {_GO_ON}, with a smaller number of --workers") from None
    finally:
        pool.shutdown(cancel_futures=True)


def recognize_on_cluster(options: Options, chunks: Iterable[Chunk], scheduler: str) -> Iterator[tuple[Chunk, Results]]:
    """The same from the workers of a Dask scheduler. It gives the chunks of a worker that is lost to another one.

    Args:
        options: how to recognize; folders in it and the files must be there for all workers.
        chunks: the pictures.
        scheduler: its address, such as ``tcp://host:8786``.

    Raises:
        UserError: the extra is missing, there is no scheduler, or several workers died of the same chunk.
    """
    try:
        from distributed import Client, KilledWorker
    except ModuleNotFoundError:
        raise UserError("a scheduler needs Dask: pip install 'facial-expression[distributed]'") from None
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise UserError(f"{scheduler}: no scheduler answers there ({error})") from None
    with client:
        ahead = 2 * sum(client.nthreads().values()) + 2
        try:
            yield from _in_order(client.get_executor(pure=False), options, chunks, ahead)
        except KilledWorker as error:
            raise UserError(f"several workers died of the same pictures: {error}. {_GO_ON}") from None


def _in_order(
    executor: Executor, options: Options, chunks: Iterable[Chunk], ahead: int
) -> Iterator[tuple[Chunk, Results]]:
    """Submit up to ``ahead`` chunks before the first of them is needed, so that memory stays bounded."""
    pending: deque[tuple[Chunk, Future[Results]]] = deque()
    for chunk in chunks:
        pictures = [picture._replace(colors=None) for picture in chunk.pictures]  # which need not travel
        pending.append((chunk, executor.submit(recognize_chunk, options, pictures)))
        if len(pending) == ahead:
            yield _wait(*pending.popleft())
    while pending:
        yield _wait(*pending.popleft())


def _wait(chunk: Chunk, future: "Future[Results]") -> tuple[Chunk, Results]:
    return chunk, future.result()


def _start_worker() -> None:
    """Leave Ctrl-C to the process that started this one, and end when that is gone, however it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
