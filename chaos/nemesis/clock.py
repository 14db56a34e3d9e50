"""Clocks: one node's wall clock, wrong by so much. Its monotonic clock stays true.

The fault is the shim's. The canary is a program of ours that reads the clock under the same shim; and the
node counts only if the shim is loaded into its core and its front.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from chaos.faults import ClockSkew, Fault
from chaos.nemesis import NemesisError, Sighting, Unavailable
from chaos.nemesis.disk import Nodes, loads_shim
from chaos.nemesis.shim import Control
from chaos.nodes import Node

CANARY_S = 30.0
TRUE_MS = 500  #: two readings of a clock lie a while apart


class ClockDriver:
    name = "clock"
    kinds: frozenset[type[Any]] = frozenset({ClockSkew})

    def __init__(self, cluster: Nodes) -> None:
        self._cluster = cluster
        self._active: list[Fault] = []

    def available(self) -> Unavailable | None:
        if not all(node.control for node in self._cluster.nodes):
            return Unavailable(
                "the nodes run without the fault shim", "install a C compiler (Debian: gcc libc6-dev)"
            )
        return None

    def inject(self, fault: Fault) -> None:
        if not isinstance(fault, ClockSkew):
            raise NemesisError(f"the clock driver cannot inject {fault}")
        self._control(fault).skew(fault.skew_ms)
        self._active.append(fault)

    def heal(self, fault: Fault | None = None) -> None:
        for healed in list(self._active) if fault is None else [fault]:
            if isinstance(healed, ClockSkew):
                self._control(healed).skew(0)
            if healed in self._active:
                self._active.remove(healed)

    def verify(self, fault: Fault) -> Sighting:
        if not isinstance(fault, ClockSkew):
            raise NemesisError(f"the clock driver cannot verify {fault}")
        node = self._cluster.node(fault.node)
        off_ms = _off_ms(node)
        pids = node.pids()
        loaded = {role: loads_shim(pid) for role, pid in pids.items() if role != "supervisor"}
        evidence = f"a clock beside {node.name} is {off_ms} ms off; shim in {loaded}"
        if abs(off_ms) <= TRUE_MS:
            return Sighting(False, evidence)
        if abs(off_ms - fault.skew_ms) > TRUE_MS or not loaded or not all(loaded.values()):
            return Sighting(None, evidence)
        return Sighting(True, evidence)

    def _control(self, fault: ClockSkew) -> Control:
        control = self._cluster.node(fault.node).control
        if control is None:
            raise NemesisError(f"clock driver: {self.available()}")
        return Control(control)


def _off_ms(node: Node) -> int:
    """By how much a clock that is read as the node reads its own is wrong."""
    told = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time(), time.monotonic())"],
        env={**os.environ, **node.environment},
        capture_output=True,
        text=True,
        timeout=CANARY_S,
        check=True,
    )
    # The shim leaves monotonic time alone: by it both readings are of one moment, however busy the machine.
    said_s, moment_s = map(float, told.stdout.split())
    true_s = time.time() - (time.monotonic() - moment_s)
    return round((said_s - true_s) * 1000)
