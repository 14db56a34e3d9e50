"""A clean run as plain data, in which tests plant bugs: one job every second, one change, one manual run."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chaos.case import Case, Mark
from chaos.seal import SEAL, write_seal

ZERO_MS = 1_800_000_000_000
WALL_S = ZERO_MS / 1000 - 100.0  #: wall time of harness time 0; the load begins at 100 s
SECONDS = 30


def instant(at_s: float) -> str:
    """The wall instant of a harness time, whole milliseconds."""
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(WALL_S + at_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Story:
    """What a clean run leaves; change it, then `case`."""

    plan: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    final: dict[str, Any] = field(default_factory=dict)
    resets: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def case(self) -> Case:
        return deepcopy(
            Case(
                self.plan,
                sorted(self.history, key=lambda entry: entry["t"]),
                sorted(self.marks, key=lambda mark: mark.at_s),
                self.events,
                self.final,
                self.resets,
            )
        )

    # -- changing it

    def tick(self, second: int) -> dict[str, Any]:
        """The ledger's word on the pulse that is due so many seconds after the begin."""
        found: dict[str, Any] = next(
            t for t in self.final["ticks"]["pulse"] if t["at"] == instant(100 + second)
        )
        return found

    def run(self, second: int) -> dict[str, Any]:
        found: dict[str, Any] = next(r for r in self.final["runs"] if r["id"] == second)
        return found

    def start(self, second: int) -> Mark:
        return next(m for m in self.marks if m.what == "S" and m.run == second)

    def again(self, mark: Mark, **changes: Any) -> None:
        """The same line once more, with these differences."""
        self.marks.append(replace(mark, **changes))

    def forget(self, second: int) -> None:
        """Nothing started for this tick."""
        self.marks = [mark for mark in self.marks if mark.run != second]

    def ended(self, second: int, state: str, reason: str = "") -> None:
        """This run has that end, by everybody's word."""
        run = self.run(second)
        run.update(state=state, reason=reason, exit_code=None)
        run["tasks"]["main"]["attempts"][0].update(state=state, exit_code=None)
        for events in self.events.values():
            for event in events:
                if event["event"] in ("run_ended", "attempt_ended") and event["run"] == second:
                    event.update(state=state, exit_code=None)
        self.marks = [m for m in self.marks if m.run != second or m.what == "S"]

    def late(self, second: int) -> None:
        """It came 3.5 s later."""
        attempt = self.run(second)["tasks"]["main"]["attempts"][0]
        start_s = self.start(second).at_s + 3.5
        attempt.update(started=instant(start_s), finished=instant(start_s + 0.04))
        for mark in [m for m in self.marks if m.run == second]:
            self.marks.remove(mark)
            self.again(mark, at_s=mark.at_s + 3.5)
        for events in self.events.values():
            for event in events:
                if event["event"].endswith("ended") and event["run"] == second:
                    event["t"] += 3.5

    def operation(self, at_s: float, op: str, outcome: str, arguments: dict[str, Any], **result: Any) -> int:
        number = 1 + max((e["id"] for e in self.history if e["kind"] == "invoke"), default=0)
        told = {"kind": "invoke", "id": number, "process": "writer", "op": op}
        self.history.append({"t": at_s, **told, **arguments})
        self.history.append({"t": at_s + 0.01, "kind": outcome, "id": number, **result})
        return number

    def fault(self, from_s: float, until_s: float, action: str = "leader-killed", **facts: Any) -> None:
        number = len(self.plan["steps"])
        self.plan["steps"].append({"action": action})
        told = {"kind": "fault", "n": number}
        whom = "agent-1" if action.startswith("agent") else "node-1"
        kill = {"kind": "kill", "processes": [whom]}
        begin = {"action": action, "fault": kill, "keeps_majority": True, **facts}
        self.history += [
            {"t": from_s, **told, "phase": "begin", **begin},
            {"t": from_s + 0.1, **told, "phase": "seen", "real": True, "evidence": "dead"},
            {"t": until_s, **told, "phase": "healed", "real": False, "evidence": "alive"},
        ]


def write(story: Story, directory: Path) -> None:
    """The files that this run would have left, sealed."""
    case = story.case()
    for folder in ("evidence", "events", "final"):
        (directory / folder).mkdir(parents=True)
    (directory / "plan.json").write_text(json.dumps(case.plan))
    history = [
        *case.history[:1],
        {"t": 99, "kind": "phase", "name": "start", "seal": SEAL},
        *case.history[1:],
    ]
    _lines(directory / "history.jsonl", [json.dumps(entry) for entry in history])
    for node, events in case.events.items():
        _lines(directory / "events" / f"{node}.jsonl", [json.dumps(event) for event in events])
    for name, document in case.final.items():
        (directory / "final" / f"{name}.json").write_text(json.dumps(document))
    _lines(directory / "evidence" / "agent-1", [_line(mark) for mark in case.marks])
    write_seal(directory)


def _lines(file: Path, lines: list[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines))


def _line(mark: Mark) -> str:
    tick = "-" if mark.tick_ms is None else instant(mark.tick_ms / 1000 - WALL_S)
    fields = (mark.what, mark.job, mark.run, mark.attempt, mark.fence, tick, mark.agent, mark.at_s)
    return "|".join(str(field) for field in (*fields, mark.word, mark.given, mark.task, mark.round))


def clean() -> Story:
    story = Story(
        plan={"name": "story", "seed": 7, "nodes": 2, "steps": [], "minimum": {"ticks": 20, "faults": 1}}
    )
    for at_s in (99.0, 140.0):
        story.history.append({"t": at_s, "kind": "anchor", "wall_s": WALL_S + at_s})
    phases = {
        "up": 99,
        "load": 100,
        "healed": 120,
        "leader": 120.2,
        "ready": 121,
        "agents": 121,
        "until": 130.5,
    }
    story.history += [{"t": t, "kind": "phase", "name": name} for name, t in {**phases, "final": 135}.items()]
    story.history += _views()
    declared = {"name": "pulse", "every_ms": 1_000, "offset_ms": 0, "cron": "", "attempts_max": 1}
    story.history.append({"t": 99.5, "kind": "declared", **declared, "policies": {"overlap": "allow"}})
    story.history.append({"t": 99.0, "kind": "tzdata", "node": "node-2", "version": "2099a"})
    story.operation(99.6, "declare", "ok", {"job": "pulse"}, status=201)
    put = {"job": "register-1", "uid": "one", "if_match": 0}
    story.operation(101, "put", "ok", put, status=201, revision=1, uid="one")
    story.operation(102, "get", "ok", {"job": "register-1"}, status=200, revision=1, uid="one")
    story.operation(103, "run", "ok", {"job": "manual", "word": "w1"}, status=201, run=900)
    story.operation(104, "look", "ok", {"run": 900}, status=200, state="succeeded")
    told: list[dict[str, Any]] = [
        {"t": 99.0, "event": "led", "epoch": 4, "node": "node-1"},
        {"t": 111.0, "event": "led", "epoch": 5, "node": "node-2"},
    ]
    runs, ticks = [], []
    for second in range(SECONDS + 1):
        due_s = 100.0 + second
        runs.append(_run(second, "pulse", due_s))
        ticks.append({"at": instant(due_s), "outcome": "ran", "reason": None, "run": second, "into": None,
                      "decided_at": instant(due_s - 0.05)})  # fmt: skip
        told += _told(second, "pulse", due_s)
        story.marks += _marks(second, "pulse", due_s, ZERO_MS + 1000 * second)
    runs.append({**_run(900, "manual", 103.1), "params": {"word": "w1"}})
    told += _told(900, "manual", 103.1)
    story.marks += [replace(mark, word="w1") for mark in _marks(900, "manual", 103.1, None)]
    for number, event in enumerate(told):
        event["id"] = f"{10 + number}.0"
    story.events = {"node-1": told, "node-2": deepcopy(told)}
    labels = {"labels": {"uid": "one"}}
    node = {"index": 500, "state_hash": "aa" * 16, "ledger_head": "bb" * 16}
    story.final = {
        "jobs": [
            {"name": "pulse", "revision": 1, "labels": {}},
            {"name": "register-1", "revision": 1, "labels": {"uid": "one"}},
        ],
        "revisions": {"register-1": [{"revision": 1, "definition": labels}]},
        "ticks": {"pulse": ticks},
        "runs": runs,
        "outbox": [],
        "verify": {"ok": True, "problems": []},
        "proofs": {node: {"ok": True, "problems": []} for node in ("node-1", "node-2")},
        "nodes": {"node-1": node, "node-2": dict(node)},
    }
    story.fault(110.0, 112.0)
    return story


def _views() -> list[dict[str, Any]]:
    """Node 1 leads until it is killed at 110 s, node 2 from 111 s on."""
    found = []
    for second in range(99, 136):
        for node, leads in (("node-1", second < 110), ("node-2", second > 110)):
            silent = node == "node-1" and 110 <= second < 112
            state = "silent" if silent else "leader" if leads else "follower"
            view: dict[str, Any] = {"t": float(second), "kind": "view", "node": node, "state": state}
            if not silent:
                later = second > 110
                view |= {"term": 3 + later, "epoch": 4 + later, "quorum": True, "index": second}
                view["state_hash"] = f"{second:064x}"
            found.append(view)
    return found


def _run(number: int, job: str, due_s: float) -> dict[str, Any]:
    attempt = {
        "id": 5_000 + number, "number": 1, "fence": 10_000 + number, "agent": "agent-1",
        "granted": instant(due_s - 0.04), "state": "succeeded", "exit_code": 0,
        "started": instant(due_s + 0.01), "finished": instant(due_s + 0.05),
    }  # fmt: skip
    return {
        "id": number, "job": job, "state": "succeeded", "created": instant(due_s - 0.05), "reason": None,
        "tick": instant(due_s) if job == "pulse" else None, "due": instant(due_s), "exit_code": 0,
        "finished": instant(due_s + 0.1), "tasks": {"main": {"state": "succeeded", "attempts": [attempt]}},
    }  # fmt: skip


def _marks(number: int, job: str, due_s: float, tick_ms: int | None) -> list[Mark]:
    start = Mark("S", job, number, "1", 10_000 + number, tick_ms, "agent-1", due_s + 0.01)
    return [start, replace(start, what="E", at_s=due_s + 0.05)]


def _told(number: int, job: str, due_s: float) -> list[dict[str, Any]]:
    run, attempt = {"run": number, "name": job}, {"attempt": 5_000 + number, "run": number}
    ended = {"state": "succeeded", "exit_code": 0}
    tick = {"trigger": 1, "first": instant(due_s), "last": instant(due_s), "count": 1, "outcome": "ran"}
    before = [
        {"event": "run_created", **run, "tick": instant(due_s) if job == "pulse" else None},
        {"event": "attempt_assigned", **attempt, "task": number},
        {"event": "attempt_granted", **attempt, "fence": 10_000 + number},
        {"event": "run_started", **run},
        *([{"event": "tick_decided", **tick, **run}] if job == "pulse" else []),
    ]
    after = [
        {"event": "attempt_running", **attempt},
        {"event": "attempt_ended", **attempt, **ended},
        {"event": "run_ended", **run, **ended},
    ]
    return [{"t": due_s - 0.04, **e} for e in before] + [{"t": due_s + 0.1, **e} for e in after]
