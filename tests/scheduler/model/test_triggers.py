"""Kinds of triggers: each is judged, published, known and scheduled from its one file."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from scheduler.model import JobError, canonical, parse_job, prepare_triggers
from scheduler.model.parse import PLANNED
from scheduler.model.published import json_schema
from scheduler.model.translating import field_names
from scheduler.model.trigger import Trigger
from scheduler.model.triggers import KINDS, ONE_OF, Kind
from scheduler.ticks import event_of
from tests.scheduler.model.grown import told

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def said(trigger: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(JobError) as caught:
        parse_job({"job": "a", "noop": True, "triggers": trigger})
    return {p.pointer: f"{p.detail} | {p.hint}" for p in caught.value.problems}


@each_kind
def test_its_example_says_all_of_itself_and_fires(kind: Kind[Any]) -> None:
    job = parse_job({"job": "a", "noop": True, "triggers": kind.example})

    assert set(kind.example) == set(kind.attributes)
    own = {"overlap": kind.overlap, "id": job.triggers[0].key} if kind.overlap else {}
    assert json.loads(canonical(job))["triggers"] == [kind.example | own]
    if kind.is_shared:  # what comes of it is another's: test_known_schedules.py
        assert not prepare_triggers(job, 0)
        return
    (prepared,) = prepare_triggers(job, 0)
    assert (prepared.first_due_ms is None) == bool(event_of(prepared.spec)), "time, or an event"


@pytest.mark.parametrize(("one", "other"), list(combinations(KINDS, 2)), ids=lambda kind: kind.name)
def test_a_trigger_has_one_kind(one: Kind[Any], other: Kind[Any]) -> None:
    found = said(one.example | other.example)

    detail = f"{one.name} and {other.name} exclude each other: a trigger has exactly {ONE_OF}"
    assert found == {"/triggers": f"{detail} | use one trigger for each"}


@each_kind
def test_what_refines_another_kind_is_refused(kind: Kind[Any]) -> None:
    for other in KINDS:
        for name in other.attributes:
            owners = [each.name for each in KINDS if name in each.attributes]
            if name != other.name and kind.name not in owners:
                found = said({kind.name: kind.example[kind.name], name: other.example[name]})

                kinds = " and ".join(f"`{owner}`" for owner in owners)
                detail = f"{name} is for {kinds} triggers, not for `{kind.name}`"
                assert found == {"/triggers": f"{detail} | remove {name}"}


@each_kind
def test_the_words_of_other_schedulers_lead_to_it(kind: Kind[Any]) -> None:
    assert kind.other_words
    for word in kind.other_words:
        assert word not in (*field_names(Trigger), *PLANNED[Trigger])
        meant = f"unknown field '{word}' | did you mean {kind.name}?"
        assert said({word: "x"}) == {f"/triggers/{word}": meant}


@each_kind
def test_the_schema_says_what_it_says(kind: Kind[Any]) -> None:
    schema = json_schema()["$defs"]["Trigger"]

    assert {"required": [kind.name]} in schema["oneOf"]
    assert all(schema["properties"][field]["description"] for field in kind.attributes)


def test_identities_stay() -> None:
    """A trigger without an id is known by its schedule: another text of it would be another trigger."""
    triggers = [
        {"cron": "0 2 * * *"},
        {"every": "15m"},
        {"every": "15m", "start": "2026-01-01T00:00:00Z"},
        {"at": "2026-12-31T23:00:00+01:00"},
        {"startup": {"pool": "web", "delay": "120s"}},
        {"after": "a.ended"},
    ]
    job = parse_job({"job": "a", "noop": True, "triggers": triggers})

    assert [trigger.key for trigger in job.triggers] == [
        "8bf6f587569a", "be40b3e297de", "a6aa3353d622", "c95b7cc9fc51", "f782d7dc36de", "f85503a0e366",
    ]  # fmt: skip


NEW = '''
"""nth: every so many minutes."""

from typing import Annotated

from pydantic import AfterValidator

from scheduler.model.fields import Model
from scheduler.model.problems import Refused
from scheduler.model.triggers.kind import Kind
from scheduler.ticks import every_spec


def _minutes(value):
    if value is not None and value < 1:
        raise Refused("that is no while", "a minute at least")
    return value


class NthFields(Model):
    nth: Annotated[int | None, AfterValidator(_minutes)] = None
    of: str | None = None


NTH = Kind(
    "nth", {"nth": 5, "of": "hour"}, NthFields, lambda trigger: {"nth": trigger.nth},
    lambda trigger, job: every_spec(trigger.nth * 60_000, 0),
    lambda trigger, now_ms, reason: ("", reason, ""), other_words=("minutes",),
)
'''

USE = """
import json
from scheduler.model import JobError, canonical, parse_job, prepare_triggers
from scheduler.model.published import json_schema

def job(trigger):
    return {"job": "a", "noop": True, "triggers": trigger}

def said(**trigger):
    try:
        parse_job(job(trigger))
    except JobError as error:
        return [str(problem) for problem in error.problems]

made = parse_job(job({"nth": 5}))
print(json.dumps({
    "text": json.loads(canonical(made))["triggers"], "first": prepare_triggers(made, 1)[0].first_due_ms,
    "refused": said(nth=0), "none": said(id="x"), "two": said(nth=1, every="1m"), "refined": said(every="1m", of="x"),
    "near": said(nthh=1), "word": said(minutes=1), "schema": {"required": ["nth"]} in json_schema()["$defs"]["Trigger"]["oneOf"],
}))
"""  # noqa: E501


def test_a_slip_inside_a_trigger_s_own_fields_is_told_with_the_near_miss() -> None:
    for triggers in ({"startup": {"dealy": "1m"}}, [{"startup": {"dealy": "1m"}}]):
        with pytest.raises(JobError) as refused:
            parse_job({"job": "a", "noop": True, "triggers": triggers})
        assert [(each.detail, each.hint) for each in refused.value.problems] == [
            ("unknown field 'dealy'", "did you mean delay?")
        ]


def test_a_kind_is_a_file_and_a_word_in_the_list(tmp_path: Path) -> None:
    """In a copy of scheduler/: what the checklist in CONTRIBUTING says is all that a new kind needs."""
    names = "cron, every, iso8601, at, schedule, startup, after, webhook, notice, file, all_of, nth"
    one_of = f"a trigger has exactly one of {names} (use one trigger for each)"
    known = "CRON, EVERY, ISO8601, AT, SCHEDULE, STARTUP, AFTER, WEBHOOK, NOTICE, FILE, ALL_OF"
    assert told(tmp_path, "triggers", "nth", NEW, after=known, use=USE) == {
        "text": [{"nth": 5}],
        "first": 300_000,
        "refused": ["/triggers/nth: that is no while (a minute at least)"],
        "none": [f"/triggers: it has no schedule: {one_of}"],
        "two": [f"/triggers: every and nth exclude each other: {one_of}"],
        "refined": ["/triggers: of is for `nth` triggers, not for `every` (remove of)"],
        "near": ["/triggers/nthh: unknown field 'nthh' (did you mean nth?)"],
        "word": ["/triggers/minutes: unknown field 'minutes' (did you mean nth?)"],
        "schema": True,
    }
