"""Defaults of a namespace: what a job takes of them, what it says itself, and both told apart again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from scheduler.model import JobError, canonical, parse_job
from scheduler.model.brief import brief, resolved_anew
from scheduler.model.given import Given
from scheduler.model.namespace import parse_namespace
from scheduler.model.unsaid import whole

FORMAT = 1
DEFAULTS: dict[str, Any] = {
    "policies": {"overlap": "queue_one", "catchup": {"mode": "none"}},
    "on": {"pool": "etl", "labels": {"os": "linux"}},
    "retry": {"max": 3, "first": "1m"},
    "timeout": "20m",
    "env": {"TEAM": "money", "TZ": "UTC"},
    "notify": [{"on": ["failed"], "webhook": "https://hooks.example.org/f"}],
    "labels": {"team": "money"},
    "owner": "ann",
}


def given(shape: dict[str, Any], revision: int = 7) -> Given:
    """As the state has them: checked, and only what was said."""
    found = parse_namespace({"defaults": shape}, "finance").defaults
    return Given(revision, {} if found is None else found.given())


def job(document: dict[str, Any], shape: dict[str, Any] = DEFAULTS) -> dict[str, Any]:
    return whole(canonical(parsed(document, shape)))


def parsed(document: dict[str, Any], shape: dict[str, Any] = DEFAULTS) -> Any:
    return parse_job(
        {"job": "j", "namespace": "finance", **document}, defaults=lambda name: given(shape)
    )


def test_what_a_job_does_not_say_is_given_to_it_key_by_key() -> None:
    found = job({"run": "x", "on": {"labels": {"disk": "ssd"}}, "retry": {"max": 1}, "env": {"TZ": "CET"}})
    task = found["tasks"]["main"]
    assert task["on"] == {"pool": "etl", "labels": {"os": "linux", "disk": "ssd"}}
    assert (task["retry"]["max"], task["retry"]["first"]) == (1, "1m")
    assert (task["timeout"], task["env"]) == ("20m", {"TEAM": "money", "TZ": "CET"})
    assert (found["policies"]["overlap"], found["policies"]["catchup"]["mode"]) == ("queue_one", "none")
    assert (found["owner"], found["labels"], len(found["notify"])) == ("ann", {"team": "money"}, 1)
    assert found["defaults"]["own"] == ["/tasks/main/env/TZ", "/tasks/main/retry/max"]
    assert "/tasks/main/on/labels/os" in found["defaults"]["taken"]


@pytest.mark.parametrize(
    ("says", "place", "value"),
    [
        ({"policies": {"overlap": "skip"}}, ("policies", "overlap"), "skip"),
        ({"timeout": None}, ("tasks", "main", "timeout"), None),
        ({"notify": []}, ("notify",), []),
        ({"owner": ""}, ("owner",), ""),
        ({"retry": {"max": 0}}, ("tasks", "main", "retry", "max"), 0),
    ],
)
def test_its_own_word_counts_also_where_that_would_hold_anyway(
    says: dict[str, Any], place: tuple[str, ...], value: object
) -> None:
    found: Any = job({"run": "x", **says})
    for part in place:
        found = found.get(part)
    assert found == value
    words: Any = brief(canonical(parsed({"run": "x", **says})), FORMAT)
    for part in place:
        words = words[part]
    assert words == value, "and it is told again as its own"


def test_a_task_gets_what_its_kind_of_work_reads() -> None:
    found = job({"tasks": {"wait": {"sleep": "1s"}, "go": {"run": "x", "secrets": ["TEAM"]}}})
    assert "timeout" not in found["tasks"]["wait"]
    assert found["tasks"]["go"]["env"] == {"TZ": "UTC"}, "a secret of that name is given already"


def test_a_namespace_that_gives_nothing_leaves_no_trace() -> None:
    plain = {"job": "j", "namespace": "finance", "run": "x"}
    assert canonical(parse_job(plain, defaults=lambda name: None)) == canonical(parse_job(plain))
    assert canonical(parse_job(plain, defaults=lambda name: Given(9, {}))) == canonical(parse_job(plain))


def test_what_was_read_can_be_sent_back_and_what_was_changed_in_it_is_its_own() -> None:
    document = {"run": "x", "policies": {"overlap": "skip"}, "timeout": None, "retry": {"max": 0}}
    found = job(document)
    assert job({**found}) == found
    assert found["defaults"]["off"] == ["/tasks/main/timeout"]
    found = job({"run": "x"})
    changed = {**found, "policies": {**found["policies"], "overlap": "allow"}}
    again = job(changed)
    assert again["policies"]["overlap"] == "allow"
    assert "/policies/overlap" in again["defaults"]["own"]
    assert "/tasks/main/timeout" in again["defaults"]["taken"]


def test_other_defaults_reach_what_it_took_and_nothing_of_its_own() -> None:
    spec = canonical(parsed({"run": "x", "timeout": "5m", "on": {"pool": "web"}}))
    other = {"timeout": "1h", "retry": {"max": 9}, "on": {"pool": "gpu", "labels": {"arch": "arm"}}}
    now = whole(canonical(resolved_anew(spec, given(other, 8), FORMAT)))
    task = now["tasks"]["main"]
    assert (task["timeout"], task["retry"]["max"], task["env"]) == ("5m", 9, {})
    assert task["on"] == {"pool": "web", "labels": {"arch": "arm"}}
    assert now["policies"]["overlap"] == "skip"
    none = resolved_anew(canonical(parsed({"run": "x"})), Given(9, {}), FORMAT)
    assert canonical(none) == canonical(parse_job({"job": "j", "namespace": "finance", "run": "x"}))


def test_one_of_before_there_were_any_takes_them_where_it_says_what_holds_anyway() -> None:
    spec = canonical(parse_job({"job": "j", "namespace": "finance", "run": "x", "timeout": "5m"}))
    now = whole(canonical(resolved_anew(spec, given(DEFAULTS), FORMAT)))
    assert (now["policies"]["overlap"], now["tasks"]["main"]["timeout"]) == ("queue_one", "5m")


def test_what_is_wrong_by_a_default_says_whose_it_is() -> None:
    with pytest.raises(JobError) as caught:
        parsed({"run": "x", "policies": {"idempotent": False}}, {"policies": RETRIES})
    (problem,) = caught.value.problems
    assert problem.pointer == "/policies"
    assert problem.hint.endswith("the defaults of namespace finance say so: the job may say otherwise")


RETRIES = {"on_lost": "retry", "idempotent": True}
WORDS = st.fixed_dictionaries(
    {},
    optional={
        "timeout": st.sampled_from([None, "5m", "1h"]),
        "env": st.dictionaries(st.sampled_from(["A", "TEAM"]), st.sampled_from(["", "x"])),
        "retry": st.sampled_from([{"max": 0}, {"max": 2, "backoff": "constant"}]),
        "on": st.sampled_from([{}, {"pool": "default"}, {"labels": {"os": "bsd"}}]),
        "grace": st.sampled_from(["5s", "9s"]),
    },
)
OF_JOBS = st.fixed_dictionaries(
    {},
    optional={
        "policies": st.sampled_from([{}, {"overlap": "skip"}, {"priority": 9, "catchup": {"max": 100}}]),
        "owner": st.sampled_from(["", "ann"]),
        "labels": st.sampled_from([{}, {"team": "x"}]),
    },
)


def without_nulls(shape: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shape.items() if value is not None}


@settings(max_examples=120, deadline=None)
@drawn(task=WORDS, own=OF_JOBS, first=st.tuples(WORDS, OF_JOBS), second=st.tuples(WORDS, OF_JOBS))
def test_following_is_the_same_as_being_put_anew(
    task: dict[str, Any], own: dict[str, Any], first: tuple[Any, Any], second: tuple[Any, Any]
) -> None:
    """Of a job that was put where there were defaults: whatever these were, and whatever they are then."""
    before = without_nulls({**first[0], **first[1]})
    after = without_nulls({**second[0], **second[1]})
    document = {"run": "x", **own, **task}
    spec = canonical(parsed(document, before))
    followed = resolved_anew(spec, given(after, 8), FORMAT)
    words = brief(spec, FORMAT)
    assert without(parsed(words, after)) == without(followed)
    back = resolved_anew(canonical(followed), given(before, 9), FORMAT)
    assert without(back) == without(parsed(words, before))


def without(found: Any) -> dict[str, Any]:
    shape: dict[str, Any] = json.loads(canonical(found))
    shape.pop("defaults", None)
    return shape
