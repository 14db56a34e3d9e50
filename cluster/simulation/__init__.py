"""The real consensus under a virtual clock, an in-memory network and disks that lose what was not synced.

Promise: one seed is one story. It runs the same way each time, in any process; what it finds can be
replayed with `python -m cluster.simulation --start SEED --seeds 1`. The code under test is the
product's: journal, wire, copies, membership, hardening, pysyncobj. Only clock, sockets, files and the
state are replaced.

Reading order: world (nodes, the story of a seed), faults, invariants (what must hold), network, disk,
machine, command.
"""

from cluster.simulation.world import Plan, World, simulate

__all__ = ["Plan", "World", "simulate"]
