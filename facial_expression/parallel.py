"""Work in parallel: by processes of this machine, or by the workers of a Dask scheduler, with the same results."""

import hashlib
import os
import pickle
import platform
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from facial_expression.errors import UserError

CONNECT_SECONDS = 20
"""How long a scheduler may take to answer."""

_VARIABLES = ("OPENCV_IPP",)
"""Of the environment, which change results and which libraries read when they are loaded."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Cluster(NamedTuple):
    """The workers of a scheduler.

    Attributes:
        executor: gives them work, and the work of a worker that is lost to another one.
        ahead: how many tasks to submit before the result of the first is needed, so that no worker waits.
    """

    executor: Executor
    ahead: int


def run_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int = -1, scheduler: str | None = None
) -> Iterator[Result]:
    """The results of a function for each item, in the order of the items.

    Args:
        function: of a module that all workers can import; items and results are pickled.
        items: what to call it with.
        workers: processes of this machine, -1 for one per core.
        scheduler: address of a Dask scheduler, such as ``tcp://host:8786``, to use its workers instead.

    Raises:
        UserError: as for :func:`connect`.
    """
    if scheduler is None:
        from joblib import Parallel, delayed  # here, because the installed command works without joblib

        yield from Parallel(n_jobs=workers, return_as="generator")(delayed(function)(item) for item in items)
    else:
        with connect(scheduler) as (executor, ahead):
            yield from map_in_order(executor, function, items, ahead)


def map_in_order(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """The results in the order of the items; at most ``ahead`` tasks are pending, so that memory stays bounded."""
    pending: deque[Future[Result]] = deque()
    for item in items:
        pending.append(executor.submit(function, item))
        if len(pending) == ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


@contextmanager
def connect(scheduler: str) -> Iterator[Cluster]:
    """The workers of a Dask scheduler, which must have the same version of this package.

    Args:
        scheduler: its address, such as ``tcp://host:8786``.

    Raises:
        UserError: the extra ``distributed`` is missing, there is no scheduler or no worker, a worker cannot give the
            same results, or several workers died of the same task.
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
        variables = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        _prepare_workers(client, scheduler, variables)
        executor = _PreparingExecutor(client.get_executor(pure=False), variables)
        try:
            yield Cluster(executor, 2 * sum(client.nthreads().values()) + 2)
        except KilledWorker as error:
            raise UserError(f"several workers died of the same task: {error}") from None


def package_digest() -> str:
    """SHA-256 of this package's code, in hexadecimal."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def prepare_worker(digest: str, variables: dict[str, str]) -> str | None:
    """Make a worker's process compute as this one does; why it cannot, or None.

    Args:
        digest: the :func:`package_digest` that it must have.
        variables: of the environment; too late for a library that is loaded already.
    """
    if package_digest() != digest:
        return "has another version of facial-expression: install the same everywhere"
    wrong = {name: value for name, value in variables.items() if os.environ.get(name) != value}
    if wrong and "cv2" in sys.modules:
        return "has loaded OpenCV: restart it with " + " ".join(f"{name}={value}" for name, value in wrong.items())
    os.environ.update(variables)
    return None


class _PreparingExecutor(Executor):
    """Prepares a worker before its first task, since workers may come at any time, or start again."""

    def __init__(self, executor: Executor, variables: dict[str, str]):
        self._executor, self._prepared = executor, (package_digest(), tuple(variables.items()))

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future:
        return self._executor.submit(_run_prepared, self._prepared, pickle.dumps((function, arguments, keywords)))


def _run_prepared(prepared: tuple[str, tuple[tuple[str, str], ...]], task: bytes) -> Any:
    """Run a task, which arrives as bytes because its unpickling may load OpenCV."""
    if problem := _prepare_once(*prepared):
        raise UserError(f"a worker on {platform.node()} {problem}")
    function, arguments, keywords = pickle.loads(task)
    return function(*arguments, **keywords)


@lru_cache(maxsize=1)
def _prepare_once(digest: str, variables: tuple[tuple[str, str], ...]) -> str | None:
    return prepare_worker(digest, dict(variables))


def _prepare_workers(client: Any, scheduler: str, variables: dict[str, str]) -> None:
    if not client.nthreads():
        raise UserError(f"{scheduler}: the scheduler has no workers: start some with `dask worker {scheduler}`")
    try:
        answers = client.run(prepare_worker, package_digest(), variables)
    except Exception as error:  # of no other kind: Dask passes on the text alone
        if "ModuleNotFoundError" not in str(error):
            raise
        raise UserError(f"{scheduler}: its workers cannot import the package ({error})") from None
    for worker, problem in sorted(answers.items()):
        if problem:
            raise UserError(f"the worker {worker} {problem}")
