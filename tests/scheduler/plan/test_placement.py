from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from scheduler.explain import chains
from scheduler.machine.rules import selectors
from scheduler.model.locks import GROUP, Lock
from scheduler.plan.passes.queue import SELECTORS_MAX
from scheduler.plan.places import PAGE, Places
from scheduler.store.tables import agents
from scheduler.words import commands as c
from tests.scheduler.story import KINDS, START_MS, Story, job


def run(story: Story, name: str = "j", times: int = 1) -> None:
    story.tell_ok(*[c.RunJob("default", name, b"{}", story.now_ms)] * times)


def placed(story: Story) -> dict[int, int]:
    """Live attempts by agent."""
    return Counter(
        row[0] for row in story.store.rows("SELECT agent FROM attempts WHERE live = 1 ORDER BY id")
    )


def test_the_least_loaded_agent_takes_the_task(story: Story) -> None:
    small = story.connect("small", slots=2)
    large = story.connect("large", slots=6)
    story.put(job())
    run(story, times=4)
    story.plan_and_apply()
    assert placed(story) == {small: 1, large: 3}
    run(story, times=20)
    story.plan_and_apply()
    assert placed(story) == {small: 2, large: 6}
    assert story.plan() == []


def test_pool_labels_and_zone_select(story: Story) -> None:
    story.connect("plain")
    linux = story.connect("linux", pool="etl", labels=b'{"os":"linux","gpu":"no"}', zone="zone-b")
    story.connect("bsd", pool="etl", labels=b'{"os":"bsd"}', zone="zone-b")
    story.put(
        job("wanted", on={"pool": "etl", "labels": {"os": "linux"}, "zone": "zone-b"}),
        job("elsewhere", on={"pool": "etl", "labels": {"os": "linux"}, "zone": "zone-c"}),
    )
    run(story, "elsewhere")
    run(story, "wanted")
    story.plan_and_apply()
    assert placed(story) == {linux: 1}
    # What nobody can take waits, and is taken when somebody comes.
    late = story.connect("late", pool="etl", labels=b'{"os":"linux"}', zone="zone-c")
    story.plan_and_apply()
    assert placed(story) == {linux: 1, late: 1}


def test_work_goes_to_agents_that_offer_its_kind_alone(story: Story) -> None:
    """By the planner, by a tick that fires, and whatever anybody proposes."""
    lacking = story.connect("lacking", kinds=("exec", "shell"))
    story.put(job("a"))
    story.put({"job": "b", "run": "true"})
    for name in "ab":
        story.tell_ok(c.RunJob("default", name, b"{}", story.now_ms, agent=lacking))
    assert [attempt.agent for attempt in story.attempts(2)] == [lacking], "a shell's"
    assert story.attempts(1) == []
    (task,) = story.store.row("SELECT first_task FROM runs WHERE id = 1") or (0,)
    assert not story.one(c.Place(story.epoch, task, lacking)).ok
    story.plan_and_apply()
    assert story.attempts(1) == []

    able = story.connect("able", kinds=("noop",))
    story.plan_and_apply()
    assert [attempt.agent for attempt in story.attempts(1)] == [able]

    story.connect("able", session="s2", kinds=())
    story.tell_ok(c.RunJob("default", "a", b"{}", story.now_ms, agent=able))
    story.plan_and_apply()
    assert story.attempts(3) == [], "it came back without"


def test_a_disconnected_agent_takes_nothing(story: Story) -> None:
    agent = story.connect()
    story.disconnect(agent)
    story.put(job())
    run(story)
    assert story.plan() == []


def test_agents_of_a_quiet_node_take_nothing_new_for_now(story: Story) -> None:
    story.connect("quiet", node="node-b")
    other = story.connect("other", node="node-a", slots=1)
    places = Places(story.store, ["node-b"])
    anybody = '["default",{},null,"noop"]'
    assert [places.take(anybody), places.take(anybody)] == [other, 0]


def test_whose_groups_take_locks_look_at_the_agents_once_for_all_runs(story: Story) -> None:
    """Each run of them has a queue of its own."""
    agent = story.connect(slots=3)
    places, anybody = Places(story.store), '["default",{},null,"noop"]'
    lock = (Lock(GROUP, "default/lock", 1),)
    queues = [selectors.of_run(anybody, run, run, lock) for run in range(1, 5)]
    assert [places.free(queue, 9) for queue in queues] == [3] * 4
    assert [places.take(queue) for queue in queues] == [agent] * 3 + [0]
    assert [places.free(queue, 9) for queue in (*queues, anybody)] == [0] * 5
    assert len(places._near) == 1


def test_tasks_that_nobody_can_take_never_stand_before_others(story: Story) -> None:
    agent = story.connect(slots=1)
    story.put(job("nowhere", on={"pool": "none"}, policies={"priority": 99}), job("here"))
    run(story, "nowhere", times=900)
    run(story, "nowhere", times=900)
    run(story, "here")
    story.plan_and_apply()
    assert placed(story) == {agent: 1}


def test_more_queues_that_nobody_can_serve_than_a_plan_sees_keep_nobody_waiting(story: Story) -> None:
    agent = story.connect(slots=2)
    tasks = {f"t{i}": {"noop": True, "on": {"pool": f"a{i:05d}"}} for i in range(SELECTORS_MAX + 200)}
    story.put(job("nowhere", tasks=tasks), job("here"))
    run(story, "nowhere")
    story.settle()
    run(story, "here")
    for _ in range(2):  # the round has two parts
        story.plan_and_apply()
    assert placed(story) == {agent: 1}
    # A queue that had a place is looked at by every plan, wherever the round is.
    run(story, "here")
    story.plan_and_apply()
    assert placed(story) == {agent: 2}


def test_priority_orders_the_queue_and_waiting_ages_it(story: Story) -> None:
    story.put(job("low", policies={"priority": 10}), job("high", policies={"priority": 60}))
    run(story, "low")
    story.now_ms += 1_400_000
    run(story, "high")
    story.now_ms += 200_000
    run(story, "high")
    # The low one is 50 points behind, worth 1,500 s: the first high one overtakes it, the second does not.
    story.connect(slots=3)
    commands = [command.task for command in story.plan() if isinstance(command, c.Place)]
    assert commands == [2, 1, 3]


def test_a_tick_does_not_jump_the_queue(story: Story) -> None:
    story.put(job("queued"), job("ticking", trigger={"cron": "* * * * * *"}))
    run(story, "queued", times=3)
    agent = story.connect(slots=2)
    story.now_ms = START_MS + 1_000
    fires = [command for command in story.plan_and_apply() if isinstance(command, c.Fire)]
    assert [fire.agent for fire in fires] == [0]
    assert placed(story) == {agent: 2}


def test_more_free_places_than_one_plan_fills(story: Story) -> None:
    story.connect(slots=5_000)
    story.put(job())
    for _ in range(2):
        run(story, times=600)
    story.plan_and_apply()
    story.plan_and_apply()
    story.plan_and_apply()
    assert sum(placed(story).values()) == 1_200


def test_a_tick_queues_up_where_one_plan_does_not_empty_the_queue(story: Story) -> None:
    story.put(job("queued"), job("ticking", trigger={"cron": "* * * * * *"}))
    run(story, "queued", times=900)
    story.connect(slots=5_000)
    story.now_ms = START_MS + 1_000
    planned = story.plan_and_apply()
    assert [command.agent for command in planned if isinstance(command, c.Fire)] == [0]
    assert sum(isinstance(command, c.Place) for command in planned) < 900
    # Then the queue is emptied, and the next tick goes straight to an agent.
    story.plan_and_apply()
    story.work()
    story.now_ms += 1_000
    assert [command.agent for command in story.plan_and_apply() if isinstance(command, c.Fire)] == [1]


def test_runs_of_the_catch_up_queue_behind_live_ones(story: Story) -> None:
    story.put(job("behind", trigger={"cron": "0 * * * *"}), job("live"))
    story.now_ms = START_MS + 2 * 3_600_000 - 600_000
    story.plan_and_apply()
    story.now_ms += 60_000
    run(story, "live")
    story.connect(slots=1)
    assigned = [command.task for command in story.plan() if isinstance(command, c.Place)]
    assert story.store.rows("SELECT cause FROM runs ORDER BY id") == [("catchup",), ("manual",)]
    assert assigned == [2]


def test_a_place_among_very_many_agents_is_found_by_looking_at_few(story: Story) -> None:
    story.tell_ok(
        *(
            c.ConnectAgent(
                f"a{n}", f"i{n}", "s", "b", "zone-a", "default", b"{}", 2, "1", "node-a", KINDS
            )
            for n in range(1_000)
        )
    )
    places, anybody = Places(story.store), '["default",{},null,"noop"]'
    assert places.free(anybody, 50) == 50
    taken = [places.take(anybody) for _ in range(50)]
    assert len(set(taken)) == 50, "the least loaded first"
    assert len(places._agents) <= 2 * PAGE


@pytest.mark.parametrize("seed", range(12))
def test_the_place_is_that_of_the_least_loaded_that_matches_whoever_was_taken_before(
    story: Story, seed: int
) -> None:
    dice = random.Random(seed)
    for n in range(dice.choice((5, 3 * PAGE))):
        agent = story.connect(
            f"a{n}", slots=dice.randrange(4), node=dice.choice(("node-a", "node-b", "node-q")),
            pool=dice.choice(("x", "x", "y")), zone=dice.choice(("zone-a", "zone-b")),
            labels=dice.choice((b"{}", b'{"a":"1"}')),
        )  # fmt: skip
        for _ in range(dice.randrange(3)):
            agents.occupy(story.store, agent)
        if dice.random() < 0.1:
            story.tell_ok(c.DrainAgent(f"a{n}"))
        elif dice.random() < 0.1:
            story.disconnect(agent, story.store.value("SELECT node FROM agents WHERE id = ?", (agent,)))
    wanted = [
        f'["{pool}",{labels},{zone},"noop"]'
        for pool in ("x", "y", "") for labels in ("{}", '{"a":"1"}') for zone in ("null", '"zone-b"')
    ]  # fmt: skip
    places, rows = Places(story.store, {"node-q"}), agents.connected(story.store)
    busy = {row.id: row.busy for row in rows}

    def fitting(selector: str) -> list[agents.Agent]:
        pool, labels, zone, _ = json.loads(selector)
        return [
            row
            for row in rows
            if not row.draining and row.node != "node-q" and busy[row.id] < row.slots
            if pool in ("", row.pool) and zone in (None, row.zone)
            if labels.items() <= json.loads(row.labels).items()
        ]

    for _ in range(400):
        selector = dice.choice(wanted)
        found = fitting(selector)
        if dice.random() < 0.2:
            free = sum(row.slots - busy[row.id] for row in found)
            assert places.free(selector, 20) == min(20, free)
            continue
        best = min(found, key=lambda row: (busy[row.id] / row.slots, row.id), default=None)
        assert places.take(selector) == (best.id if best else 0), selector
        if best:
            busy[best.id] += 1


def ordered(story: Story, times: int, **on: object) -> list[str]:
    """Who took each of so many runs, one after the other."""
    story.put(job("o", on=on, policies={"overlap": "allow"}))
    taken = []
    for _ in range(times):
        run(story, "o")
        story.plan_and_apply()
        (agent,) = story.store.rows("SELECT agent FROM attempts ORDER BY id DESC LIMIT 1")[0]
        row = agents.get(story.store, agent)
        assert row is not None
        taken.append(row.name)
    return taken


def test_spread_has_as_much_work_in_each_zone_whatever_the_sizes(story: Story) -> None:
    story.connect("large", slots=100, zone="zone-a")
    story.connect("small-1", slots=4, zone="zone-b")
    story.connect("small-2", slots=4, zone="zone-b")
    assert sorted(ordered(story, 6, zone="spread")) == ["large"] * 3 + ["small-1"] * 2 + ["small-2"]
    story.put(job("f", on={"zone": "spread"}, fanout={"n": 4}))
    run(story, "f")
    story.settle()
    zones = "SELECT g.zone FROM attempts a JOIN agents g ON g.id = a.agent JOIN runs r ON r.id = a.run"
    assert Counter(story.store.rows(f"{zones} WHERE r.name = 'f'")) == {("zone-a",): 2, ("zone-b",): 2}


def test_full_zones_count_for_spread_and_others_take_it_then(story: Story) -> None:
    story.connect("a", slots=1, zone="zone-a")
    story.connect("b", slots=9, zone="zone-b")
    assert ordered(story, 4, zone="spread") == ["a", "b", "b", "b"]


def test_a_preferred_zone_comes_first_while_it_has_room(story: Story) -> None:
    story.connect("far", slots=9, zone="zone-a")
    near = story.connect("near", slots=2, zone="zone-b")
    assert ordered(story, 3, zone={"prefer": "zone-b"}) == ["near", "near", "far"]
    story.disconnect(near)
    assert ordered(story, 1, zone={"prefer": "zone-b"}) == ["far"]


def test_each_agent_has_its_turn_whatever_its_load(story: Story) -> None:
    story.connect("a", slots=99)
    story.connect("b", slots=5)
    story.connect("c", slots=2)
    assert ordered(story, 8, strategy="round_robin") == ["a", "b", "c", "a", "b", "c", "a", "b"]


def test_the_passive_takes_over_while_the_active_is_drained_or_full(story: Story) -> None:
    story.connect("without", slots=9)
    story.connect("passive", slots=9, labels=b'{"priority":"20"}')
    story.connect("active", slots=3, labels=b'{"priority":"3"}')
    assert ordered(story, 2, strategy="fixed_priority") == ["active", "active"]
    story.tell_ok(c.DrainAgent("active"))
    assert ordered(story, 1, strategy="fixed_priority") == ["passive"]
    story.tell_ok(c.ResumeAgent("active"))
    assert ordered(story, 2, strategy="fixed_priority") == ["active", "passive"]


def test_the_chain_says_why_an_agent_took_it(story: Story) -> None:
    story.connect("active", zone="zone-b", labels=b'{"priority":"3"}')
    story.put(job("o", on={"strategy": "fixed_priority", "zone": {"prefer": "zone-b"}}))
    run(story, "o")
    story.settle()
    said = {link.gate: link.because for link in chains.of_run(story.store, story.run(1), []).links}
    why = "zone zone-b is preferred, the first by the label priority (fixed_priority)"
    assert said["agent"] == f"active in zone-b took it: {why}"


def test_a_zone_and_an_order_go_together(story: Story) -> None:
    story.connect("elsewhere", zone="zone-b", labels=b'{"priority":"1"}')
    story.connect("second", zone="zone-a", labels=b'{"priority":"2"}')
    assert ordered(story, 1, zone="zone-a", strategy="fixed_priority") == ["second"]
    wanted = selectors.parse('["default",{},"?spread,round_robin","noop"]')
    assert (wanted.zone, wanted.order) == (None, ("spread", "round_robin"))


def test_what_follows_an_end_keeps_its_order(story: Story) -> None:
    """It would go where it ended, which is no less loaded than others."""
    story.connect("a", labels=b'{"priority":"2"}')
    story.connect("b", labels=b'{"priority":"1"}')
    first = {"noop": True, "on": {"labels": {"priority": "2"}}}
    then = {"noop": True, "needs": ["x"], "on": {"strategy": "fixed_priority"}}
    story.put(job("two", tasks={"x": first, "y": then}))
    run(story, "two")
    story.settle()
    rows = story.store.rows("SELECT g.name FROM attempts a JOIN agents g ON g.id = a.agent ORDER BY a.id")
    assert rows == [("a",), ("b",)]
