"""Random graphs with groups, retries, repeats, catches, windows and divided tasks, while people hold tasks,
agents die and nodes restart: every run ends, and as the reference says. Windows say when, and never how it
ends: the reference knows none, and nothing begins outside of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.store.tables import rounds
from scheduler.store.tables import tasks as task_rows
from scheduler.words import commands as c
from scheduler.words.lifecycle import RUN_ENDS
from tests.scheduler.machine.graph_reference import Graph, Work, member_works, written
from tests.scheduler.machine.test_conditions import ASSIGNED, trees
from tests.scheduler.story import START_MS, Story, job

ROUNDS_MAX = 12
RULES = ("none_failed", "all_done", "any_failed", "any_success")
OUTER = ("b0", "b1", "b2", "b3")
Boxes = dict[str, dict[str, Any]]


@st.composite
def boxes(draw: Any, names: list[str], asked: list[str]) -> Boxes:
    """Of a graph by itself. `asked`: what has ended before it."""
    found: Boxes = {}
    for place, name in enumerate(names):
        needs = draw(st.lists(st.sampled_from(names[:place]), unique=True, max_size=2)) if place else []
        box: dict[str, Any] = {"needs": needs} if needs else {}
        if needs and draw(st.booleans()):
            box["rule"] = draw(st.sampled_from([*RULES, {"n_of": draw(st.integers(1, len(needs)))}]))
        if draw(st.integers(0, 3)) == 0:
            box["when"] = draw(trees([*asked, *needs], OUTER))
        found[name] = box
    return found


@st.composite
def grouped(draw: Any) -> tuple[Boxes, Boxes, dict[str, list[Work]]]:
    outer = draw(boxes(list(OUTER[: draw(st.integers(1, 4))]), []))
    groups: Boxes = {}
    names = list(outer)
    for name in list(outer):
        if draw(st.booleans()):
            group = groups[name] = outer.pop(name)
            inside = [f"{name}t{place}" for place in range(draw(st.integers(1, 3)))]
            catch = [f"{name}c{place}" for place in range(draw(st.integers(0, 2)))]
            group["inside"] = draw(boxes(inside, group.get("needs", [])))
            group["catch"] = draw(boxes(catch, inside))
            names += [*inside, *catch]
            if draw(st.booleans()):
                group["retries"] = draw(st.integers(1, 3))
            if draw(st.booleans()):
                group["until"], group["rounds"] = draw(trees(inside)), draw(st.integers(1, 3))
            # They say where and when, and never how it ends.
            group["sticky"] = draw(st.booleans())
            group["max_parallel"] = draw(st.sampled_from([None, 1, 2]))
            group["locks"] = draw(st.sampled_from([None, ["one"], ["one", "two"], ["two"]]))
            group["opens"] = draw(st.sampled_from([None, None, (480, 481), (481, 482), (540, 600)]))
    for task in [*outer.values(), *(task for group in groups.values() for task in group["inside"].values())]:
        if draw(st.integers(0, 3)) == 0:
            task["allow_failure"] = True
        if draw(st.integers(0, 3)) == 0:
            task["members"] = draw(st.integers(1, 4))
            task["join"] = draw(st.sampled_from(["all", "any", draw(st.integers(1, task["members"])), "60%"]))
            task["parallel"] = draw(st.integers(0, 2))
    ends = st.sampled_from((True, True, False, False, None) if draw(st.booleans()) else (True, False))
    works = {name: draw(st.lists(ends, min_size=ROUNDS_MAX, max_size=ROUNDS_MAX)) for name in names}
    return outer, groups, works


def document(tasks: Boxes, groups: Boxes) -> dict[str, Any]:
    def box(fields: dict[str, Any]) -> dict[str, Any]:
        own = {key: fields[key] for key in fields if key in ("needs", "rule", "allow_failure", "join")}
        if "members" in fields:
            most = {"max_parallel": fields["parallel"]} if fields["parallel"] else {}
            own["fanout"] = {"n": fields["members"], **most}
        return own | ({"when": written(fields["when"])} if "when" in fields else {})

    shape: dict[str, Any] = {"tasks": {name: {"noop": True, **box(task)} for name, task in tasks.items()}}
    for name, group in groups.items():
        fields = {**box(group), "tasks": list(group["inside"]), "catch": list(group["catch"])}
        fields |= {key: group[key] for key in ("sticky", "max_parallel", "locks") if group.get(key)}
        if group["opens"]:
            opens, ends = (f"{at // 60:02}:{at % 60:02}" for at in group["opens"])
            fields["admission"] = {"windows": [f"Mon-Sun {opens}-{ends}"], "tz": "UTC"}
        for inside in (group["inside"], group["catch"]):
            shape["tasks"] |= {task: {"noop": True, **box(each)} for task, each in inside.items()}
        if "retries" in group:
            fields["retry"] = {"max": group["retries"], "first": "1s"}
        if "until" in group:
            fields["repeat"] = {"until": written(group["until"]), "max": group["rounds"], "pause": "1s"}
        shape.setdefault("groups", {})[name] = fields
    return shape


LIVE = (
    "SELECT g.id, t.round = max(t.round) OVER (PARTITION BY g.id), count(*), count(DISTINCT a.agent)"
    " FROM attempts a JOIN tasks t ON t.id = a.task"
    " LEFT JOIN tasks w ON t.member <> '' AND w.id = t.of_group"
    " JOIN tasks g ON g.id = coalesce(w.of_group, t.of_group) WHERE a.live = 1 GROUP BY g.id, t.round"
)
HOLDERS = "SELECT resource, count(*) FROM lock_holds WHERE holder = 'group' GROUP BY 1 HAVING count(*) > 1"


GRANTED = (
    "SELECT g.name, a.granted_ms FROM attempts a JOIN tasks t ON t.id = a.task"
    " LEFT JOIN tasks w ON t.member <> '' AND w.id = t.of_group"
    " JOIN tasks g ON g.id = coalesce(w.of_group, t.of_group) WHERE a.granted_ms IS NOT NULL"
)


def check_windows(story: Story, groups: Boxes) -> None:
    """Nothing in a group began outside of its windows, in minutes of the day."""
    for group, granted_ms in story.store.rows(GRANTED):
        if opens := groups[group]["opens"]:
            assert opens[0] <= granted_ms // 60_000 % 1_440 < opens[1], (group, opens, granted_ms)


def check_places(story: Story, groups: Boxes) -> None:
    """Of a sticky group one agent has all, of one with `max_parallel` no more are on agents; who holds a lock
    is alone, and so is whose tasks and members are on agents under it."""
    working: dict[str, set[int]] = {}
    for group, is_newest, most, agents in story.store.rows(LIVE):
        row = task_rows.get(story.store, group)
        assert row is not None
        said = groups[row.name]
        assert agents == 1 or not said["sticky"] or not is_newest
        assert most <= (said["max_parallel"] or most)
        for resource in said["locks"] or ():
            working.setdefault(resource, set()).add(group)
    assert not [resource for resource, by in working.items() if len(by) > 1], working
    assert story.store.rows(HOLDERS) == []


def disturb(story: Story, run: int, rng: Random) -> None:
    task = rng.choice(task_rows.of_run(story.store, run))
    match rng.randrange(6):
        case 0:
            story.one(c.HoldTask(run, task.name, member=task.member))
        case 1:
            story.one(c.ReleaseTask(run, task.name, member=task.member))
        case 2:
            story.one(c.RetryTask(run, task.name, member=task.member))
        case 3:
            story.one(rng.choice([c.SuspendRun(run), c.ResumeRun(run)]))
        case 4:
            story.reopen()


@given(graph=grouped(), room=st.sampled_from([1, 60, 12_500]), rng=st.randoms(use_true_random=False))
@settings(max_examples=90, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_graph_with_groups_ends_as_the_reference_says(graph: Any, room: int, rng: Random) -> None:
    tasks, groups, works = graph
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder) / "state.db", room=room)
        story.lead()
        for name in ("agent-1", "agent-2", "agent-3"):
            story.connect(name, slots=3)
        is_again = all(None not in ends for ends in works.values()) and rng.random() < 0.5
        policies = {"on_lost": "retry", "idempotent": True} if is_again else {"on_lost": "fail"}
        shape = job(params={"region": {"type": "string"}}, policies=policies, **document(tasks, groups))
        assert story.apply({"resource": "one"}, {"resource": "two"}, shape).ok
        run = story.value(c.RunJob("default", "j", b'{"region":"eu"}', START_MS), "run")
        for step in range(1_000):
            planned = story.plan_and_apply()
            check_places(story, groups)
            live = story.store.rows(ASSIGNED)
            for attempt, name in rng.sample(live, len(live))[: max(1, len(live) // 2)]:
                if story.claim(attempt).ok:
                    # One that is tried again is lost once.
                    is_lost = is_again and story.attempt(attempt).number == 1 and rng.random() < 0.2
                    end(story, attempt, None if is_lost else work_of(story, attempt, works[name]))
            if story.run(run).state in RUN_ENDS:
                break
            if step < 60 and rng.random() < 0.3:
                disturb(story, run, rng)
            elif not planned and not live:
                move_on(story, run)
        expected = Graph(tasks, works, {"region": "eu"}, groups)
        rows = [task for task in task_rows.of_run(story.store, run) if not task.member]
        states = {task.name: task.state for task in sorted(rows, key=by_round)}
        assert (story.run(run).state, states) == (expected.run(), expected.states())
        check_windows(story, groups)
        assert story.store.value("SELECT count(*) FROM rounds") == 0
        assert story.store.value("SELECT count(*) FROM lock_holds") == 0
        story.close()


def end(story: Story, attempt: int, work: Work) -> None:
    """As its agent tells it: of one that died it does so once it is back."""
    how = {"reason": "exit", "exit_code": int(not work)}
    assert story.finish(attempt, **({"reason": "gone", "exit_code": None} if work is None else how)).ok


def work_of(story: Story, attempt: int, works: list[Work]) -> Work:
    task = task_rows.get(story.store, story.attempt(attempt).task)
    assert task is not None
    return member_works(works, task.round, int(task.member)) if task.member else works[task.round]


def by_round(task: task_rows.Task) -> int:
    return task.round


def move_on(story: Story, run: int) -> None:
    """Time passes, and people let go what they held."""
    wakes_ms = (task_rows.next_wake_ms(story.store), rounds.next_ms(story.store))
    story.now_ms = max(story.now_ms, min((each for each in wakes_ms if each is not None), default=0))
    story.one(c.ResumeRun(run))
    for task in task_rows.of_run(story.store, run):
        if task.state == "held":
            story.one(c.ReleaseTask(run, task.name, member=task.member))


def lay_hands_on(story: Story, run: int, rng: Random) -> None:
    """Whatever a person may ask for; what is in the way of it is refused."""
    task = rng.choice(task_rows.of_run(story.store, run))
    name, member = task.name, task.member
    match rng.randrange(40):
        case 0:
            story.one(c.CancelRun(run))
        case 1:
            story.one(c.DeleteJob("default", "j", None))
        case at if at < 16:
            story.one(c.SkipTask(run, name, passes=rng.random() < 0.5, member=member))
        case at if at < 22:
            story.one(c.StopTask(run, name, member=member))
        case _:
            disturb(story, run, rng)


@given(graph=grouped(), room=st.sampled_from([1, 60, 12_500]), rng=st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_graph_with_groups_ends_whatever_people_do_to_its_tasks(
    graph: Any, room: int, rng: Random
) -> None:
    tasks, groups, works = graph
    policy: dict[str, Any] = {"policies": {"on_failure": "hold"}} if rng.random() < 0.3 else {}
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder) / "state.db", room=room)
        story.lead()
        for name in ("agent-1", "agent-2"):
            story.connect(name)
        shape = job(params={"region": {"type": "string"}}, **policy, **document(tasks, groups))
        assert story.apply({"resource": "one"}, {"resource": "two"}, shape).ok
        run = story.value(c.RunJob("default", "j", b'{"region":"eu"}', START_MS), "run")
        for step in range(1_000):
            planned = story.plan_and_apply()
            check_places(story, groups)
            live = story.store.rows(ASSIGNED)
            for attempt, name in rng.sample(live, len(live))[: max(1, len(live) // 2)]:
                if story.claim(attempt).ok and rng.random() < 0.8:
                    assert story.finish(attempt, exit_code=int(not works[name][0])).ok
            if story.run(run).state in RUN_ENDS:
                break
            if step < 60 and rng.random() < 0.4:
                lay_hands_on(story, run, rng)
            elif not planned and not live:
                for attempt in story.attempts(run):
                    if attempt.live and attempt.fence is not None:
                        assert story.finish(attempt.id).ok
                move_on(story, run)
        assert story.run(run).state in RUN_ENDS
        assert not [task for task in task_rows.of_run(story.store, run) if task.finished_ms is None]
        check_windows(story, groups)
        for table in ("rounds", "tells", "clocks", "lock_holds", "resource_uses"):
            assert story.store.value(f"SELECT count(*) FROM {table}") == 0, table
        story.close()
