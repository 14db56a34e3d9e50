"""Secrets in the state: versions, keys, grants, and the jobs that name them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.machine.secrets import SEALED_BYTES_MAX, SECRETS_MAX
from scheduler.model import parse_job, prepare
from scheduler.store.reads import secrets as secret_reads
from scheduler.store.tables import secrets
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code, Outcome
from tests.scheduler.story import Story, job

ANN = c.Actor("ann", "10.0.0.7")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    found = Story(tmp_path / "state.db")
    found.lead()
    yield found
    found.close()


def put(story: Story, name: str = "PASSWORD", *grants: str, version: int = 1, key: str = "k1") -> Outcome:
    return story.one(c.PutSecret("default", name, version, key, b"sealed", grants, ANN))


def using(story: Story, *names: str, job_name: str = "j", namespace: str = "default") -> Outcome:
    document = job(job_name, namespace=namespace, tasks={"t": {"run": "x", "secrets": list(names)}})
    return story.one(c.PutJobs((prepare(parse_job(document), story.now_ms),), story.now_ms))


def test_versions_follow_each_other(story: Story) -> None:
    assert put(story).value == {"version": 1, "created": True}
    assert story.events == [e.SecretChanged("default", "PASSWORD", 1, "ann")]
    assert put(story, version=2).value == {"version": 2, "created": False}
    again = put(story, version=2)
    assert (again.code, again.value) == (Code.REVISION_MISMATCH, {"revision": 2})


def test_a_node_with_another_key_is_told_so(story: Story) -> None:
    put(story)
    wrong = put(story, "OTHER", key="k2")
    assert wrong.code == Code.CONFLICT
    assert "k2" in wrong.detail
    assert "k1" in wrong.detail
    story.tell_ok(c.ResealSecrets("k2", ()))
    assert put(story, "OTHER", key="k2").ok


def test_what_changed_meanwhile_is_not_encrypted_anew(story: Story) -> None:
    put(story, "A")
    put(story, "B")
    put(story, "B", version=2)
    story.tell_ok(
        c.ResealSecrets("k2", (c.Resealed("default", "A", 1, b"new"), c.Resealed("default", "B", 1, b"old")))
    )
    assert secret_reads.keys(story.store) == ["k1", "k2"]
    left = secret_reads.of_other_keys(story.store, "k2", 10)
    assert [(row.name, row.version, row.sealed) for row in left] == [("B", 2, b"sealed")]


def test_grants_are_patterns_added_and_taken_away(story: Story) -> None:
    put(story, "PASSWORD", "b", "a")
    put(story, "PASSWORD", "c", version=2)
    story.tell_ok(c.GrantSecret("default", "PASSWORD", ("web/*",), ("a", "unknown"), c.Actor("bob")))
    row = secrets.find(story.store, "default", "PASSWORD")
    assert row is not None
    assert (row.patterns, row.actor) == (["b", "c", "web/*"], "bob")
    story.tell_ok(c.GrantSecret("default", "PASSWORD", ("b",), (), ANN))
    assert story.events == []


@pytest.mark.parametrize("grants", [("[a]",), tuple(f"j{i}" for i in range(101))])
def test_wrong_grants_change_nothing(story: Story, grants: tuple[str, ...]) -> None:
    assert not put(story, "PASSWORD", *grants).ok
    put(story)
    assert not story.one(c.GrantSecret("default", "PASSWORD", grants, ())).ok
    row = secrets.find(story.store, "default", "PASSWORD")
    assert row is not None
    assert row.patterns == []


def test_limits(story: Story) -> None:
    large = c.PutSecret("default", "A", 1, "k", bytes(SEALED_BYTES_MAX + 1))
    assert story.one(large).code == Code.INVALID
    assert (
        story.one(c.ResealSecrets("k", (c.Resealed("default", "A", 1, large.sealed),))).code == Code.INVALID
    )
    story.tell(*[c.PutSecret("default", f"S{i}", 1, "k", b"s") for i in range(SECRETS_MAX)])
    assert story.one(c.PutSecret("default", "S", 1, "k", b"s")).code == Code.LIMIT
    assert story.one(c.PutSecret("other", "S", 1, "k", b"s")).ok


def test_a_job_that_names_what_is_not_there_is_refused_with_the_near_miss(story: Story) -> None:
    put(story, "DB_PASSWORD", "*")
    outcome = using(story, "DB_PASWORD")
    assert outcome.code == Code.INVALID
    assert "task t: there is no secret default/DB_PASWORD; did you mean DB_PASSWORD?" in outcome.detail
    assert using(story, "DB_PASSWORD").ok


def test_a_job_that_is_not_granted_it_is_refused_with_the_command_that_helps(story: Story) -> None:
    put(story, "PASSWORD", "other")
    outcome = using(story, "PASSWORD")
    assert outcome.code == Code.INVALID
    assert "cronclave secret grant PASSWORD --namespace default --job j" in outcome.detail
    foreign = [using(story, f"default/{name}", namespace="web").detail for name in ("PASSWORD", "PASSWORT")]
    assert "--job web/j" in foreign[0]
    assert foreign[0].replace("PASSWORD", "PASSWORT") == foreign[1], "names are told to nobody elsewhere"
    story.tell_ok(c.GrantSecret("default", "PASSWORD", ("j", "web/*"), ()))
    assert using(story, "PASSWORD").ok
    assert using(story, "default/PASSWORD", namespace="web").ok


def test_of_several_jobs_none_is_put_when_one_may_not(story: Story) -> None:
    good, bad = job("good"), job("bad", tasks={"t": {"run": "x", "secrets": ["NONE"]}})
    prepared = tuple(prepare(parse_job(document), story.now_ms) for document in (good, bad))
    assert story.one(c.PutJobs(prepared, story.now_ms)).code == Code.INVALID
    assert story.store.value("SELECT count(*) FROM jobs") == 0


def test_what_is_not_there_is_neither_granted_nor_deleted(story: Story) -> None:
    put(story, "PASSWORD")
    for command in (c.GrantSecret("default", "PASSWRD", (), ()), c.DeleteSecret("default", "PASSWRD")):
        outcome = story.one(command)
        assert outcome.code == Code.NOT_FOUND
        assert "did you mean PASSWORD?" in outcome.detail
    story.tell_ok(c.DeleteSecret("default", "PASSWORD", ANN))
    assert story.events == [e.SecretDeleted("default", "PASSWORD", "ann")]


def test_what_a_job_names_is_not_deleted(story: Story) -> None:
    put(story, "PASSWORD", "*")
    assert using(story, "PASSWORD").ok
    outcome = story.one(c.DeleteSecret("default", "PASSWORD", ANN))
    assert outcome.code == Code.REFERRED
    assert "secret default/PASSWORD is referred to by job default/j" in outcome.detail
    story.tell_ok(c.DeleteJob("default", "j"))
    story.tell_ok(c.DeleteSecret("default", "PASSWORD", ANN))
