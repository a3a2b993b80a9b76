"""Work that keeps a core busy, off the event loop: a few threads, and a bounded number of requests before them."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from app.problems import BUSY, TIMEOUT, Problem

Result = TypeVar("Result")


class Workers:
    """Threads that requests share. All methods belong to the event loop's thread.

    Args:
        threads: how many jobs run at once.
        waiting: how many requests are admitted beyond those.
    """

    def __init__(self, threads: int, waiting: int):
        self._places = threads + waiting
        self._admitted = 0
        self._jobs: set[_Job] = set()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="recognizer")

    @property
    def admitted(self) -> int:
        """Requests that are being read, wait or are worked on, and jobs that nobody waits for any more."""
        return self._admitted

    @property
    def full(self) -> bool:
        """No further request is admitted."""
        return self._admitted >= self._places

    @property
    def longest(self) -> float:
        """Seconds that the longest-running job has been at work, 0 if there is none."""
        begun = [job.begun for job in self._jobs if job.begun]
        return time.monotonic() - min(begun) if begun else 0.0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """A place for one request, from before its body is read until it is answered.

        Raises:
            Problem: all places are taken.
        """
        if self.full:
            raise Problem(
                BUSY, "More pictures arrive than can be worked on. Try again in a second.", {"Retry-After": "1"}
            )
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    async def run(self, function: Callable[..., Result], *arguments, seconds: float) -> Result:
        """What a function returns, run in one of the threads as soon as one is free.

        A job that is past its time and has not begun never will; one that has begun keeps its thread and a place until
        it ends.

        Raises:
            Problem: it is not done within ``seconds``.
        """
        job = _Job(function, arguments)
        self._jobs.add(job)
        future = self._executor.submit(job)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _call(loop, self._jobs.discard, job))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except asyncio.TimeoutError:
            raise Problem(
                TIMEOUT,
                f"It was not done within {seconds:g} seconds. A smaller picture is faster.",
                {"Retry-After": "1"},
            ) from None
        finally:
            job.forget()
            if not future.cancel() and not future.done():
                self._admitted += 1
                future.add_done_callback(lambda _: _call(loop, self._leave))

    def close(self) -> None:
        """Let the running jobs end and drop the others."""
        self._executor.shutdown(cancel_futures=True)

    def _leave(self) -> None:
        self._admitted -= 1


class _Job:
    """A call to be made once. The executor's queue keeps what was cancelled, so its arguments can be forgotten."""

    def __init__(self, function: Callable, arguments: tuple):
        self._function, self._arguments = function, arguments
        self.begun: float | None = None

    def __call__(self):
        self.begun = time.monotonic()
        arguments, self._arguments = self._arguments, ()
        return self._function(*arguments)

    def forget(self) -> None:
        self._arguments = ()


def _call(loop: asyncio.AbstractEventLoop, function: Callable, *arguments) -> None:
    """Call it from the loop's thread, unless the loop has ended before the job."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)
