"""How fast this machine is while a run lasts, so that no verdict depends on it.

Once a second a small process is started that does nothing; how long that takes is written to the history
("pace"). It knows what recovery costs: processor time, waiting for it, the speed of the processor, time that
a host of virtual machines takes away.

    slowness = the mean of what it took, over REFERENCE_S; 1 at least

The limits of the checkers (late, silent, no leader) are those of a machine of slowness 1, times the slowness
around the moment in question. The product is never asked.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

from chaos.history import Entry, History, now_s

EVERY_S = 1.0
REFERENCE_S = 0.015  #: an idle machine of 2024 takes 0.010
AROUND_S = 3.0  #: samples so far outside a stretch still tell about it
UNSEEN = 2.0  #: of machines that the harness does not run on (a drill)
_NOTHING = (sys.executable, "-I", "-S", "-c", "")


class Pace:
    """Samples until it is stopped, in a thread of its own."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="pace", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(5)

    def _sample(self) -> None:
        while not self._over.wait(EVERY_S):
            began_s = now_s()
            subprocess.run(_NOTHING, stdin=subprocess.DEVNULL, check=False)
            self._history.write("pace", took_s=round(now_s() - began_s, 4))


def slowness(samples: Sequence[Entry], from_s: float, until_s: float) -> float:
    """How many times slower than the reference the machine was then; 1 where nothing was measured."""
    took = [e["took_s"] for e in samples if from_s - AROUND_S <= e["t"] <= until_s + AROUND_S]
    return max(1.0, sum(took) / len(took) / REFERENCE_S) if took else 1.0
