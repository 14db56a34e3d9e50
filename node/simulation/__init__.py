"""The whole decision path in one process: consensus, the real machine and planner, fronts and agents, under
faults.

Promise: one seed is one story, the same in every process. The code under test is the product's: cluster/,
the machine and planner of scheduler/, the SQLite generations of node.state on real files. Replaced are clock,
network, the journal's disk, and what surrounds the decisions: fronts and agents are small and keep the rules
of the real ones (numbered frames sent again, claims before starts, journals that survive).

Reading order: world (jobs, clients, what must hold), state (SQLite that dies), front (frames and planner),
agents, __main__ (`python -m node.simulation`). Faults and network are those of cluster.simulation.
"""
