"""Why something did not run, or not yet: told from the lists by which the machine decides.

The promise: what is told here is what the machine would say now, since both ask the same gates
(`scheduler.machine.rules.gates`); of a tick that nobody has decided yet the planner itself is asked. Nothing
is written, and what is read is bounded.

Reading order: `findings` (what a list of gates comes to), `endings` (each gate and each ending in words, with
the command that helps), `runs` (a run and its tasks), `ticks` (an instant of a job), `chains` (from the
definition of its time over the gates to what became of it), `conditions` (what its triggers wait for).
"""

from scheduler.explain.chains import Chain, Link
from scheduler.explain.conditions import Condition, Heard, Part, TaskCondition
from scheduler.explain.deliveries import Awaited
from scheduler.explain.findings import Cluster, Finding
from scheduler.explain.runs import RunExplained, TaskExplained, explain_run
from scheduler.explain.ticks import Explained, TickExplained, explain_instant

__all__ = [
    "Awaited",
    "Chain",
    "Cluster",
    "Condition",
    "Explained",
    "Finding",
    "Heard",
    "Link",
    "Part",
    "RunExplained",
    "TaskCondition",
    "TaskExplained",
    "TickExplained",
    "explain_instant",
    "explain_run",
]
