"""States change only as they may, and what has ended stays ended.

Rules:
1. The tables are the harness's own, from the public documentation of states (docs/lifecycle.md).
2. Each node's events of an attempt, a run and a tick, in the order of their ids, are steps of the table.
   Where the harness began to listen in the middle, the first event that it saw is taken as given. So is the
   first one behind a `reset`, by which a node says that what happened before is not told.
3. What an event called an end is the end in the final state too. What a client saw of a run never was seen
   at an earlier state later; nor was what a node had told to have started or ended, before the client asked.
4. No attempt is assigned to a run that has ended, nor beside one of the same task that has not.
5. Work in the state begins once, in a run that has not ended, ends once, and has no attempt.
6. Rounds of a group follow each other: each begins when the one before it has ended and is to be followed,
   and ends once, after what catches its failure; the last one is followed by none.
7. Of a run that a person keeps back (held, suspended) no attempt is granted and no work in the state begins.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from chaos.case import Case, event_id
from chaos.checkers import Finding, Offence, finding

NAME = "lifecycle"
_ENDS = {"succeeded", "failed", "timed_out", "cancelled", "lost"}
_UNBEGUN = {"cancelled", "expired", "failed", "lost", "succeeded"}
RUN: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"running", "suspended", *_UNBEGUN}),
    "running": frozenset({"suspended", *_ENDS, "expired"}),
    "held": frozenset({"pending", "suspended", *_UNBEGUN}),
    "suspended": frozenset({"pending", "running", "suspended", *_ENDS, "expired"}),
}
ATTEMPT: Mapping[str, frozenset[str]] = {
    "assigned": frozenset({"granted", "revoked"}),
    "granted": frozenset({"running", "awaiting", "cancelling", "unstarted", *(_ENDS - {"cancelled"})}),
    "running": frozenset({"running", "awaiting", "cancelling", *(_ENDS - {"cancelled"})}),
    "cancelling": frozenset({"cancelling", "running", *_ENDS}),
    "awaiting": frozenset(_ENDS - {"lost"}),
}
BEGUN, LAST = "begun", ""
FOLLOWED = frozenset({"retry", "repeat", "held"})
GOES_ON = frozenset({BEGUN, "catch"})
KEPT_BACK = frozenset({"held", "suspended"})
RUN_ENDS = frozenset({*_ENDS, "expired"})
IN_STATE: Mapping[str, frozenset[str]] = {"active": RUN_ENDS}
ATTEMPT_STEPS = {
    "attempt_assigned": "assigned",
    "attempt_granted": "granted",
    "attempt_running": "running",
    "attempt_awaiting": "awaiting",
    "attempt_cancelling": "cancelling",
}


def check(case: Case) -> Finding:
    offences: list[Offence] = []
    steps = 0
    final = {int(run["id"]): run for run in case.final.get("runs", [])}
    for node, events in case.events.items():
        walk = _Walk(node)
        resets = deque(case.resets.get(node, ()))
        for event in events:
            steps += 1
            while resets and resets[0] < event_id(event):
                resets.popleft()
                walk.forget()
            offences += walk.step(event)
        for run, state in walk.runs.items():
            told = final.get(run)
            if state in RUN_ENDS and told is not None and told["state"] != state:
                detail = f"run {run} ended {state} (told by {node}), in the end it is {told['state']}"
                offences.append(
                    Offence("resurrected", detail, case.phases.get("final"), told["job"], run=run)
                )
    offences += _seen(case, final)
    return finding(NAME, offences, f"{steps} events followed", {"events": steps})


class _Walk:
    """The states of everything, by one node's events."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.runs: dict[int, str] = {}
        self.attempts: dict[int, str] = {}
        self.ticks: dict[tuple[int, str], str] = {}
        self.in_state: dict[int, str] = {}
        self.rounds: dict[int, tuple[int, str]] = {}  #: by group: the newest, and BEGUN or what follows it
        self.working: dict[int, int] = {}  #: task → its last attempt

    def forget(self) -> None:
        """What had not ended may be anything now."""
        self.runs = {run: state for run, state in self.runs.items() if state in RUN_ENDS}
        self.attempts = {key: state for key, state in self.attempts.items() if state not in ATTEMPT}
        self.in_state = {key: state for key, state in self.in_state.items() if state not in IN_STATE}
        self.rounds = {group: known for group, known in self.rounds.items() if known[1] == LAST}

    def step(self, event: Mapping[str, Any]) -> Iterable[Offence]:
        kind = event["event"]
        if kind in ATTEMPT_STEPS or kind == "attempt_ended":
            after = ATTEMPT_STEPS.get(kind) or event["state"]
            if kind == "attempt_granted":
                yield from self._not_kept_back(f"attempt {event['attempt']}", event)
            if kind == "attempt_assigned":
                yield from self._assigned(event)
            yield from self._move("attempt", self.attempts, event["attempt"], ATTEMPT, after, event)
        elif kind in ("task_begun", "task_ended"):
            if kind == "task_begun":
                yield from self._in_a_run(f"task {event['task']}", event)
                yield from self._not_kept_back(f"task {event['task']}", event)
            after = event.get("state", "active")
            yield from self._move("task", self.in_state, event["task"], IN_STATE, after, event)
        elif kind in ("round_begun", "round_ended"):
            yield from self._round(event)
        elif kind in ("run_created", "run_started", "run_ended"):
            after = {"run_created": "pending", "run_started": "running"}.get(kind) or event["state"]
            if kind == "run_created" and event["run"] in self.runs:
                yield self._offence("created-twice", f"run {event['run']}", event)
            yield from self._move("run", self.runs, event["run"], RUN, after, event)
        elif kind in ("run_held", "run_released"):
            after = event["state"]
            if after == "held" and self.runs.get(event["run"]) == "pending":
                self.runs[event["run"]] = after  # it was made so
            else:
                yield from self._move("run", self.runs, event["run"], RUN, after, event)
        elif kind == "tick_decided" and event["count"] == 1:
            tick = (event["trigger"], event.get("cause_key") or event["first"])  # two hosts may boot at once
            if tick in self.ticks:
                said = (
                    f"tick {event['first']} of {event['name']}: {self.ticks[tick]}, then {event['outcome']}"
                )
                yield self._offence("decided-twice", said, event)
            self.ticks[tick] = event["outcome"]

    def _round(self, event: Mapping[str, Any]) -> Iterable[Offence]:
        group, number = event["task"], int(event["round"])
        what = BEGUN if event["event"] == "round_begun" else str(event["then"])
        before = self.rounds.get(group)
        if what == BEGUN:
            yield from self._in_a_run(f"round {number} of {event['name']}", event)
            follows = before is None or (before[0] + 1 == number and before[1] in FOLLOWED)
        else:
            follows = before is None or (before[0] == number and before[1] in GOES_ON)
        if not follows:
            said = f"round {number} of {event['name']}, {what or 'ended'}, behind {before}"
            yield self._offence("illegal-step", said, event)
        self.rounds[group] = number, what

    def _assigned(self, event: Mapping[str, Any]) -> Iterable[Offence]:
        attempt = event["attempt"]
        yield from self._in_a_run(f"attempt {attempt}", event)
        task = event.get("task")
        if task is None:
            return
        if task in self.in_state:
            yield self._offence("beside", f"attempt {attempt} of task {task}, which is in the state", event)
        before = self.working.get(task)
        if before is not None and self.attempts.get(before) in ATTEMPT:
            said = f"attempt {attempt} beside attempt {before}, which is {self.attempts[before]}"
            yield self._offence("beside", said, event)
        self.working[task] = attempt

    def _in_a_run(self, what: str, event: Mapping[str, Any]) -> Iterable[Offence]:
        ended = self.runs.get(event["run"], "")
        if ended in RUN_ENDS:
            yield self._offence("illegal-step", f"{what} of run {event['run']}, which is {ended}", event)

    def _not_kept_back(self, what: str, event: Mapping[str, Any]) -> Iterable[Offence]:
        state = self.runs.get(event["run"], "")
        if state in KEPT_BACK:
            yield self._offence("started-kept-back", f"{what} of run {event['run']}, which is {state}", event)

    def _move(
        self,
        noun: str,
        states: dict[int, str],
        key: int,
        table: Mapping[str, frozenset[str]],
        after: str,
        event: Mapping[str, Any],
    ) -> Iterable[Offence]:
        before = states.get(key)
        if before is not None and after not in table.get(before, frozenset()):
            yield self._offence("illegal-step", f"{noun} {key}: {before} → {after}", event)
        states[key] = after

    def _offence(self, kind: str, detail: str, event: Mapping[str, Any]) -> Offence:
        return Offence(
            kind, f"{detail} (event {event['id']} of {self.node})", event["t"], event.get("name", ""),
            run=event.get("run"),
        )  # fmt: skip


def _seen(case: Case, final: Mapping[int, Mapping[str, Any]]) -> Iterable[Offence]:
    """What clients saw of runs."""
    ended: dict[int, tuple[str, float]] = {}
    furthest = _told(case)
    for op in sorted(case.operations, key=lambda op: op.ended_s or 0.0):
        if op.op != "look" or "state" not in op.result or op.ended_s is None:
            continue
        run, state = int(op.arguments["run"]), op.result["state"]
        known = ended.get(run)
        if known is not None and state != known[0] and op.began_s > known[1]:
            detail = f"run {run} was {known[0]}, then {state}"
            yield Offence("resurrected", detail, op.ended_s, operation=op.id, run=run)
        else:
            for before, at_s in furthest.get(run, ()):
                if _is_before(state, before) and at_s < op.began_s:
                    detail = f"run {run} was {before} {op.began_s - at_s:.2f} s before, a read says {state}"
                    yield Offence("stale-read", detail, op.ended_s, operation=op.id, run=run)
                    break
        furthest.setdefault(run, []).append((state, op.ended_s))
        if state in RUN_ENDS:
            ended.setdefault(run, (state, op.ended_s))
    for run, (state, at_s) in ended.items():
        told = final.get(run)
        if told is not None and told["state"] != state:
            yield Offence("resurrected", f"run {run} was {state}, in the end {told['state']}", at_s, run=run)


def _told(case: Case) -> dict[int, list[tuple[str, float]]]:
    """By run: the states that any node told, and when that was heard first."""
    first: dict[tuple[int, str], float] = {}
    for events in case.events.values():
        for event in events:
            if event["event"] in ("run_started", "run_ended"):
                key = (int(event["run"]), str(event.get("state", "running")))
                first[key] = min(first.get(key, event["t"]), event["t"])
    found: dict[int, list[tuple[str, float]]] = {}
    for (run, state), at_s in first.items():
        found.setdefault(run, []).append((state, at_s))
    return found


def _is_before(state: str, other: str) -> bool:
    """Surely. What is kept back may have been pending or running, and be so again."""
    return {state, other}.isdisjoint(KEPT_BACK) and _rank(state) < _rank(other)


def _rank(state: str) -> int:
    return {"pending": 0, "running": 1}.get(state, 2)
