"""Run CPU-bound jobs in a few threads, off the event loop, and limit how many requests are in progress."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from .problems import BUSY, TIMEOUT, Problem

Result = TypeVar("Result")


class Workers:
    """A thread pool with a bounded queue. Call all methods from the event loop's thread.

    Args:
        threads: how many jobs run concurrently.
        queue_size: how many further requests may be in progress.
    """

    def __init__(self, threads: int, queue_size: int):
        self._slots = threads + queue_size
        self._occupied = 0
        self._jobs: set[_Job] = set()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="recognizer")

    @property
    def occupied(self) -> int:
        """Occupied slots: requests in progress, and timed-out jobs that are still running."""
        return self._occupied

    @property
    def is_full(self) -> bool:
        return self._occupied >= self._slots

    @property
    def longest_runtime(self) -> float:
        """Seconds for which the longest-running job has been running; 0 if none is."""
        started = [job.started for job in self._jobs if job.started]
        return time.monotonic() - min(started) if started else 0.0

    def refuse_if_full(self) -> None:
        """Do nothing while a slot is free.

        Raises:
            Problem: all slots are occupied.
        """
        if self.is_full:
            raise Problem(BUSY, "The server is at capacity. Try again in a second.", {"Retry-After": "1"})

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Hold a slot for one request whose body is complete, until the response is ready.

        Raises:
            Problem: all slots are occupied.
        """
        self.refuse_if_full()
        self._occupied += 1
        try:
            yield
        finally:
            self._release()

    async def run(self, function: Callable[..., Result], *arguments: Any, timeout: float) -> Result:
        """Call a function in one of the threads and return its result.

        A job that times out in the queue is never started. One that is already running cannot be stopped: it keeps its
        thread and a slot until it ends.

        Raises:
            Problem: the job did not finish within ``timeout`` seconds.
        """
        job = _Job(function, arguments)
        self._jobs.add(job)
        future = self._executor.submit(job)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _call_in_loop(loop, self._jobs.discard, job))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), timeout)
        except asyncio.TimeoutError:
            detail = f"The image was not processed within {timeout:g} seconds. Smaller images are faster."
            raise Problem(TIMEOUT, detail, {"Retry-After": "1"}) from None
        finally:
            job.forget_arguments()
            if not future.cancel() and not future.done():
                self._occupied += 1
                future.add_done_callback(lambda _: _call_in_loop(loop, self._release))

    def close(self) -> None:
        """Cancel all jobs that do not run yet; running ones cannot be stopped, and are not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _release(self) -> None:
        self._occupied -= 1


class _Job:
    """A single call. The executor's queue keeps cancelled jobs, so their arguments must be released explicitly."""

    def __init__(self, function: Callable, arguments: tuple):
        self._function, self._arguments = function, arguments
        self.started: float | None = None

    def __call__(self) -> Any:
        self.started = time.monotonic()
        arguments, self._arguments = self._arguments, ()
        return self._function(*arguments)

    def forget_arguments(self) -> None:
        self._arguments = ()


def _call_in_loop(loop: asyncio.AbstractEventLoop, function: Callable, *arguments: Any) -> None:
    """Call a function from the loop's thread, unless the loop is closed already."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)
