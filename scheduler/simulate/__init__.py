"""What the days to come bring: the machine and the planner themselves, under a virtual clock.

The promise: nothing of them is replaced, so what is told is what the same state does then, if tasks take what
they took so far. The state is a copy that is thrown away.

Reading order: `world` (how time goes by), `findings` (what is told of it).
"""

from scheduler.simulate.findings import Finding, Simulation
from scheduler.simulate.world import Discarded, simulate

__all__ = ["Discarded", "Finding", "Simulation", "simulate"]
