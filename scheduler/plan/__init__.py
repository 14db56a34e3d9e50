"""What the leader proposes: due ticks, placements, retries, deadlines, leases, upkeep.

The promise: `plan` is a function of the state, the given instant and the given leases; it writes nothing, and
reads by indices only, so its cost follows what is due and not what is stored. At most `Limits.commands`
commands come out; what is left comes with the next plan. Whatever it saw may have changed when its commands
are applied: each carries the epoch and what was seen, and the machine judges.

Reading order: `passes` (what a plan consists of, in order, a file each), `planner` (runs them), `view` (what
they see), `lookahead` (what is cached between plans), `hold` (a restore), `due` and `shares` (whose turn it
is), `firing`, `catchup` and `gaps` (ticks), `places` (agents for tasks).
"""

from scheduler.plan.due import RECENT_MS
from scheduler.plan.lookahead import UNREADABLE_MAX, PlanCache
from scheduler.plan.passes.leases import cut_off
from scheduler.plan.planner import plan, plan_missed, wake_ms
from scheduler.plan.view import LeaseView, Limits

__all__ = [
    "RECENT_MS",
    "UNREADABLE_MAX",
    "LeaseView",
    "Limits",
    "PlanCache",
    "cut_off",
    "plan",
    "plan_missed",
    "wake_ms",
]
