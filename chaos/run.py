"""The conductor: one plan on a cluster of its own, from an empty directory to evidence.

    plan.json  history.jsonl  evidence/HOST  events/NODE.jsonl  final/*.json  seal.json  logs/PROGRAM

Rules:
1. Faults begin only when ticks run. Each is seen by a canary before it counts, and its end too.
2. Whatever happens, everything is healed, then everything that was started is killed.
3. This file judges nothing: the checkers read the files (chaos.checkers.judge).
4. The cluster comes from outside: chaos.cluster's, or a staging cluster (chaos.drill).
"""

from __future__ import annotations

import heapq
import math
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from chaos import arrivals, clocks, days, leaks
from chaos.actions import ACTIONS, View
from chaos.cluster import Cluster, Shape
from chaos.collect import Reader, collect, settle
from chaos.faults import Fault, to_json
from chaos.history import HISTORY, History, now_s
from chaos.nemesis import Driver, NemesisError, Unavailable
from chaos.nemesis.arsenal import arsenal
from chaos.observer import Observer
from chaos.pace import Pace
from chaos.plan import Plan, Step, write_plan
from chaos.programs import DeadlineError, wait_for
from chaos.receiver import Receiver
from chaos.seal import SEAL, write_seal
from chaos.visitors import Visitors
from chaos.workload import REGISTERS, Workload

STAGING = "staging"  #: as kind of links: the cluster of a file, on machines with clocks of their own
WARM_STARTS = 5
WARM_S = 60.0
LEADER_S = 40.0
HEALED_S = 90.0  #: a limit of waiting for all of it; the liveness checker has its own
SEEN_S = 20.0
OTHER_ZONES = "node-3"  #: not the first, which is asked first
GONE_S = 60.0  #: a node that begins anew on a busy machine

Say = Callable[[str], None]


class Host(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def zone(self) -> str: ...


class Served(Host, Protocol):
    """A node: it has an API."""

    @property
    def url(self) -> str: ...


class Broken(Protocol):
    """What the conductor needs of a cluster that runs."""

    @property
    def token(self) -> str: ...

    @property
    def nodes(self) -> Sequence[Served]: ...

    @property
    def agents(self) -> Sequence[Host]: ...

    def restart_dead(self) -> list[str]: ...

    def ready(self) -> bool:
        """Whether every node says so."""
        ...

    def connected(self) -> bool:
        """Whether every agent is."""
        ...


class Breaking(Driver, Protocol):
    """What the conductor needs of drivers."""

    def why_not(self, fault_type: type[Any]) -> Unavailable | None: ...


def run_plan(plan: Plan, directory: Path, *, shape: Shape | None = None, say: Say = lambda _: None) -> None:
    """Run it; leaves the files. Raises NemesisError where the links cannot be laid, DeadlineError where the
    cluster does not even begin."""
    write_plan(plan, directory)
    made = replace(
        shape or Shape(),
        visitors=plan.visitors,
        profile=plan.links,  # type: ignore[arg-type]  # read_plan's text; make_links refuses what it knows not
        seed=plan.seed,
        other_zones=OTHER_ZONES,
    )
    root = directory / "cluster"
    with History(directory / HISTORY) as history:
        cluster = Cluster.lay_out(root.absolute(), made)
        try:
            history.write("phase", name="start", seal=SEAL)
            if OTHER_ZONES in {node.name for node in cluster.nodes}:
                history.write("tzdata", node=OTHER_ZONES, version=clocks.VERSION)
            cluster.start()
            evidence = directory.absolute() / "evidence"
            visitors = Visitors(cluster.visitors, history, seed=plan.seed)
            conduct(
                plan, directory, Own(cluster), arsenal(cluster), history,
                evidence=evidence, visitors=visitors, say=say,
            )  # fmt: skip
            leaks.look(root, plan.seed, directory / "final")
        except DeadlineError as error:
            history.write("note", text=f"stopped: {error}")
            raise
        finally:
            cluster.stop()
            _keep_logs(cluster, directory / "logs")
            shutil.rmtree(root, ignore_errors=True)
    write_seal(directory)


def conduct(
    plan: Plan,
    directory: Path,
    cluster: Broken,
    drivers: Breaking,
    history: History,
    *,
    evidence: Path,
    visitors: Visitors | None = None,
    say: Say,
) -> None:
    """The plan on a cluster that runs. `evidence`: where payloads on the agents' hosts write."""
    began_s = time.time() - 5
    history.write("phase", name="up")
    urls = [node.url for node in cluster.nodes]
    clock = "wall" if plan.links == STAGING else "host"
    receiver = Receiver(history)
    workload = Workload(
        urls, cluster.token, history, evidence,
        agents=[agent.name for agent in cluster.agents], hook=receiver.url,
        seed=plan.seed, load=plan.load, clock=clock,
    )  # fmt: skip
    observer = Observer(cluster.nodes, cluster.token, history, directory / "events")
    pace = Pace(history)
    observer.start()
    pace.start()
    receiver.start()
    try:
        workload.declare()
        workload.start()
        if visitors is not None:
            visitors.start()
        wait_for(lambda: _lines(evidence) >= WARM_STARTS, WARM_S, "the first ticks run", 0.1)
        history.write("phase", name="load")
        say(f"load runs; {len(plan.steps)} faults, {plan.length_ms / 1000:.0f} s")
        Timeline(plan, cluster, drivers, observer, history, say).run()
        _heal(cluster, drivers, observer, history)
        time.sleep(plan.calm_ms / 1000)  # load behind the healing is part of the plan, not a wait
        workload.stop()
        if visitors is not None:
            visitors.stop()
        history.write("phase", name="until")
        reader = Reader(cluster.nodes, cluster.token)
        jobs = [job.name for job, _, _ in workload.jobs]
        paced = [arrivals.PACED, days.TURNED] if workload.arrives else []
        settle(reader, [*jobs, *paced], history, narrows=workload.narrows, arrives=workload.arrives)
        history.anchor()
        history.write("phase", name="final")
        collect(
            reader, directory / "final", jobs=jobs, registers=REGISTERS, from_s=began_s,
            applies=workload.applies, narrows=workload.narrows, arrives=workload.arrives,
        )  # fmt: skip
        reader.close()
    finally:
        workload.stop()
        if visitors is not None:
            visitors.stop()
        observer.stop()
        pace.stop()
        receiver.stop()
        with suppress(Exception):  # what it could not heal is in the history; its own cluster is killed now
            drivers.heal()


class Own:
    """A cluster of this harness's own processes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.token = cluster.token

    @property
    def nodes(self) -> Sequence[Served]:
        return self._cluster.nodes

    @property
    def agents(self) -> Sequence[Host]:
        return self._cluster.agents

    def restart_dead(self) -> list[str]:
        """A failed disk ends a node; then it is started as its service manager would."""
        dead = [program for program in self._cluster.programs if not program.running]
        for program in dead:
            program.start()
        return [program.name for program in dead]

    def ready(self) -> bool:
        return all(self._cluster.ready(node) for node in self._cluster.nodes)

    def connected(self) -> bool:
        with suppress(DeadlineError):
            self._cluster.wait_agents(deadline_s=0.5)
            return True
        return False


def _lines(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in folder.glob("*"))


def _heal(cluster: Broken, drivers: Breaking, observer: Observer, history: History) -> None:
    try:
        drivers.heal()
    except NemesisError as error:
        history.write("note", text=f"healing: {error}")
    _restart_dead(cluster, history)
    history.write("phase", name="healed")

    def ready() -> bool:
        _restart_dead(cluster, history)
        return cluster.ready()

    conditions = {
        "leader": lambda: observer.leader() is not None,
        "ready": ready,
        "agents": cluster.connected,
    }
    until_s = now_s() + HEALED_S
    for name, condition in conditions.items():
        try:
            wait_for(condition, max(0.0, until_s - now_s()), name, 0.1)
        except DeadlineError as error:
            history.write("note", text=f"after healing: {error}")
        else:
            history.write("phase", name=name)


def _restart_dead(cluster: Broken, history: History) -> None:
    for name in cluster.restart_dead():
        history.write("restarted", name=name)


def _keep_logs(cluster: Cluster, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for program in [*cluster.programs, *cluster.visitors]:
        if program.log.exists():
            shutil.copyfile(program.log, folder / f"{program.name}.log")


class Timeline:
    """The steps of a plan, begun and healed at their times, one thing after the other."""

    def __init__(
        self,
        plan: Plan,
        cluster: Broken,
        drivers: Breaking,
        observer: Observer,
        history: History,
        say: Say,
    ) -> None:
        self._plan, self._cluster, self._drivers = plan, cluster, drivers
        self._observer, self._history, self._say = observer, history, say
        self._delay_s = 0.0
        self._ends: list[tuple[float, int, Fault]] = []

    def run(self) -> None:
        zero_s = now_s()
        for number, step in enumerate(self._plan.steps):
            self._until(zero_s + step.at_ms / 1000)
            self._taking(self._begin, number, step)
        self._until(math.inf)

    def _until(self, planned_s: float) -> None:
        """End what ends before that moment, and wait for it."""
        while self._ends and self._ends[0][0] <= planned_s + self._delay_s:
            at_s, number, fault = heapq.heappop(self._ends)
            time.sleep(max(0.0, at_s - now_s()))
            self._taking(self._end, number, fault)
        if planned_s < math.inf:
            time.sleep(max(0.0, planned_s + self._delay_s - now_s()))

    def _taking(self, act: Callable[[int, Any], None], number: int, what: Step | Fault) -> None:
        """Do it; the time that it takes delays what comes later: faults must not run into each other."""
        began_s = now_s()
        act(number, what)
        self._delay_s += now_s() - began_s

    def _begin(self, number: int, step: Step) -> None:
        action = ACTIONS[step.action]
        why_not = self._drivers.why_not(action.fault)
        if why_not is not None:
            self._tell(number, "skipped", action=step.action, reason=str(why_not))
            self._say(f"skipped {step.action}: {why_not}")
            return
        try:
            fault = action.becomes(self._view(), step.pick)
        except DeadlineError as error:  # the steps before took the majority: nobody to aim at
            self._tell(number, "skipped", action=step.action, reason=str(error))
            return
        self._tell(
            number,
            "begin",
            action=step.action,
            fault=to_json(fault),
            keeps_majority=action.keeps_majority,
        )
        self._say(f"{step.action} ({_targets(fault)})")
        try:
            self._drivers.inject(fault)
            self._sight(number, "seen", fault, wanted=True)
        except (NemesisError, DeadlineError) as error:
            self._tell(number, "failed", error=str(error))
            with suppress(NemesisError, DeadlineError):
                self._drivers.heal(fault)
            return
        heapq.heappush(self._ends, (now_s() + step.for_ms / 1000, number, fault))

    def _end(self, number: int, fault: Fault) -> None:
        try:
            self._drivers.heal(fault)
            _restart_dead(self._cluster, self._history)
            self._sight(number, "healed", fault, wanted=False)
        except (NemesisError, DeadlineError) as error:
            self._tell(number, "failed", error=str(error))

    def _sight(self, number: int, phase: str, fault: Fault, *, wanted: bool) -> None:
        """What a canary sees, as soon as it is what we want, or in the end."""
        until_s = now_s() + (SEEN_S if wanted else GONE_S)
        while True:
            sighting = self._drivers.verify(fault)
            if sighting.real is wanted or now_s() > until_s:
                break
            time.sleep(0.1)
        self._tell(number, phase, real=sighting.real, evidence=sighting.evidence)

    def _view(self) -> View:
        leader = wait_for(self._observer.leader, LEADER_S, "a leader to aim at", 0.05)
        return View(
            leader,
            {node.name: node.zone for node in self._cluster.nodes},
            {agent.name: agent.zone for agent in self._cluster.agents},
        )

    def _tell(self, number: int, phase: str, **facts: object) -> None:
        self._history.write("fault", n=number, phase=phase, **facts)


def _targets(fault: Fault) -> str:
    """Whom it concerns, in few words."""
    told = to_json(fault)
    pairs = told.pop("pairs", None)
    if pairs:
        return f"{len(pairs)} directions at {pairs[0][0]} and {pairs[0][1]}"
    return ", ".join(str(value) for key, value in told.items() if key != "kind")
