"""What the leader proposes: due ticks, placements, retries, deadlines, leases, upkeep.

The promise: `plan` is a function of the state, the given instant and the given leases; it writes nothing, and
reads by indices only, so its cost follows what is due and not what is stored. At most `Limits.commands`
commands come out; what is left comes with the next plan. Whatever it saw may have changed when its commands
are applied: each carries the epoch and what was seen, and the machine judges.

Reading order: `planner` (the order of a plan), `lookahead` (what is cached between plans), `due` (ticks),
`shares` (whose turn it is), `backlog` (the catch-up policies), `placement` (agents for tasks), `leases`,
`upkeep`.
"""

from scheduler.plan.leases import orphans
from scheduler.plan.lookahead import PlanCache
from scheduler.plan.planner import LeaseView, Limits, plan, wake_ms

__all__ = ["LeaseView", "Limits", "PlanCache", "orphans", "plan", "wake_ms"]
