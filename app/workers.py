"""Work that keeps a core busy, off the event loop: a few threads, and a bounded number of requests before them."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="recognizer")

    @property
    def admitted(self) -> int:
        """Requests that are being read, wait or are worked on."""
        return self._admitted

    @property
    def full(self) -> bool:
        """No further request is admitted."""
        return self._admitted >= self._places

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

    async def run(self, job: Callable[..., Result], *arguments, seconds: float) -> Result:
        """What a job returns, run in one of the threads as soon as one is free.

        A job that is past its time and has not begun never will; one that has begun keeps its thread until it ends.

        Raises:
            Problem: it is not done within ``seconds``.
        """
        future = self._executor.submit(job, *arguments)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except asyncio.TimeoutError:
            raise Problem(
                TIMEOUT,
                f"It was not done within {seconds:g} seconds. A smaller picture is faster.",
                {"Retry-After": "1"},
            ) from None

    def close(self) -> None:
        """Let the running jobs end and drop the others."""
        self._executor.shutdown(cancel_futures=True)
