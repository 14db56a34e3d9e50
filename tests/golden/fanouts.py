"""The golden story of divided tasks: members, turns, joins, and hands on members."""

from __future__ import annotations

from typing import Any

from scheduler.machine.steps.spreading import WAITING_MAX
from scheduler.words import commands as c
from tests.golden.inside import run
from tests.golden.log import Recorder
from tests.scheduler.story import job

RUN: dict[str, Any] = {"run": "x"}
FANOUT = {"foreach": "{tasks.list.outputs.files}", "max_parallel": 2, "stagger": "1s"}
TASKS: dict[str, dict[str, Any]] = {
    "list": {**RUN, "outputs": ["files"]},
    "many": {
        **RUN, "needs": ["list"], "fanout": FANOUT, "join": "60%", "outputs": ["rows"],
        "retry": {"max": 1, "first": "1s"},
    },
    "last": {**RUN, "needs": ["many"], "rule": "all_done"},
}  # fmt: skip


def divided(story: Recorder) -> None:
    story.connect("divided", slots=4, session="divided")
    story.put(job("divided", tasks=TASKS))
    run(story, "divided")
    _through(story, b'["a","b","c"]', failing=("1",))
    run(story, "divided")
    _through(story, b'["a","b","c"]', failing=("0", "1"))
    for items in (b"[]", b"{}"):
        run(story, "divided")
        _through(story, items)
    one = run(story, "divided")
    _through(story, b"[1,2,3,4]", seconds=1)
    story.tell(c.HoldTask(one, "many", member="9"), c.SkipTask(one, "many"))
    story.tell_ok(c.HoldTask(one, "many", member="2"), c.SkipTask(one, "many", "not this", member="1"))
    story.tell_ok(c.ReleaseTask(one, "many", member="2"))
    story.tell_ok(c.StopTask(one, "many"))
    _through(story, b"")
    two = run(story, "divided")
    _through(story, b"[1,2,3,4]", seconds=1)
    story.tell_ok(c.SuspendRun(two), c.ResumeRun(two), c.CancelRun(two))
    _through(story, b"")
    story.put(job("any", tasks={"many": {**RUN, "fanout": {"n": 3, "max_failures": 1}, "join": "any"}}))
    run(story, "any")
    _through(story, b"", failing=("2",))
    run(story, "any")
    _through(story, b"", failing=("1", "2", "0"))
    on_agents(story)
    more_than_one_command_lets_go(story)


def on_agents(story: Recorder) -> None:
    """One is away for too long; what failed is repeated."""
    for name in ("page-1", "page-2", "page-3"):
        story.connect(name, slots=2, session=f"of {name}", pool="pages")
    web = story.connect("page-4", slots=2, session="of page-4", pool="pages")
    story.disconnect(web)
    fanout = {"all": "registered", "ttl": "3s", "offline": "skip", "max_parallel": 2}
    story.put(job("on-agents", tasks={"many": {**RUN, "on": {"pool": "pages"}, "fanout": fanout}}))
    failed = run(story, "on-agents")
    _through(story, b"", failing=("page-2",))
    story.tell_ok(c.RerunRun(failed, b"{}", story.now_ms, from_failed=True))
    story.connect("page-4", slots=2, session="of page-4 again", pool="pages")
    _through(story, b"")


def more_than_one_command_lets_go(story: Recorder) -> None:
    """They wait for two agents that are away, and come back."""
    for name in ("back-1", "back-2"):
        story.disconnect(story.connect(name, slots=200, session=f"of {name}", pool="back"))
    one = {"noop": True, "on": {"pool": "back"}, "fanout": {"all": "registered", "max_parallel": 1}}
    story.put(job("waiting", tasks={f"task-{number}": one for number in range(WAITING_MAX + 1)}))
    run(story, "waiting")
    _through(story, b"", seconds=1)
    for name in ("back-1", "back-2"):
        story.connect(name, slots=200, session=f"of {name} again", pool="back")
    story.settle()


def _through(story: Recorder, items: bytes, failing: tuple[str, ...] = (), seconds: int = 6) -> None:
    """Agents do their work, that of these members fails, and time passes."""
    for _ in range(seconds):
        for _ in range(4):
            story.plan_and_apply()
            live = story.store.rows(
                "SELECT a.id, t.name, t.member FROM attempts a JOIN tasks t ON t.id = a.task"
                " JOIN agents g ON g.id = a.agent WHERE a.state = 'assigned' AND g.node <> '' ORDER BY a.id"
            )
            for attempt, name, member in live:
                row = story.attempt(attempt)
                gave = b'{"rows":"1"}' if name == "many" and items else b""
                if name == "list":
                    gave = b'{"files":"%s"}' % items.replace(b'"', b'\\"')
                claim = c.Grant(attempt, row.agent, story.sessions[row.agent], f"claim {attempt}")
                if not story.one(claim).ok:
                    continue  # its join failed meanwhile
                code = int(member in failing)
                story.tell_ok(
                    c.Finish(
                        attempt, row.agent, story.now_ms, story.now_ms, code, "exit",
                        outputs=gave,
                    )
                )  # fmt: skip
        story.now_ms += 1_000
