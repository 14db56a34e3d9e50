"""Jobs that extend a template: stored as what they came to, and revised when the template is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.model import JobError, canonical, parse_job
from scheduler.model.brief import brief
from scheduler.model.objects.parsing import Definition, parse_document
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import left_behind, template_changes
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.story import Story

GIVES: dict[str, Any] = {"policies": {"timeout": "1h"}, "retry": {"max": 3}, "run": "./report"}


def template(name: str = "base", **gives: Any) -> dict[str, Any]:
    return {"template": name, "gives": {**GIVES, **gives}}


def extending(name: str, **fields: Any) -> dict[str, Any]:
    return {"job": name, "extends": "base", **fields}


def spec(story: Story, name: str) -> dict[str, Any]:
    row = job_rows.find(story.store, "default", name)
    assert row is not None
    found: dict[str, Any] = json.loads(row.spec)
    return found


def ok(story: Story, *documents: dict[str, Any], **fields: Any) -> None:
    outcome = story.apply(*documents, **fields)
    assert outcome.ok, outcome


def test_a_job_has_what_its_template_gives_and_says_what_it_took(story: Story) -> None:
    ok(story, template(), extending("a", policies={"priority": 7}), extending("b", retry={"max": 1}))
    a, b = spec(story, "a"), spec(story, "b")
    assert (a["policies"], a["tasks"]["main"]["run"]) == ({"priority": 7, "timeout": "1h"}, "./report")
    assert a["inherited"]["taken"] == ["/policies/timeout", "/tasks/main/retry/max", "/tasks/main/run"]
    assert b["tasks"]["main"]["retry"] == {"max": 1}
    assert b["inherited"]["own"] == ["/tasks/main/retry/max"]


def test_an_edit_revises_all_that_extend_it_but_for_their_own_words(story: Story) -> None:
    story.connect()
    ok(story, template(), *(extending(f"j{n:02}") for n in range(45)), extending("own", retry={"max": 1}))
    ok(story, template(retry={"max": 9}, run="./other"))
    story.settle()
    assert template_changes.first(story.store) is None
    assert {spec(story, f"j{n:02}")["tasks"]["main"]["retry"]["max"] for n in range(45)} == {9}
    own = spec(story, "own")["tasks"]["main"]
    assert (own["run"], own["retry"]["max"]) == ("./other", 1)
    assert story.job("j00").revision == 2
    ok(story, {**template(retry={"max": 9}, run="./other"), "description": "said otherwise"})
    story.settle()
    assert story.job("j00").revision == 2


def test_a_job_that_was_sent_under_another_template_follows_it(story: Story) -> None:
    story.connect()
    ok(story, template())
    late = parse_document(extending("late"), templates=lambda *_: {**GIVES, "run": "./old"})
    from scheduler.model.objects.parsing import prepare_document

    prepared = prepare_document(late, story.now_ms)
    assert isinstance(prepared, c.PreparedJob)
    assert story.one(c.PutJobs((prepared,), story.now_ms)).ok
    assert spec(story, "late")["tasks"]["main"]["run"] == "./old"
    story.settle()
    assert spec(story, "late")["tasks"]["main"]["run"] == "./report"


def test_a_change_of_leaders_in_the_middle_goes_on(story: Story) -> None:
    story.connect()
    ok(story, template(), *(extending(f"j{n:02}") for n in range(45)))
    ok(story, template(run="./other"))
    story.plan_and_apply()
    assert template_changes.first(story.store) is not None
    story.reopen()
    story.lead()
    story.settle()
    assert {spec(story, f"j{n:02}")["tasks"]["main"]["run"] for n in range(45)} == {"./other"}


@pytest.mark.parametrize(
    "gives",
    [
        {"vars": ["nope"]},
        {"triggers": {"after": "a.succeeded"}},
        {"triggers": [{"every": "100ms", "id": f"t{n}"} for n in range(11)]},
        {"tasks": {"main": {"job": {"name": "a"}}}},
        {"secrets": ["nope"]},
    ],
)
def test_a_job_does_not_come_to_what_nobody_could_put(story: Story, gives: dict[str, Any]) -> None:
    story.connect()
    ok(story, template(), extending("a"))
    ok(story, {"template": "base", "gives": {**gives, **({} if "tasks" in gives else {"run": "./never"})}})
    story.settle()
    assert template_changes.first(story.store) is None
    assert story.job("a").revision == 1
    (told,) = left_behind.of_jobs(story.store, [story.job("a").id]).values()
    assert (told.revision, told.template, told.at_ms) == (1, "default/base", story.now_ms)
    assert told.why
    assert [each.reason for each in story.events if isinstance(each, e.JobLeftBehind)] == [told.why]
    ok(story, template(run="./other"))
    story.settle()
    assert spec(story, "a")["tasks"]["main"]["run"] == "./other"
    assert left_behind.of_jobs(story.store, [story.job("a").id]) == {}


def test_whatever_is_put_or_deleted_is_not_left_behind_any_more(story: Story) -> None:
    story.connect()
    ok(story, template(), extending("a"))
    ok(story, {"template": "base", "gives": {"run": "./never", "vars": ["nope"]}})
    story.settle()
    number = story.job("a").id
    assert list(left_behind.of_jobs(story.store, [number])) == [(number, 1)]
    ok(story, {"job": "a", "run": "./mine"})
    assert story.job("a").revision == 2  # of which nothing is told
    story.tell_ok(c.DeleteJob("default", "a"))
    assert left_behind.of_jobs(story.store, [number]) == {}


def test_what_was_read_without_its_template_is_no_job_that_keeps_it() -> None:
    read = {"job": "a", "run": "./report", "inherited": {"taken": ["/tasks/main/run"], "own": [], "off": []}}
    with pytest.raises(JobError) as refused:
        parse_job(read)
    (problem,) = refused.value.problems
    assert (problem.pointer, "take `inherited` out" in problem.hint) == ("/extends", True)
    kept = parse_job({**read, "inherited": None})
    assert json.loads(canonical(kept))["tasks"]["main"]["run"] == "./report"


def test_jobs_that_follow_ask_for_no_more_ticks_than_a_namespace_may(story: Story) -> None:
    story.connect()
    ok(story, template(), *(extending(f"j{n:03}") for n in range(210)))
    ok(story, template(triggers=[{"every": "100ms"}]))
    story.plan_and_apply()
    while template_changes.first(story.store) is not None:
        story.plan_and_apply()
    assert sum(bool(spec(story, f"j{n:03}").get("triggers")) for n in range(210)) == 200


def test_a_template_names_the_zones_that_its_jobs_will(story: Story) -> None:
    gives = {
        "triggers": [{"cron": "0 2 * * *", "tz": "Europe/Berlin"}],
        "policies": {"admission": {"windows": ["20:00-06:00"], "tz": "Asia/Tokyo"}},
        "expect": {"start_by": "03:00"},
    }
    found = parse_document({"template": "t", "gives": gives})
    assert isinstance(found, Definition)
    assert found.zones == ["Europe/Berlin", "Asia/Tokyo", "UTC"]


def test_what_is_extended_stays(story: Story) -> None:
    ok(story, template(), extending("a"), extending("b"))
    outcome = story.apply(gone=[("template", "default", "base")])
    assert (outcome.code, "job default/a, job default/b" in outcome.detail) == (Code.REFERRED, True)
    ok(story, gone=[("template", "default", "base"), ("job", "default", "a"), ("job", "default", "b")])


def test_a_stale_step_changes_nothing(story: Story) -> None:
    ok(story, template(), extending("a"))
    ok(story, template(run="./other"))
    (step,) = [each for each in story.plan() if isinstance(each, c.FollowTemplate)]
    ok(story, template(run="./third"))
    assert story.one(step).code == Code.SUPERSEDED
    story.settle()
    assert spec(story, "a")["tasks"]["main"]["run"] == "./third"


def test_its_own_words_are_told_and_what_was_read_is_taken_back(story: Story) -> None:
    words = extending("a", retry={"max": 1}, policies={"priority": 7})
    first = canonical(parse_job(words, templates=lambda *_: GIVES))
    told = brief(first, 1)
    assert told["extends"] == "base"
    assert told["tasks"] == {"main": {"retry": {"max": 1}}}
    again = canonical(parse_job(json.loads(first), templates=lambda *_: GIVES))
    assert again == first


def test_a_task_of_other_work_takes_no_work(story: Story) -> None:
    found = parse_job(extending("a", exec=["x"]), templates=lambda *_: GIVES).public()["tasks"]["main"]
    assert (found["exec"], "run" in found, found["retry"]["max"]) == (["x"], False, 3)


def test_what_a_template_without_work_says_of_tasks_holds_for_each(story: Story) -> None:
    gives: dict[str, Any] = {"retry": {"max": 3}, "timeout": "5m"}
    tasks = {"a": {"run": "x"}, "b": {"run": "y", "retry": {"max": 1}}, "nap": {"sleep": "1s"}}
    job = parse_job(extending("x", tasks=tasks), templates=lambda *_: gives)
    found = job.public()["tasks"]
    assert [found[name].get("retry", {}).get("max") for name in tasks] == [3, 1, None]
    other = {**gives, "timeout": "9m"}
    again = parse_job(job.public(), templates=lambda *_: other).public()["tasks"]
    assert [again[name].get("timeout") for name in tasks][:2] == ["5m", "5m"], "it says so by now"
    assert brief(canonical(job), 1)["tasks"] == tasks


def test_a_single_trigger_is_one_and_nothing_gives_nothing(story: Story) -> None:
    gives = {"triggers": {"every": "1h"}, "description": None, "labels": None, "run": "x", "tasks": None}
    ok(story, {"template": "base", "gives": gives}, extending("a"), extending("b", triggers=[]))
    assert [each["every"] for each in spec(story, "a")["triggers"]] == ["1h"]
    assert "triggers" not in spec(story, "b")


def test_tasks_of_a_template_are_filled_one_by_one(story: Story) -> None:
    gives = {"tasks": {"a": {"run": "./a"}, "b": {"run": "./b", "needs": ["a"]}}}
    found = parse_job(
        extending("x", tasks={"b": {"timeout": "1m"}, "c": {"noop": True, "needs": ["b"]}}),
        templates=lambda *_: gives,
    )
    assert {name: (task.kind.name, task.needs) for name, task in found.tasks.items()} == {
        "a": ("run", ()), "b": ("run", ("a",)), "c": ("noop", ("b",)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (extending("a", extends="none"), "/extends: there is no template default/none"),
        (extending("a", extends=7), "/extends"),
        (template(retry={"maxx": 1}), "/gives/retry/maxx: unknown field 'maxx' (did you mean max?)"),
        (template(job="x"), "/gives/job: job is a job's own"),
        (template(extends="other"), "/gives/extends: extends is a job's own"),
        ({"template": "t", "gives": {}}, "/gives: gives is empty"),
        ({"template": "t", "gives": {"policies": {"timeout": "1x"}}}, "/gives/policies/timeout"),
    ],
)
def test_mistakes_are_told_with_their_place(document: dict[str, Any], said: str) -> None:
    with pytest.raises(JobError) as caught:
        parse_document(document, templates=lambda _, name: GIVES if name == "base" else None)
    assert said in str(caught.value)


def test_a_job_with_template_true_is_one() -> None:
    found = parse_document({"job": "base", "namespace": "n", "template": True, **GIVES}).public()
    assert (found["template"], found["namespace"], found["gives"]) == ("base", "n", GIVES)


def test_a_job_that_says_it_is_no_template_is_none() -> None:
    assert parse_job({"job": "a", "template": False, "run": "x"}).public() == parse_job(
        {"job": "a", "run": "x"}
    ).public()
    with pytest.raises(JobError, match="a template is no job"):
        parse_job({"job": "a", "template": "b", "run": "x"})


def test_without_the_cluster_the_rest_of_a_job_is_judged() -> None:
    assert parse_job(extending("a")).name == "a"
    with pytest.raises(JobError, match="unknown field"):
        parse_job(extending("a", retr={"max": 1}))


def test_defaults_of_the_namespace_are_under_those_of_a_template(story: Story) -> None:
    from scheduler.model.given import Given

    given = Given(1, {"policies": {"timeout": "9h", "priority": 9}})
    job_ = parse_job(extending("a"), defaults=lambda _: given, templates=lambda *_: GIVES)
    found = job_.public()
    assert (found["policies"]["timeout"], found["policies"]["priority"]) == ("1h", 9)
    assert brief(canonical(job_), 1) == {"job": "a", "extends": "base"}
