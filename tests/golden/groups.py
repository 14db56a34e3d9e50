"""The golden story of groups: rounds, failures that are caught, and hands on a group."""

from __future__ import annotations

from typing import Any

from scheduler.store.tables import rounds
from scheduler.words import commands as c
from tests.golden.inside import run
from tests.golden.log import Recorder
from tests.scheduler.story import job

NOOP: dict[str, Any] = {"noop": True}
TASKS: dict[str, dict[str, Any]] = {
    "first": NOOP,
    "a": {**NOOP, "when": "first.succeeded"},
    "b": {**NOOP, "needs": ["a"]},
    "fix": NOOP,
    "look": {**NOOP, "needs": ["fix"], "when": "a.failed or b.failed"},
    "last": {**NOOP, "needs": ["box"], "rule": "none_failed", "when": "box.ended"},
}
BOX: dict[str, Any] = {
    "tasks": ["a", "b"], "catch": ["fix", "look"], "needs": ["first"],
    "retry": {"max": 1, "backoff": "constant", "first": "1m"},
    "repeat": {"until": "b.succeeded", "max": 2, "pause": "1m"},
}  # fmt: skip


def groups(story: Recorder) -> None:
    story.connect("grouped", slots=4, session="grouped")
    story.put(job("grouped", tasks=TASKS, groups={"box": BOX}, policies={"timeout": "1h"}))
    run(story, "grouped")
    _through(story, failing=("b",))
    run(story, "grouped")
    _through(story)
    skipped = run(story, "grouped")
    story.tell_ok(c.SkipTask(skipped, "box"))
    story.settle()
    ended = run(story, "grouped")
    _through(story, minutes=0, turns=2)
    story.tell_ok(c.StopTask(ended, "box"))
    _through(story)
    stopped = run(story, "grouped")
    _through(story, failing=("a",), minutes=1)
    story.tell_ok(c.CancelRun(stopped))
    story.settle()
    begin, end = (f"{at // 60 % 24:02}:{at % 60:02}" for at in (story.now_ms // 60_000 + n for n in (2, 4)))
    night = {"tasks": ["a"], "admission": {"windows": [f"{begin}-{end}"], "at_end": "terminate"}}
    story.put(job("nightly-group", tasks={"a": NOOP}, groups={"box": night}))
    run(story, "nightly-group")
    story.settle()
    for _ in range(2):
        story.now_ms = rounds.next_ms(story.store) or 0
        story.plan_and_apply()
        story.plan_and_apply()
    story.settle()
    held = {name: BOX[name] for name in ("tasks", "needs", "retry")}
    tasks = {name: task for name, task in TASKS.items() if name not in BOX["catch"]}
    story.put(job("held-group", tasks=tasks, groups={"box": held}, policies={"on_failure": "hold"}))
    waiting = run(story, "held-group")
    _through(story, failing=("a",))
    story.tell_ok(c.RetryTask(waiting, "box"))
    _through(story)


def _through(story: Recorder, failing: tuple[str, ...] = (), minutes: int = 8, turns: int = 9) -> None:
    """Agents do their work, that of these tasks fails, and time passes between rounds."""
    for _ in range(max(1, minutes)):
        for _ in range(turns):
            story.plan_and_apply()
            live = story.store.rows(
                "SELECT a.id, t.name FROM attempts a JOIN tasks t ON t.id = a.task"
                " JOIN agents g ON g.id = a.agent WHERE a.state = 'assigned' AND g.node <> '' ORDER BY a.id"
            )
            for attempt, name in live:
                row = story.attempt(attempt)
                story.tell_ok(c.Grant(attempt, row.agent, story.sessions[row.agent], f"claim {attempt}"))
                code = int(name in failing)
                story.tell_ok(c.Finish(attempt, row.agent, story.now_ms, story.now_ms, code, "exit"))
        story.now_ms += 60_000 * min(1, minutes)
