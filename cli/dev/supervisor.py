"""The loop of `cronclave dev`: wait for a signal or a moment, look after the children, keep dev.json true."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

import click

from cli.dev.children import Child, end_all, reap_orphans
from cli.dev.demonstration import Demonstration
from cli.dev.facts import Facts

LOOK_S = 0.1
END_S = 8.0
_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALS = {*_STOP, signal.SIGCHLD}


class Supervisor:
    """Starts the children, restarts the dead, and ends them all."""

    def __init__(
        self, children: dict[str, Child], facts: Facts, demonstration: Demonstration, *, restart: bool
    ) -> None:
        self._children = children
        self._facts = facts
        self._demonstration = demonstration
        self._restart = restart

    @staticmethod
    def hold_signals() -> None:
        """From here on signals wait for `run`: before the first child, so that no early Ctrl-C leaves one
        behind.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for number in _SIGNALS:
            signal.signal(number, _ignore)

    def run(self, *, started: Callable[[], None]) -> int:
        """Until a signal; returns the exit code. `started` is called once all children are."""
        code = 0
        try:
            for child in self._children.values():
                if not child.held:
                    child.start()
            self._facts.keep(self._children)
            started()
            while True:
                received = signal.sigtimedwait(_SIGNALS, LOOK_S)
                if received is not None and received.si_signo in _STOP:
                    break
                self._look()
                if all(child.refused for child in self._children.values() if child.module == "node"):
                    code = 1
                    break
        finally:
            click.echo("\nStopping …", err=True)
            left = end_all(list(self._children.values()), within_s=END_S)
            self._facts.remove()
        if left:
            click.echo(f"could not end: {', '.join(map(str, left))}", err=True)
            return 1
        return code

    def _look(self) -> None:
        self._demonstration.carry_out()
        for child in self._children.values():
            code = child.reap(restart=self._restart)
            if code is not None:
                self._tell(child, code)
            if child.again_s is not None and time.monotonic() >= child.again_s:
                child.start()
                if child.deaths:
                    click.echo(f"{child.name} started again", err=True)
        reap_orphans({child.pid for child in self._children.values() if child.pid is not None})
        self._facts.keep(self._children)

    def _tell(self, child: Child, code: int) -> None:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        then = "starting it again in 2 s" if child.again_s is not None else "it stays down"
        if child.lost:
            click.echo(f"{child.name} {how}, as wished", err=True)
            return
        click.echo(f"{child.name} {how}; {then}", err=True)
        if code > 0:
            for line in child.last_lines():
                click.echo(f"    {line}", err=True)
            click.echo(f"  its log: {child.log}", err=True)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Signals are taken by sigtimedwait; with the default handler SIGCHLD would be thrown away."""
