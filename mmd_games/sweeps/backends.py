"""Where cells run: in this process, in processes of this machine, or on a cluster. Rows come back to the driver, which writes them: no disk is shared."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from mmd_games.errors import InputError, unknown
from mmd_games.sweeps.cells import Cell, Row
from mmd_games.sweeps.threads import limit_threads

BACKENDS = ("loky", "dask", "ray")
PATIENCE = 10.0
"""Seconds in which a scheduler must answer, and then one of its workers be there."""
RETRIES = 3
"""How often Ray runs a cell again whose worker died; a Dask scheduler has its own setting, allowed-failures, which is three as well."""
GLANCE = 0.02
"""Seconds between two looks at what has come back."""

Run = Callable[[Cell], Row]
Outcomes = Iterator[tuple[int, Row | None] | None]
"""Numbers of cells with their rows, in the order in which they end, None for a row that was interrupted; None alone while nothing ends, so that who listens can stop."""
Pool = Callable[[Run, Mapping[int, Cell]], AbstractContextManager[Outcomes]]


class WorkerLostError(Exception):
    """A process died while it ran a cell, and what was in it is not known."""


@dataclass(frozen=True)
class Backend:
    """Where cells run.

    Attributes
    ----------
    name : {"loky", "dask", "ray"}
        Processes of this machine; a Dask cluster; a Ray cluster.
    address : str, optional
        Of the cluster's scheduler, such as tcp://10.0.0.1:8786.
    """

    name: str = "loky"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.name not in BACKENDS:
            raise unknown("backend", self.name, BACKENDS)
        if (self.name == "loky") != (self.address is None):
            why = "loky runs on this machine" if self.name == "loky" else f"{self.name} needs --address, that of its scheduler, such as {_EXAMPLES[self.name]}"
            raise InputError(f"--backend {self.name}: {why}{'' if self.address is None else ': --address is for dask and ray'}.")

    @contextlib.contextmanager
    def pool(self, jobs: int) -> Iterator[tuple[Pool | None, int]]:
        """What runs cells, for as long as this lasts, None where they run in this process, one after the other; and how many run at once.

        Raises
        ------
        InputError
            When the package is not installed, or the scheduler does not answer within ten seconds.
        """
        if self.address is None:
            yield (None if jobs == 1 else lambda run, cells: _loky(run, cells, jobs)), jobs
        elif self.name == "dask":
            with _dask_client(self.address) as client:
                yield (lambda run, cells: _dask(client, self.address or "", run, cells)), sum(client.ncores().values())
        else:
            with _ray_cluster(self.address) as ray:
                yield (lambda run, cells: _ray(ray, self.address or "", run, cells)), int(ray.cluster_resources().get("CPU", 1))


_EXAMPLES = {"dask": "tcp://10.0.0.1:8786", "ray": "10.0.0.1:6379"}


def run_in_worker(run: Run, number: int, cell: Cell) -> tuple[int, Row | None]:
    """Run a cell in a process that runs nothing else, on one thread; None in place of a row where it was interrupted.

    A Ctrl-C at the terminal reaches the processes of this machine too: it ends the run inside `solve`, and does nothing where none is.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, lambda number, frame: None)
    limit_threads()
    try:
        return number, run(cell)
    except KeyboardInterrupt:
        return number, None


@contextlib.contextmanager
def _loky(run: Run, cells: Mapping[int, Cell], jobs: int) -> Iterator[Outcomes]:
    """Cells in processes of this machine."""
    from joblib import Parallel, delayed, parallel_config  # imported where it is used: it starts a resource tracker
    from joblib.externals.loky.process_executor import BrokenProcessPool

    # One cell a task: a killed sweep then loses those that run, and none that waits for the rest of its batch.
    one_each: dict[str, Any] = {"return_as": "generator_unordered", "batch_size": 1}
    with parallel_config(backend="loky", n_jobs=jobs, inner_max_num_threads=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*tasks", UserWarning)  # that closing early cancels what still runs is meant
        warnings.filterwarnings("ignore", "A worker stopped", UserWarning)
        running: Any = Parallel(**one_each)(delayed(run_in_worker)(run, number, cell) for number, cell in cells.items())
        try:
            yield running
        except BrokenProcessPool as error:
            raise WorkerLostError from error
        finally:
            running.close()


@contextlib.contextmanager
def _dask_client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--backend dask needs distributed, which is not installed: pip install 'mmd_games[dask]' brings it.") from None
    try:
        with ThreadPoolExecutor(1) as elsewhere:  # where no event loop runs, as it does in a notebook
            elsewhere.submit(asyncio.run, _ask_scheduler(address)).result()
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError, MemoryError) as error:  # TimeoutError is an OSError; what is no scheduler may send any length of a message
        raise InputError(f"--address {address}: no Dask scheduler answers there within {PATIENCE:.0f} seconds ({_words(error)}).") from None
    try:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(
                f"--address {address}: the Dask scheduler there has no worker after {PATIENCE:.0f} seconds; start one with: dask worker {address}"
            ) from None
        yield client
    finally:
        client.close(timeout=1)


async def _ask_scheduler(address: str) -> None:
    """Ask a scheduler who it is: a client that finds none would try for much longer, and once more when it is thrown away."""
    from distributed.comm.core import connect

    async with asyncio.timeout(PATIENCE):
        comm = await connect(address, timeout=PATIENCE)
        try:
            await comm.write({"op": "identity", "reply": True})
            if "workers" not in await comm.read():
                raise OSError("something else answers")
        finally:
            comm.abort()


@contextlib.contextmanager
def _dask(client: Any, address: str, run: Run, cells: Mapping[int, Cell]) -> Iterator[Outcomes]:
    """Cells as tasks of a Dask cluster, which runs those of a lost worker again on another.

    Not through joblib's Dask backend: that waits forever for a task whose workers died more often than the scheduler allows.
    """
    from distributed import KilledWorker, as_completed

    name = f"mmd_games-{uuid.uuid4().hex[:8]}"
    # The arguments are small and travel with the task. Scattered data would be lost with the worker that holds it.
    futures = {client.submit(run_in_worker, run, number, cell, key=f"{name}-{number}", pure=False): number for number, cell in cells.items()}

    def outcomes() -> Outcomes:
        ready = as_completed(list(futures), loop=client.loop)
        while ready.count():
            if not ready.has_ready():
                yield None
                time.sleep(GLANCE)
                continue
            future = next(ready)
            number = futures[future]
            if future.status == "finished":
                try:
                    outcome = future.result(timeout=PATIENCE)
                except (TimeoutError, OSError):
                    ready.add(future)
                else:
                    yield outcome
            elif future.status == "error":
                error = future.exception(timeout=PATIENCE)
                if not isinstance(error, KilledWorker):
                    raise _cannot_run(address, error)
                yield number, _died(cells[number], error.allowed_failures + 1)
            elif future.status == "cancelled":
                raise InputError(f"--address {address}: the Dask scheduler was lost; --resume keeps the finished cells and runs the others.")
            else:  # the row was lost with its worker, and Dask makes it again
                ready.add(future)

    try:
        yield outcomes()
    finally:
        with contextlib.suppress(Exception):  # a scheduler that is gone has nothing to cancel
            client.cancel(list(futures), force=True)


@contextlib.contextmanager
def _ray_cluster(address: str) -> Iterator[Any]:
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("--backend ray needs ray, which is not installed: pip install 'mmd_games[ray]' brings it.") from None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()  # ray itself would wait for minutes
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"--address {address}: no Ray cluster answers there within {PATIENCE:.0f} seconds ({_words(error)}).") from None
    try:
        yield ray
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _ray(ray: Any, address: str, run: Run, cells: Mapping[int, Cell]) -> Iterator[Outcomes]:
    """Cells as tasks of a Ray cluster, which runs those of a lost worker again, three times at most.

    Not through joblib: its Ray backend returns all rows together at the end, and a killed sweep would lose them all.
    """
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(run_in_worker)
    tasks = {task.remote(run, number, cell): number for number, cell in cells.items()}

    def outcomes() -> Outcomes:
        left = list(tasks)
        while left:
            ready, left = ray.wait(left, num_returns=1, timeout=10 * GLANCE)
            if not ready:
                yield None
            for future in ready:
                try:
                    outcome = ray.get(future)
                except ray.exceptions.RayTaskError as error:
                    raise _cannot_run(address, error) from None
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.ObjectLostError):
                    outcome = tasks[future], _died(cells[tasks[future]], RETRIES + 1)
                yield outcome

    try:
        yield outcomes()
    finally:
        with contextlib.suppress(Exception):  # a cluster that is gone has nothing to cancel
            for future in tasks:
                ray.cancel(future, force=True)


def _died(cell: Cell, times: int) -> Row:
    return {**cell, "error": f"every worker that ran it died, {times} in all: it may need more memory than they have."}


def _cannot_run(address: str, error: BaseException) -> InputError:
    return InputError(
        f"--address {address}: its workers cannot run a cell ({_words(error)}); they need this version of mmd_games, and the modules of your own methods."
    )


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
