"""Where chunks are worked on: in this process, in processes of this machine, or by the workers of a Dask scheduler."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from facial_expression.cli.pictures import Chunk, Picture
from facial_expression.cli.work import Options, Results, recognize_chunk
from facial_expression.errors import UserError
from facial_expression.parallel import connect, map_in_order

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
    """The same from the workers of a Dask scheduler.

    Args:
        options: how to recognize; folders in it and the files must be there for all workers.
        chunks: the pictures.
        scheduler: its address, such as ``tcp://host:8786``.

    Raises:
        UserError: as for :func:`facial_expression.parallel.connect`.
    """
    with connect(scheduler) as (executor, ahead):
        yield from _in_order(executor, options, chunks, ahead)


def _in_order(
    executor: Executor, options: Options, chunks: Iterable[Chunk], ahead: int
) -> Iterator[tuple[Chunk, Results]]:
    waiting: deque[Chunk] = deque()

    def sent() -> Iterator[list[Picture]]:
        for chunk in chunks:
            waiting.append(chunk)
            yield [picture._replace(colors=None) for picture in chunk.pictures]  # which need not travel

    for results in map_in_order(executor, partial(recognize_chunk, options), sent(), ahead):
        yield waiting.popleft(), results


def _start_worker() -> None:
    """Leave Ctrl-C to the process that started this one, and end when that is gone, however it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
