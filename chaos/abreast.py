"""Tasks beside each other, each in a process of its own.

Rules:
1. Nothing is shared: a process claims its own ports (chaos.ports), makes its own namespaces and disks.
2. A task is taken up only when there is room for it, so whoever gives them can go by the time, or never end.
3. What they give is told as it comes, and comes back in the order of the tasks.
4. The processes end with this one, however that ends. One task at a time is done here, in this process.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PR_SET_PDEATHSIG = 1


def abreast(
    act: Callable[[T], R], tasks: Iterable[T], *, at_once: int, tell: Callable[[R], None] = lambda _: None
) -> list[R]:
    """`act` on each task. `act` is a function of a module, since another process calls it."""
    if at_once == 1:
        done = []
        for task in tasks:
            done.append(act(task))
            tell(done[-1])
        return done
    processes = multiprocessing.get_context("spawn")  # a fork would take over what threads have locked
    futures: list[Future[R]] = []
    running: set[Future[R]] = set()

    def next_end() -> None:
        ended, still = wait(running, return_when=FIRST_COMPLETED)
        running.intersection_update(still)
        for future in ended:
            tell(future.result())

    with ProcessPoolExecutor(at_once, processes, _end_with, (os.getpid(),)) as pool:
        for task in tasks:
            futures.append(pool.submit(act, task))
            running.add(futures[-1])
            if len(running) == at_once:
                next_end()
        while running:
            next_end()
    return [future.result() for future in futures]


def _end_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)
