"""Very many agents: what one takes that is held and does nothing, what it costs to bring all of them, or a
third of them at once as a node dies, and whether work costs more among them.

They are a crowd (`bench.crowd`): one process, which takes of the machine what the nodes could. Where that is
too small for them, they ping less often than agents do (`--ping-ms`); in any case they wait longer for an
answer, so that a slow machine is not taken for a dead node.
"""

from __future__ import annotations

import time
from contextlib import suppress

from bench.cluster import DeadlineError
from bench.crowd import Crowded, crowded, said
from bench.figures import Sample, Spending
from bench.jobs import NOOP
from bench.options import Options
from bench.rows import NONE, Result, Row
from bench.workflows import POLICIES, TURN_MS_MAX, manual, one_run, put, turn_ms

FEW = 100
PLACED_TIMES_MAX = 2
BACK_S = 10
WAIT_S = 120.0
KIB = 1 << 10
SILENCE_MS = 10_000


def run(options: Options) -> Result:
    held = options.held
    pace = ("--ping-ms", str(options.ping_ms), "--silence-ms", str(SILENCE_MS))
    with crowded(options, FEW, *pace) as few:
        alone = manual(few, options.clients, options.duration_s).sample
        small = _resident(few)
    with crowded(options, held, *pace) as many:
        came = Sample({role: 1_000 * s / held for role, s in many.cpu_seconds().items()})
        idle = _idle(many, options.duration_s)
        grown = (_resident(many) - small) / (held - FEW)
        among = manual(many, options.clients, options.duration_s).sample
        each = {**NOOP, "fanout": {"all": "registered"}}
        turns = put(many.cluster, {"job": "each", "policies": POLICIES, "tasks": {"each": each}})
        member, seconds = one_run(many, "each", held)
        longest = turn_ms(many.cluster, turns)
        back, back_s, elections = _a_node_dies(many)
    what, pinging = f"{held:,} agents over 3 nodes", f"a ping each {options.ping_ms:,} ms"
    times = among.total / alone.total
    return Result([
        Row(f"{what}: CPU to bring one, all its processes' start included", NONE, f"{said(came)} ms"),
        Row(f"{what}, {pinging}: CPU a second of one that does nothing; resident memory of the nodes for it",
            NONE, f"{said(idle)} ms; {grown / KIB:.1f} KiB"),
        Row(f"a manual run among them: CPU beside one among {FEW}, {options.clients} clients",
            f"× {PLACED_TIMES_MAX}", f"× {times:.2f} ({said(among)} of {said(alone)} ms)",
            times <= PLACED_TIMES_MAX),
        Row("a no-op on each of them, in one run: CPU of one; time", NONE,
            f"{said(member)} ms; {seconds:.1f} s"),
        Row("the same: longest turn of a core, CPU", f"{TURN_MS_MAX} ms", f"up to {longest:.0f} ms",
            longest <= TURN_MS_MAX),
        Row(f"a follower of {what} killed: all back at the others", f"{BACK_S} s",
            f"{back_s:.1f} s" if back_s < WAIT_S else f"not within {back_s:.0f} s", back_s <= BACK_S),
        Row("the same: elections; CPU of one that comes back", "0; -", f"{elections}; {said(back)} ms",
            elections == 0),
    ])  # fmt: skip


def _idle(many: Crowded, duration_s: float) -> Sample:
    """Milliseconds a second of one. The load of a while, for which nothing can be waited."""
    spending, began_s = Spending(many), time.monotonic()
    time.sleep(duration_s)
    spending.end()
    return spending.per(many.agents * (time.monotonic() - began_s))


def _resident(many: Crowded) -> int:
    return sum(sum(roles.values()) for roles in many.cluster.resident_bytes().values())


def _a_node_dies(many: Crowded) -> tuple[Sample, float, int]:
    """CPU of each agent that comes back, seconds until all are there, how many elections that took."""
    leader = many.cluster.leader()
    term = many.cluster.status(leader)["term"]
    dies = next(node for node in many.cluster.nodes if node is not leader)
    dies.kill()
    lost = many.agents - many.connected()
    spending, began_s = Spending(many), time.monotonic()
    with suppress(DeadlineError):
        many.wait(many.agents, WAIT_S)
    seconds = time.monotonic() - began_s
    spending.end()
    return spending.per(max(1, lost)), seconds, many.cluster.status(leader)["term"] - term



