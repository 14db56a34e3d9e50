"""Namespaces that were declared: their revisions, how many jobs they may have, and in which pools."""

from __future__ import annotations

from random import Random

import pytest

from scheduler.model import parse_job, prepare
from scheduler.model.compiled import compile_job
from scheduler.model.given import Given
from scheduler.store.tables import namespaces
from scheduler.words import commands as c
from scheduler.words.outcomes import Outcome
from tests.scheduler.story import START_MS, Story

FINANCE = b'{"namespace":"finance"}'


def put(**more: object) -> c.PutNamespace:
    return c.PutNamespace("finance", **{"spec": FINANCE, **more})  # type: ignore[arg-type]


def job(name: str, pool: str = "etl", namespace: str = "finance") -> c.PutJobs:
    document = {"job": name, "namespace": namespace, "run": "true", "on": {"pool": pool}}
    return c.PutJobs((prepare(parse_job(document), START_MS),), START_MS)


def test_it_has_revisions_that_go_on_through_its_end(story: Story) -> None:
    assert story.value(put(), "revision") == 1
    assert story.value(put(), "changed") is False
    assert story.value(put(spec=b"{}"), "revision") == 2
    assert story.one(put(if_revision=0)).code == "exists"
    assert story.one(put(if_revision=1)).code == "revision_mismatch"
    assert story.one(c.DeleteNamespace("finance", 1)).code == "revision_mismatch"
    assert story.value(c.DeleteNamespace("finance", 2), "revision") == 3
    assert story.one(c.DeleteNamespace("finance")).code == "not_found"
    assert story.value(put(), "revision") == 4
    assert namespaces.allowance(story.store, "web") is None


def test_what_has_jobs_stays_and_says_how_many(story: Story) -> None:
    story.tell_ok(put(), job("a"), job("b"))
    refusal = story.one(c.DeleteNamespace("finance"))
    assert (refusal.code, refusal.detail) == ("referred", "namespace finance has 2 jobs")
    story.tell_ok(c.DeleteJob("finance", "a"), c.DeleteJob("finance", "b"), c.DeleteNamespace("finance"))


def test_more_jobs_than_its_quota_are_refused_and_edits_are_not(story: Story) -> None:
    story.tell_ok(job("a"), job("b"), put(jobs_max=1), job("a", "web"))
    refusal = story.one(job("c"))
    assert (refusal.code, refusal.detail) == ("quota", "namespace finance would have 3 jobs; its quota is 1")
    story.tell_ok(job("c", namespace="web"), c.DeleteJob("finance", "a"))
    assert story.one(job("c")).code == "quota"
    story.tell_ok(c.DeleteJob("finance", "b"), job("c"), put(jobs_max=None), job("d"))


def test_what_is_deleted_in_the_same_act_makes_room_and_no_more(story: Story) -> None:
    story.tell_ok(job("a"), put(jobs_max=1))

    def renamed(*names: str) -> Outcome:
        documents = ({"job": name, "namespace": "finance", "noop": True} for name in names)
        return story.apply(*documents, gone=[("job", "finance", "a")])

    assert (renamed("b", "c").code, namespaces.jobs(story.store, "finance")) == ("quota", 1)
    assert renamed("b").ok
    assert story.store.rows("SELECT name FROM jobs") == [("b",)]


@pytest.mark.parametrize(
    ("pool", "hint"),
    [("elt", "did you mean etl?"), ("spark", "name one of etl, web"), ("default", "name one of etl, web")],
)
def test_a_task_for_another_pool_is_refused(story: Story, pool: str, hint: str) -> None:
    story.tell_ok(job("old", "spark"), put(pools=("etl", "web")), job("new"), job("web-one", "web"))
    refusal = story.one(job("bad", pool))
    assert refusal.code == "not_allowed"
    assert refusal.detail == f"task main of finance/bad is for pool {pool}; its namespace may use etl, web"
    assert (refusal.value or {})["hint"] == hint
    assert story.one(job("old", "spark")).ok, "what is there stays, unchanged"
    story.tell_ok(job("bad", pool, namespace="web"), put(pools=()), job("bad", pool))


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ({"run": "true", "run_as": "bacth"}, "runs as bacth", "did you mean batch?"),
        ({"run": "true", "run_as": "root"}, "runs as root", "name one of batch, web"),
        ({"exec": ["true"]}, "names no user that it runs as", "name one of batch, web"),
    ],
)
def test_a_task_that_runs_as_another_user_or_as_nobody_said_is_refused(
    story: Story, words: dict[str, object], said: str, hint: str
) -> None:
    bad = as_user("bad", **words)
    story.tell_ok(put(users=("batch", "web")), as_user("new", run="true", run_as="batch"))
    story.tell_ok(as_user("calm", noop=True), as_user("slow", tasks={"t": {"sleep": "1s"}}))
    refusal = story.one(bad)
    assert refusal.code == "not_allowed"
    assert refusal.detail == f"task main of finance/bad {said}; its namespace may use batch, web"
    told = refusal.value or {}
    assert (told["pointer"], told["hint"]) == ("/tasks/main/run_as", hint)
    story.tell_ok(put(), bad)


def test_what_runs_as_a_user_who_was_withdrawn_waits_and_goes_on_with_him(story: Story) -> None:
    """Placed with the run, from the queue, and where an agent had it assigned already: nothing is started."""
    agent = story.connect("etl-1", pool="etl", kinds=("shell", "shell.run_as"))
    named = as_user("batch", on={"pool": "etl"}, run="true", run_as="batch")
    story.tell_ok(put(users=("batch", "web")), named)
    early = int(story.value(c.RunJob("finance", "batch", b"{}", story.now_ms, agent=agent), "run"))
    (assigned,) = story.attempts(early)
    story.tell_ok(put(users=("web",)))

    refusal = story.one(c.Grant(assigned.id, agent, "s1", "c1"))
    assert (refusal.code, refusal.detail) == ("revoked", "tasks of finance may not run as batch")
    story.tell_ok(c.Revoke(1, assigned.id, "unclaimed"))
    late = int(story.value(c.RunJob("finance", "batch", b"{}", story.now_ms, agent=agent), "run"))
    story.plan_and_apply()
    assert [row.state for row in (*story.attempts(early), *story.attempts(late))] == ["revoked"]

    story.tell_ok(put(users=("batch",)))
    story.plan_and_apply()
    placed = [row.state for run in (early, late) for row in story.attempts(run)]
    assert placed == ["revoked", "assigned", "assigned"]
    assert story.one(c.Grant(story.attempts(late)[0].id, agent, "s1", "c2")).ok


def test_a_job_that_would_follow_to_no_user_stays_as_it_is(story: Story) -> None:
    """Else it would run as the agent's own, root maybe, since somebody took a user back."""
    given = Given.of(1, '{"run_as":"batch"}')
    document = {"job": "close", "namespace": "finance", "run": "true"}
    story.tell_ok(put(users=("batch",), defaults=b'{"run_as":"batch"}'))
    taking = prepare(parse_job(document, defaults=lambda _: given), START_MS, given=given)
    story.tell_ok(c.PutJobs((taking,), START_MS))
    story.tell_ok(put(users=("web",), defaults=b""))
    story.plan_and_apply()

    spec = story.store.value("SELECT spec FROM jobs WHERE name = 'close'")
    assert compile_job(bytes(spec)).tasks[0].user == "batch"
    allowance = namespaces.allowance(story.store, "finance")
    assert allowance is not None
    assert allowance.revised is None, "all were looked at"


def as_user(name: str, **words: object) -> c.PutJobs:
    document = {"job": name, "namespace": "finance", **words}
    return c.PutJobs((prepare(parse_job(document), START_MS),), START_MS)


def test_a_trigger_that_hears_of_another_pool_s_hosts_is_refused(story: Story) -> None:
    story.tell_ok(put(pools=("etl",)))
    document = {"job": "boot", "namespace": "finance", "tasks": {"t": {"sleep": "1s"}}}
    etl, web = (
        prepare(parse_job({**document, "triggers": {"startup": {"pool": pool}}}), START_MS)
        for pool in ("etl", "web")
    )
    story.tell_ok(c.PutJobs((etl,), START_MS))
    refusal = story.one(c.PutJobs((web,), START_MS))
    assert (refusal.code, (refusal.value or {})["pointer"]) == ("not_allowed", "/triggers")
    assert "of finance/boot is for pool web; its namespace may use etl" in refusal.detail


def test_work_in_the_state_needs_no_pool(story: Story) -> None:
    sleeping = parse_job({"job": "z", "namespace": "finance", "tasks": {"t": {"sleep": "1s"}}})
    story.tell_ok(put(pools=("etl",)), c.PutJobs((prepare(sleeping, START_MS),), START_MS))


def test_jobs_are_counted_as_they_are(story: Story) -> None:
    choose = Random(7)
    for _ in range(200):
        name, namespace = choose.choice("abcd"), choose.choice("xy")
        story.tell(job(name, namespace=namespace) if choose.random() < 0.5 else c.DeleteJob(namespace, name))
        counted = story.store.rows("SELECT namespace, count(*) FROM jobs GROUP BY 1 ORDER BY 1")
        told = story.store.rows("SELECT namespace, jobs FROM counts WHERE jobs > 0 ORDER BY namespace")
        assert told == counted
