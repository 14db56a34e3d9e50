"""What was applied together, read, and given to runs: each bug beside the same story without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chaos.appliers import JOB, OWNED, SHARED, key_of
from chaos.case import Mark
from chaos.checkers import objects
from tests.chaos.stories import Story, clean

KEYS = [key_of(*each) for each in SHARED]
NAMES = [name for kind, name in SHARED if kind == "vars"]
OWNED_KEYS = [key_of(*each) for each in OWNED]
DONE = {"stage": "stage-3", "state": "done"}


def applied(story: Story, generation: int, index: int, keys: list[str], gone: tuple[str, ...] = ()) -> None:
    """Live at this index."""
    for key in (*keys, *gone):
        revisions = story.final["objects"].setdefault(key, [])
        deleted = key in gone
        revisions.insert(
            0,
            {"revision": len(revisions) + 1, "index": index, "deleted": deleted,
             "generation": None if deleted else generation},
        )  # fmt: skip


def asked(story: Story, at_s: float, generation: int, outcome: str = "ok", **more: Any) -> None:
    told = {"group": "shared", "generation": generation, **more}
    story.operation(at_s, "apply", outcome, told, status=200)


def listed(story: Story, at_s: float, generation: int, **others: int) -> None:
    seen = {**dict.fromkeys(NAMES, generation), **others}
    story.operation(at_s, "see", "ok", {"group": "shared"}, seen=seen)


def given(story: Story, run: int, index: int, values: str, at_s: float = 110.0) -> Mark:
    mark = Mark("S", JOB, run, "1", 9_000 + run, None, "agent-1", at_s, given=values)
    story.marks.append(mark)
    for events in story.events.values():
        events.append({"t": at_s - 0.1, "id": f"{index}.0", "event": "run_created", "run": run, "name": JOB})
    return mark


def told() -> Story:
    """Generations 1 and 2 at once, 3 in slices, 4 asked for and not heard of; 11 and 12 of the source."""
    story = clean()
    story.final["objects"] = {}
    for generation, index in ((1, 10), (2, 20), (3, 30)):
        applied(story, generation, index, KEYS)
    asked(story, 100.0, 1)
    asked(story, 102.0, 2)
    stage = {"group": "shared", "generation": 3, "stage": "stage-3"}
    story.operation(103.9, "slice", "ok", {**stage, "slice": 0})
    story.operation(104.0, "commit", "info", stage)
    story.operation(106.0, "commit", "ok", stage, state="done")
    asked(story, 108.0, 4, "info")
    for events in story.events.values():
        events.append({"t": 105.0, "id": "31.0", "event": "stage_moved", **DONE})
    applied(story, 11, 12, OWNED_KEYS[:3])
    applied(story, 12, 22, OWNED_KEYS[2:], gone=tuple(OWNED_KEYS[:2]))
    asked(story, 101.0, 11, group="owned", names=OWNED_KEYS[:3])
    asked(story, 103.0, 12, group="owned", names=OWNED_KEYS[2:])
    listed(story, 101.5, 1)
    listed(story, 104.5, 2, **{NAMES[0]: 3})
    listed(story, 107.0, 3)
    given(story, 701, 15, "1,1")
    given(story, 702, 25, "2,2")
    given(story, 703, 35, "3,3")
    story.operation(100.0, "allow", "ok", {"namespace": "few", "jobs_max": 3})
    story.operation(101.0, "count", "ok", {"namespace": "few"}, jobs=3)
    return story


def kinds(story: Story) -> set[str]:
    return {offence.kind for offence in objects.check(story.case()).offences}


def test_a_clean_story_passes() -> None:
    found = objects.check(told().case())

    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"applies": 5, "stages": 1, "lists": 3, "given": 3}


def test_a_load_that_applies_nothing_has_nothing_to_judge_and_one_that_was_not_read_is_no_pass() -> None:
    assert objects.check(clean().case()).verdict == "pass"
    story = told()
    del story.final["objects"]
    assert objects.check(story.case()).verdict == "invalid"


def _forget(story: Story, generation: int, keys: list[str]) -> None:
    for key in keys:
        story.final["objects"][key] = [
            each for each in story.final["objects"][key] if each["generation"] != generation
        ]


def _move(story: Story, key: str, generation: int, index: int) -> None:
    for each in story.final["objects"][key]:
        if each["generation"] == generation:
            each["index"] = index


def _again(story: Story) -> None:
    for mark in [mark for mark in story.marks if mark.run == 702]:
        story.again(mark, what="E", at_s=mark.at_s + 1, given="3,3")


def _regive(story: Story, run: int, values: str) -> None:
    story.marks = [replace(mark, given=values) if mark.run == run else mark for mark in story.marks]


def _acknowledge_swapped(story: Story) -> None:
    """Generation 5 was acknowledged before 6 began, and is the newer."""
    asked(story, 109.0, 5)
    asked(story, 110.0, 6)
    applied(story, 6, 40, KEYS)
    applied(story, 5, 50, KEYS)


def _refuse_and_apply(story: Story) -> None:
    asked(story, 109.0, 5, "fail")
    applied(story, 5, 50, KEYS)


def _lay_and_apply(story: Story) -> None:
    story.operation(109.0, "slice", "ok", {"group": "shared", "generation": 5, "stage": "stage-5"})
    applied(story, 5, 50, KEYS)


BUGS: dict[str, tuple[Callable[[Story], Any], str]] = {
    "the last slice stays out": (lambda s: _forget(s, 3, KEYS[-3:]), "half-applied"),
    "one object is another act": (lambda s: _move(s, KEYS[4], 2, 21), "not-one-act"),
    "one counts twice": (lambda s: applied(s, 2, 24, KEYS), "applied-twice"),
    "an acknowledged one is gone": (lambda s: _forget(s, 2, KEYS), "lost-apply"),
    "an acknowledged stage is gone": (lambda s: _forget(s, 3, KEYS), "lost-apply"),
    "a refused one is there": (_refuse_and_apply, "refused-apply"),
    "what was only laid down is there": (_lay_and_apply, "refused-apply"),
    "what was never asked for is there": (lambda s: applied(s, 5, 50, KEYS), "refused-apply"),
    "the older one came later": (_acknowledge_swapped, "out-of-order"),
    "what a source no longer names stays": (
        lambda s: s.final["objects"][OWNED_KEYS[0]].pop(0), "bad-prune",
    ),
    "a list of two that were applied at once": (
        lambda s: listed(s, 101.9, 1, **{NAMES[3]: 2}), "torn-read",
    ),
    "a list of two after the stage was done": (
        lambda s: listed(s, 105.1, 2, **{NAMES[0]: 3}), "torn-read",
    ),
    "a list of what nobody applied": (lambda s: listed(s, 107.0, 77), "torn-read"),
    "a list that shows what was before": (lambda s: listed(s, 107.0, 2), "stale-read"),
    "a run reads the newest": (lambda s: _regive(s, 702, "3,3"), "wrong-values"),
    "a run reads what was before": (lambda s: _regive(s, 703, "2,2"), "wrong-values"),
    "a run reads of two": (lambda s: _regive(s, 703, "3,2"), "mixed-values"),
    "a run is given nothing": (lambda s: _regive(s, 703, ","), "wrong-values"),
    "a run is given other values later": (_again, "changed-values"),
    "more jobs than the quota": (
        lambda s: s.operation(110.0, "count", "ok", {"namespace": "few"}, jobs=4), "over-quota",
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_bug_is_found(bug: str) -> None:
    plant, kind = BUGS[bug]
    story = told()
    plant(story)

    assert kind in kinds(story)


def test_what_nobody_heard_of_may_be_there_or_not() -> None:
    story = told()
    applied(story, 4, 60, KEYS)
    listed(story, 112.0, 4)
    given(story, 704, 65, "4,4")

    assert kinds(story) == set()


def test_a_stage_that_no_node_told_of_may_go_live_until_it_is_acknowledged() -> None:
    story = told()
    for events in story.events.values():
        events[:] = [event for event in events if event["event"] != "stage_moved"]
    listed(story, 105.5, 2, **{NAMES[0]: 3})

    assert kinds(story) == set()
