"""A story with jobs on top of consensus, and what must hold of them.

hash      every node's running hash is the same behind the same entry (and behind a replay of it)
rows      members at one index have the same rows and index entries (what node/scrub.py compares)
ticks     every due tick has exactly one outcome (scheduler.verify), no two runs have the same tick
edits     no edit cancels a tick; what `catchup: all` runs is not missed, nor in the way of a live tick
starts    what really started has a grant in the state, and started while no other attempt of its task ran
effects   each failure of a job that tells of it was heard of or is in the outbox, always in the same words,
          and nothing was heard of that is not so
applies   objects that are applied together, at once or in stages, count together (`objects`)
inside    what a run does finally begins when all the rest has ended, and is not left out; a task that waits
          for another run ends as that does (`inside`)
exits     a task ended as its exit code says (`exits`)
windows   no run starts where its job's windows and blackouts say that it may not (`openings`)
expected  what did not hold is told, and nothing else (`expecting`)
locks     what takes a lock works alone, by what really runs on hosts (`locks`)
groups    a group is begun anew, and its failures are caught, as it says (`groups`)
fanout    a task that is divided ends as its members let it (`fanouts`)
secrets   versions of a secret follow each other, and each has its own value (`secrets`)
delivered each delivery to a hook made the runs that its sender was told, once (`senders`)
noticed   each notice that was acknowledged is there once
zones     a tick is due by the zone data that its entry names, whatever nodes have installed (`zones`)
instants  what is said by `at`, by days from the end of a month and by working days is due then (`instants`)
closed    nothing fires for closed plan dates, and single ticks go by what people said (`days`)
held      what was paused or drained starts nothing, and boots have their runs (`operators`)
completed what was handed on ended by the first word from outside, and kept its lock till then (`completions`)
hands     who holds a task is known, and a verdict changes no end (`hands`)
acked     a manual run or a job whose client saw "ok" is on every member at the end, once
liveness  after healing, proposals are answered, runs end and ticks are decided again

Beside the invariants of cluster.simulation, which hold here too.
"""

from __future__ import annotations

from cluster.hardening import ALL_ON, Hardening
from cluster.simulation.machine import SimulatedState
from cluster.simulation.world import EPOCH_MS, Node, Plan, Result, World
from node.simulation import (
    approvals,
    completions,
    exits,
    expecting,
    fanouts,
    graphs,
    groups,
    inside,
    locks,
    openings,
)
from node.simulation.agents import Agent
from node.simulation.days import Days
from node.simulation.effects import Outside
from node.simulation.front import Front, any_of
from node.simulation.instants import Instants
from node.simulation.objects import Objects
from node.simulation.operators import Operators
from node.simulation.quotas import Quotas
from node.simulation.secrets import Secrets
from node.simulation.senders import Senders
from node.simulation.state import MortalState
from node.simulation.zones import Zones
from scheduler.machine import AppliedEntry
from scheduler.model import parse_job, prepare
from scheduler.store.connection import Store
from scheduler.store.row_digests import slices_of
from scheduler.store.tables import attempts as attempt_rows
from scheduler.verify import verify
from scheduler.words import codec
from scheduler.words.commands import (
    Actor,
    Apply,
    CancelRun,
    Command,
    Lead,
    PauseJob,
    PutJobs,
    ResumeJob,
    RunJob,
)
from scheduler.words.outcomes import Outcome

AGENTS = 3
EDITED = ("gaps", "edits")
PAUSED = ("allow", "queue", "skip", *EDITED)
EVERY_SECOND = {"cron": "* * * * * *"}
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KEPT = {"retention": {"runs": 10_000}}  #: what was acknowledged is looked for at the end
NOTICE = {"on": ["failed", "recovered"], "webhook": "https://outside.example.org"}
TELLING = ["allow", "graph", "manual"]
GAP_TICKS_MAX = 100  #: missed ticks of "gaps" that wait: `max`, when nothing else is said
QUIET_S = 2.0  #: without new decisions before states are compared: what agents hold by then ends meanwhile


def _job(name: str, overlap: str, **fields: object) -> dict[str, object]:
    return {"job": name, "noop": True, "policies": {"overlap": overlap, **KEPT}, **fields}


def _edited(name: str, jitter_s: int) -> dict[str, object]:
    """One of those that are edited all the time. Ticks of "gaps" that a failover held up run one by one."""
    catchup = {"mode": "all" if name == "gaps" else "latest", "grace": "1s" if name == "gaps" else "60s"}
    trigger = {**EVERY_SECOND, "id": "edited", **({"jitter": f"{jitter_s}s"} if jitter_s else {})}
    policies = {"overlap": "skip", "catchup": catchup, **KEPT}
    return {"job": name, "noop": True, "policies": policies, "triggers": [trigger]}


NAP_MS = 2_000
CLOCKS_MS = 1_000  #: as far may the clock that plans be from the one that stamps
NAPS: dict[str, object] = {
    "job": "naps",
    "policies": {"overlap": "allow", "timeout": "20s", **KEPT},
    "triggers": [{"iso8601": "R//PT2S"}],
    "tasks": {
        "first": {"noop": True},
        "nap": {"sleep": f"{NAP_MS}ms", "needs": ["first"]},
        "last": {"noop": True, "needs": ["nap"]},
    },
}

BOOTS: dict[str, object] = {"job": "boots", "noop": True, "triggers": [{"startup": {}}], "policies": KEPT}

AGAIN = {"job": "again", "noop": True, "triggers": [{"every": {"delay": "1s"}}], "policies": KEPT}

NARROW: dict[str, object] = {
    "job": "narrow",
    "namespace": "narrow",
    "policies": {"overlap": "allow", "catchup": {"mode": "all"}, "timeout": "20s", **KEPT},
    "triggers": [{"every": "1s"}],
    "tasks": {"nap": {"sleep": "1500ms"}},
}
"""Of a namespace with a quota, now and then: more runs than may be active at once."""
FOLLOWS = _job("follows", "allow", triggers=[{"after": "naps.succeeded", "id": "nap", "overlap": "allow"}])
REPORTS = _job("reports", "queue_one", triggers=[{"after": "follows.ended and graph.ended"}])

JOBS = [
    parse_job(document)
    for document in (
        _job("allow", "allow", triggers=[EVERY_SECOND], notify=[NOTICE]),
        _job("queue", "queue_one", triggers=[EVERY_SECOND]),
        _job("skip", "skip", triggers=[EVERY_SECOND], retry={"max": 2, "backoff": "constant", "first": "1s"}),
        _edited("gaps", 0),
        _edited("edits", 2),
        graphs.job(NOTICE),
        groups.JOB,
        fanouts.JOB,
        NAPS,
        exits.JOB,
        BOOTS,
        AGAIN,
        NARROW,
        *openings.JOBS,
        *expecting.JOBS,
        *locks.JOBS,
        FOLLOWS,
        REPORTS,
        inside.NESTED,
        inside.NESTS,
        approvals.JOB,
        completions.JOB,
        _job("manual", "allow", retry={"max": 1, "backoff": "constant", "first": "1s"}, notify=[NOTICE]),
    )
]


class JobsWorld(World):
    def __init__(self, seed: int, plan: Plan | None = None, hardening: Hardening = ALL_ON) -> None:
        self.fronts: dict[str, Front] = {}  #: the newest of each node
        self.outside = Outside(seed)  #: who is told of failures
        self.exits = exits.Exits()
        self.locks = locks.Locks(self)
        self.groups = groups.Groups()
        self.fanouts = fanouts.Fanouts()
        self.instants = Instants()
        self.openings = openings.Openings()
        self.expecting = expecting.Expecting()
        self.quiet = False  #: nothing new is planned
        self.acked_runs: dict[str, int] = {}  #: client to the run that it was told
        self.started: dict[int, int] = {}  #: attempts that really started, with the grant they had
        self.followed = 0  #: runs that began since others had ended
        self.waited = 0  #: tasks that waited for a run of another job
        self.even = 0  #: tasks whose condition asks for the tick, where it held
        self.tidied: dict[str, int] = {}  #: runs that ended so, and did what they do finally
        self.napped = 0  #: work in the state that ended by its instant
        self.refused_plans = 0  #: planner commands that a newer epoch refused
        self._running: dict[int, int] = {}
        self._hashes: dict[int, tuple[bytes, str]] = {}
        self._agents: list[Agent] = []
        self.operators: Operators | None = None
        self.days: Days | None = None
        self.approvers: approvals.Approvers | None = None
        self.completers: completions.Completers | None = None
        self.secrets: Secrets | None = None
        self.objects: Objects | None = None
        self.quotas: Quotas | None = None
        self.senders: Senders | None = None
        self.zones: Zones | None = None
        self._clients = 0
        self.are_put = False  #: a client has seen that the jobs are there
        super().__init__(seed, plan, hardening)

    def make_machine(self, name: str) -> SimulatedState:
        return MortalState(self.directory / f"{name}-data", self.rng, number=len(self.nodes))

    @staticmethod
    def state(node: Node) -> MortalState:
        assert isinstance(node.machine, MortalState)
        return node.machine

    def create(self, name: str, *, joins: bool) -> Node:
        node = super().create(name, joins=joins)
        node.skew_ms /= 10  # clocks that agree well enough to lead; faults turn them
        return node

    # ---- what runs on top

    def lead_proposal(self, node: Node) -> bytes:
        term = node.consensus.term if node.consensus else 0
        command = codec.encode_command(Lead(node.name, "zone", term, "2026a"))
        return codec.encode_frame(codec.Frame(f"core {node.name} {node.life} {term}", 1, 1, (command,)))

    def process_started(self, node: Node) -> None:
        front = self.fronts[node.name] = Front(self, node)
        self.state(node).on_applied = lambda entry: self._heard(node, front, entry)
        self.state(node).on_reopened = lambda: self._reopened(front)

    def _reopened(self, front: Front) -> None:
        for agent in self._agents:
            agent.lost(front)

    def role_changed(self, node: Node) -> None:
        front = self.fronts.get(node.name)
        if front is not None and front.lives:
            front.resend(older_s=0.0)

    def _heard(self, node: Node, front: Front, entry: AppliedEntry) -> None:
        state = self.state(node).replica.machine.state
        known = self._hashes.setdefault(state.raft_index, (state.hash, node.name))
        if known[0] != state.hash:
            self.invariants.fail("hash", f"{node.name} and {known[1]} differ behind {state.raft_index}")
        listeners = (
            self.operators, self.days, self.approvers, self.completers, self.secrets, self.objects,
            self.zones,
        )  # fmt: skip
        for listener in listeners:
            if listener is not None:
                listener.heard(entry)
        if self.quotas is not None:
            replica = self.state(node)
            self.quotas.heard(node.name, replica.replica.machine.state.raft_index, replica.store, entry)
        front.applied(entry)
        for agent in self._agents:
            agent.heard(front, entry)

    def begin_clients(self) -> None:
        self.at(0.7, self._put_jobs)
        self.at(1.0, self._client)
        self._agents = [Agent(self, f"agent-{number}") for number in range(AGENTS)]
        self.operators = Operators(self, self.seed, [agent.name for agent in self._agents])
        self.days = Days(self, self.seed)
        self.approvers = approvals.Approvers(self, self.seed)
        self.completers = completions.Completers(self, self.seed)
        self.secrets = Secrets(self, self.seed)
        self.objects = Objects(self, self.seed)
        self.quotas = Quotas(self, self.seed)
        self.senders = Senders(self, self.seed)
        self.zones = Zones(self, self.seed)

    def _put_jobs(self) -> None:
        """Until a client has seen that they are there."""
        leader = self.leader()
        if leader is not None and not self.are_put:
            after_ms = self.wall_ms(leader)
            seeds = tuple(prepare(job, after_ms, 0) for job in JOBS)

            def put(outcomes: list[Outcome]) -> None:
                self.are_put = self.are_put or outcomes[0].ok

            calendar, dated = self.instants.put(after_ms)
            resources = (*locks.resources(after_ms), *completions.resources(after_ms))
            first = Apply((*resources, calendar), (*seeds, *dated), (), after_ms)
            self.fronts[leader.name].propose([first], put)
        if not self.are_put:
            self.at(0.3, self._put_jobs)

    def _client(self) -> None:
        if self.healing:
            return
        self.at(self.rng.expovariate(1 / 0.05), self._client)
        front = any_of(self.fronts.values(), self.rng)
        if front is None or not self.are_put:
            return
        kind = self.rng.random()
        if kind < 0.8:
            for _ in range(self.rng.choice((1, 1, 5))):
                self._run(front)
        else:
            name = self.rng.choice(PAUSED)
            command: Command = ResumeJob("default", name)
            if kind < 0.85:
                command = PauseJob("default", name)
            elif kind < 0.9 and self.acked_runs:
                command = CancelRun(self.rng.choice(list(self.acked_runs.values())))
            elif kind < 0.95:
                after_ms = self.wall_ms(front.node)
                edited = parse_job(_edited(self.rng.choice(EDITED), self.rng.randrange(4)))
                command = PutJobs((prepare(edited, after_ms),), after_ms)
            front.propose([command])

    def _run(self, front: Front) -> str:
        """A manual run by a client with a name of its own."""
        self._clients += 1
        actor = f"client {self._clients}"

        def answered(outcomes: list[Outcome]) -> None:
            value = outcomes[0].value
            if value is not None:
                self.acked_runs[actor] = int(str(value["run"]))

        due_ms = self.wall_ms(front.node)
        run = RunJob("default", "manual", b"{}", due_ms, Actor(actor), closed=True)
        front.propose([run], answered)
        return actor

    # ---- what really happens on hosts

    def really_started(self, attempt: int, task: int, fence: int) -> None:
        others = [a for a, t in self._running.items() if t == task and a != attempt]
        if others or attempt in self.started:
            self.invariants.fail("starts", f"attempt {attempt} of task {task} started beside {others}")
        self._running[attempt] = task
        self.started[attempt] = fence
        self.locks.started(self._stores(), attempt, task)

    def _stores(self) -> list[Store]:
        return [self.state(front.node).store for front in self.fronts.values() if front.lives]

    def really_ended(self, attempt: int) -> None:
        self._running.pop(attempt, None)
        self.locks.ended(attempt)

    # ---- the end

    def settled(self) -> bool:
        self.quiet = False
        leader = self.leader()
        if leader is None:
            self.run_until(self.now() + 0.5)
            return False
        store = self.state(leader).store
        before = self._ran(leader)
        actor = self._run(self.fronts[leader.name])
        for name in PAUSED:
            self.fronts[leader.name].propose([ResumeJob("default", name)])
        if self.operators is not None:
            self.operators.resume(self.fronts[leader.name])
        if self.days is not None:
            self.days.resume(self.fronts[leader.name])
        self.run_until(self.now() + 2.6)
        if leader.consensus is None or actor not in self.acked_runs or self.leader() is not leader:
            return False
        moves = self.plan.clocks or self._ran(leader) > before
        self.quiet = True
        self.run_until(self.now() + QUIET_S)
        state = store.value("SELECT state FROM runs WHERE id = ?", (self.acked_runs[actor],))
        return moves and state in ("succeeded", "failed")

    def _ran(self, node: Node) -> int:
        return int(self.state(node).store.value("SELECT count(*) FROM ledger WHERE outcome = 'ran'"))

    def check_end(self, members: list[Node]) -> None:
        fail = self.invariants.fail
        for node in members:
            store = self.state(node).store
            # To behind the last tick that anything was decided of: a day more is half a million due instants.
            end_ms = self.state(node).replica.machine.state.stamp_ms + HOUR_MS
            found = verify(store, EPOCH_MS - DAY_MS, end_ms, now_ms=0)
            if not found.ok:
                fail("ticks", f"{node.name}: {found.problem_count}, first {found.problems[:2]}")
            twice = store.rows(
                "SELECT trigger, tick_ms FROM runs WHERE tick_ms IS NOT NULL AND trigger > 0"
                " GROUP BY trigger, tick_ms HAVING count(*) > 1 ORDER BY trigger, tick_ms"
            )
            if twice:
                fail("ticks", f"{node.name}: two runs for one tick {twice[:3]}")
            self._check_edits(node)
            self._check_naps(node)
            self._check_follows(node)
            self._check_inside(node)
            runs = store.rows("SELECT actor, id FROM runs WHERE actor LIKE 'client %' ORDER BY id")
            self._check_acked(node, runs)
            by_hand = "action = 'run' AND actor <> ''"
            noted = store.rows(f"SELECT actor, run FROM audit WHERE {by_hand} ORDER BY id")
            if sorted(noted) != sorted(runs):
                fail("audit", f"{node.name}: runs by hand {runs[-3:]}, noted {noted[-3:]}")
            for attempt, fence in self.started.items():
                row = attempt_rows.get(store, attempt)
                if row is None or row.fence != fence or row.state in ("assigned", "revoked", "unstarted"):
                    fail("starts", f"{node.name}: attempt {attempt} started with grant {fence}: {row}")
            for problem in self.outside.judge(store, TELLING):
                fail("effects", f"{node.name}: {problem}")
            if self.operators is not None:
                boots = {agent.installation: agent.boot for agent in self._agents if agent.boot}
                for kind, problem in self.operators.judge(store, boots):
                    fail(kind, f"{node.name}: {problem}")
            people = (self.days, self.completers, self.secrets, self.objects, self.quotas)
            kinds = (self.exits, self.groups, self.fanouts, self.locks, self.instants, self.openings)
            for each in (*kinds, self.expecting, *people, self.senders, self.zones):
                for kind, problem in each.judge(store) if each is not None else ():
                    fail(kind, f"{node.name}: {problem}")

        self._check_rows(members)

    def _check_edits(self, node: Node) -> None:
        for what, sql in {
            "cancelled by an edit": "SELECT l.trigger, l.first_ms FROM ledger l"
            " WHERE l.reason = 'cancelled' AND l.run = 0 ORDER BY l.seq LIMIT 3",
            "missed under catchup all": "SELECT l.trigger, l.first_ms FROM ledger l"
            " JOIN jobs j ON j.id = l.job WHERE j.name = 'gaps' AND (l.reason = 'window'"
            # A clock that was turned by an hour: the newest 100, one a second, are kept.
            f" OR l.reason = 'buffer_full' AND l.decided_ms - l.last_ms < {GAP_TICKS_MAX * 1000})"
            " ORDER BY l.seq LIMIT 3",
            # A tick that catches up itself, of an era before an edit, may be.
            "skipped by a run that catches up": "SELECT l.trigger, l.first_ms FROM ledger l"
            " JOIN runs r ON r.id = l.run WHERE l.outcome = 'skipped' AND l.reason = 'overlap'"
            " AND l.kind = 'tick' AND r.cause = 'catchup' ORDER BY l.seq LIMIT 3",
        }.items():
            if found := self.state(node).store.rows(sql):
                self.invariants.fail("edits", f"{node.name}: {what}: {found}")

    def _check_follows(self, node: Node) -> None:
        """However often the leader changed: each end that was looked at was answered once."""
        said = "'nap/' || e.run"
        for what, sql in {
            "an end without an answer": "SELECT e.run FROM ends e WHERE e.parent = 'default/naps'"
            " AND e.open = 0 AND e.state = 'succeeded'"
            f" AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.kind = 'after' AND l.key = {said})"
            f" AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.cause = 'after' AND r.cause_key = {said})"
            " ORDER BY e.run LIMIT 3",
            "two runs for one end": "SELECT cause_key FROM runs WHERE cause = 'after'"
            " GROUP BY job, cause_key HAVING count(*) > 1 ORDER BY cause_key LIMIT 3",
        }.items():
            if found := self.state(node).store.rows(sql):
                self.invariants.fail("after", f"{node.name}: {what}: {found}")
        over = "SELECT count(*) FROM ledger WHERE kind = 'after' AND outcome = 'ran'"
        self.followed = max(self.followed, self.state(node).store.value(over))

    def _check_naps(self, node: Node) -> None:
        """However often the leader changed: none was cut short. Where clocks are turned nothing is said: a
        front here takes office with a wrong clock, as the real one does not (node/clock.py), and plans ahead
        of stamps that stand still."""
        naps = "FROM tasks WHERE name = 'nap' AND run IN (SELECT id FROM runs WHERE name = 'naps') AND state"
        lasted = "finished_ms - started_ms"
        short = f"SELECT id, {lasted} {naps} = 'succeeded' AND {lasted} < {NAP_MS - CLOCKS_MS} ORDER BY id"
        if not self.plan.clocks and (found := self.state(node).store.rows(short)):
            self.invariants.fail("naps", f"{node.name}: cut short: {found}")
        over = self.state(node).store.value(f"SELECT count(*) {naps} = 'succeeded'")
        self.napped = max(self.napped, over)

    def _check_inside(self, node: Node) -> None:
        store = self.state(node).store
        for fault in inside.faults(store):
            self.invariants.fail("inside", f"{node.name}: {fault}")
        for fault in approvals.faults(store):
            self.invariants.fail("answered", f"{node.name}: {fault}")
        self.waited = max(self.waited, inside.waited(store))
        self.even = max(self.even, graphs.even(store))
        for state, number in inside.done(store).items():
            self.tidied[state] = max(number, self.tidied.get(state, 0))

    def _check_rows(self, members: list[Node]) -> None:
        known: dict[int, tuple[list[bytes], str]] = {}
        for node in members:
            replica = self.state(node).replica
            if differing := replica.machine.store.kept.differences():
                self.invariants.fail("kept", f"{node.name}: {differing[:2]}")
            digests = [each.digest for each in slices_of(replica.path)]
            first, of = known.setdefault(replica.machine.state.idx, (digests, node.name))
            if first != digests:
                self.invariants.fail("rows", f"{node.name} and {of} differ at {replica.machine.state.idx}")

    def _check_acked(self, node: Node, runs: list[tuple[object, ...]]) -> None:
        by_actor: dict[object, list[object]] = {}
        for actor, run in runs:
            by_actor.setdefault(actor, []).append(run)
        for actor, ids in by_actor.items():
            if len(ids) > 1:
                self.invariants.fail("acked", f"{node.name}: {actor} has the runs {ids}")
        for actor, run in self.acked_runs.items():
            if by_actor.get(actor) != [run]:
                self.invariants.fail(
                    "acked", f"{node.name}: {actor} was told {run}, found {by_actor.get(actor)}"
                )


def simulate_jobs(seed: int, plan: Plan | None = None, hardening: Hardening = ALL_ON) -> Result:
    """Run the story of a seed, with jobs."""
    return JobsWorld(seed, plan, hardening).run()
