"""Objects that jobs refer to: put and deleted together with jobs, all or none; runs keep the vars they began
with."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.machine.rules.references import TOLD_MAX
from scheduler.model import parse_job, prepare
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import refs
from scheduler.store.tables.refs import Named
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code, Outcome
from tests.scheduler.story import Story, job

DSN = Named("vars", "default", "dsn")


def values(name: str = "dsn", **given: Any) -> dict[str, Any]:
    return {"vars": name, "values": given or {"host": "db1"}}


def told(outcome: Outcome, part: str) -> list[tuple[str, int, bool]]:
    assert outcome.ok, outcome
    assert outcome.value is not None
    rows: list[Any] = outcome.value[part]  # type: ignore[assignment]  # plain msgpack data
    return [(row["name"], row["revision"], row.get("changed", True)) for row in rows]


def pinned(story: Story, run: int) -> list[tuple[Any, ...]]:
    return story.store.rows("SELECT name, revision FROM run_vars WHERE run = ? ORDER BY place", (run,))


def test_revisions_go_on_through_deletion_and_an_unchanged_spec_makes_none(story: Story) -> None:
    assert told(story.apply(values()), "objects") == [("dsn", 1, True)]
    assert story.told(e.ObjectPut) == [e.ObjectPut(*DSN, 1, True)]
    assert told(story.apply(values()), "objects") == [("dsn", 1, False)]
    assert story.events == []
    assert told(story.apply(values(host="db2")), "objects") == [("dsn", 2, True)]
    assert told(story.apply(gone=[DSN]), "deleted") == [("dsn", 3, True)]
    assert story.told(e.ObjectDeleted) == [e.ObjectDeleted(*DSN)]
    assert told(story.apply(values()), "objects") == [("dsn", 4, True)]
    kept = story.store.rows("SELECT revision, deleted FROM object_revisions ORDER BY revision")
    assert kept == [(1, 0), (2, 0), (3, 1), (4, 0)]


@pytest.mark.parametrize(
    ("stored", "expected", "code"),
    [
        (0, 1, Code.NOT_FOUND),
        (1, 0, Code.EXISTS),
        (1, 2, Code.REVISION_MISMATCH),
        (0, 0, Code.OK),
        (1, 1, Code.OK),
    ],
)
def test_a_change_may_name_the_revision_that_it_changes(
    story: Story, stored: int, expected: int, code: Code
) -> None:
    if stored:
        story.apply(values())
    new = prepare_document(parse_document(values(host="new")), story.now_ms, expected)
    assert isinstance(new, c.PreparedObject)
    assert story.one(c.Apply((new,), (), (), story.now_ms)).code == code
    if code is Code.REVISION_MISMATCH:
        gone = (c.Deletion(*DSN, expected),)
        assert story.one(c.Apply((), (), gone, story.now_ms)).code == code


def test_all_or_none(story: Story) -> None:
    story.apply(values())
    before = story.store.rows("SELECT * FROM object_revisions"), story.store.rows("SELECT * FROM revisions")
    refusals = [
        story.apply(values("new"), job("a", vars=["none"])),
        story.apply(values("new"), gone=[("vars", "default", "none")]),
        story.apply(values("new"), values("new")),
        story.apply(values("new"), job("a", trigger={"at": "2001-01-01T00:00:00Z"})),
        story.apply(values("new"), gone=[("vars", "default", "new")]),
    ]
    assert [refusal.code for refusal in refusals] == ["missing", "not_found", "invalid", "past", "invalid"]
    after = story.store.rows("SELECT * FROM object_revisions"), story.store.rows("SELECT * FROM revisions")
    assert after == before


def test_things_of_one_apply_may_refer_to_each_other(story: Story) -> None:
    assert story.apply(job("a", vars=["dsn", "other/x"]), values(), {**values("x"), "namespace": "other"}).ok
    assert refs.of(story.store, Named("job", "default", "a")) == [DSN, Named("vars", "other", "x")]
    assert refs.to(story.store, DSN, 10) == [Named("job", "default", "a")]


def test_what_is_referred_to_stays_until_nothing_refers_to_it(story: Story) -> None:
    names = [f"j{number:02}" for number in range(TOLD_MAX + 5)]
    story.apply(values(), *(job(name, vars=["dsn"]) for name in names))
    refusal = story.apply(gone=[DSN])
    assert refusal.code == "referred"
    assert refusal.value is not None
    assert len(refusal.value["referrers"]) == TOLD_MAX  # type: ignore[arg-type]  # plain msgpack data
    assert refusal.value["more"] == 5
    assert "job default/j00, " in refusal.detail
    assert refusal.detail.endswith(" and 5 more")
    # An edit that drops the reference, and a deletion, beside it.
    gone = [DSN, *(("job", "default", name) for name in names[1:])]
    assert story.apply(job("j00"), gone=gone).ok
    assert story.store.rows("SELECT * FROM refs") == []


def test_put_jobs_judges_references_too(story: Story) -> None:
    new = prepare(parse_job(job("a", vars=["dsn"])), story.now_ms)
    refusal = story.one(c.PutJobs((new,), story.now_ms))
    assert refusal.code == "missing"
    assert refusal.detail == "job default/a refers to vars default/dsn, which does not exist"
    story.apply(values())
    story.put(job("a", vars=["dsn"]))
    assert story.apply(gone=[DSN]).code == "referred"
    story.tell_ok(c.DeleteJob("default", "a"))
    assert story.apply(gone=[DSN]).ok


def test_the_secret_of_a_hook_has_to_be_there(story: Story) -> None:
    hook = {"hook": "deploys", "secret": "deploy-key", "scheme": "github"}
    refusal = story.apply(hook)
    assert refusal.code == "missing"
    assert refusal.detail == "hook default/deploys refers to secret default/deploy-key, which does not exist"
    story.tell_ok(c.PutSecret("default", "deploy-key", 1, "k", b"sealed"))
    assert story.apply(hook).ok
    assert story.one(c.DeleteSecret("default", "deploy-key")).code == "referred"


def test_a_key_that_is_used_again_does_nothing(story: Story) -> None:
    first = story.apply(values(), key="k", body=b"1")
    story.apply(values(host="other"))
    assert story.apply(values(), key="k", body=b"1") == first
    found = object_rows.find(story.store, *DSN)
    assert found is not None
    assert found.revision == 2


def test_a_run_keeps_the_vars_that_it_began_with(story: Story) -> None:
    story.apply(values(), values("base", a=1), job("a", vars=["base", "dsn"]))
    first = story.value(c.RunJob("default", "a", b"{}", story.now_ms), "run")
    story.apply(values(host="db2"))
    second = story.value(c.RunJob("default", "a", b"{}", story.now_ms), "run")
    story.put(job("a"))
    third = story.value(c.RunJob("default", "a", b"{}", story.now_ms), "run")
    assert pinned(story, first) == [("base", 1), ("dsn", 1)]
    assert pinned(story, second) == [("base", 1), ("dsn", 2)]
    assert pinned(story, third) == []


def test_what_a_run_was_given_goes_with_it(story: Story) -> None:
    story.apply(values(), job("a", vars=["dsn"], policies={"retention": {"runs": 1}}))
    for _ in range(3):
        run = story.value(c.RunJob("default", "a", b"{}", story.now_ms), "run")
        story.tell_ok(c.CancelRun(run))
    (job_id,) = story.store.rows("SELECT id FROM jobs")[0]
    story.tell_ok(c.Purge(story.epoch, job_id, run - 1, 10))
    assert story.store.rows("SELECT DISTINCT run FROM run_vars") == [(run,)]


# -- against a dict -------------------------------------------------------------------------------


class Change(NamedTuple):
    """One act: what is put, with to what it refers, and what goes."""

    puts: dict[tuple[str, str], tuple[int, tuple[str, ...]]]
    gone: tuple[tuple[str, str], ...]


NAMES = [("vars", "a"), ("vars", "b"), ("schedule", "s"), ("schedule", "t"), ("job", "j"), ("job", "k")]
TARGETS = {"vars": [], "schedule": ["schedule t"], "job": ["vars a", "vars b"]}


def targets(kind: str, name: str) -> st.SearchStrategy[tuple[str, ...]]:
    most = {"vars": 0, "schedule": 1, "job": 2}[kind]
    others = [target for target in TARGETS[kind] if name != "t"]
    if not others:
        return st.just(())
    found = st.lists(st.sampled_from(others), unique=True, max_size=most)
    return found.map(lambda chosen: tuple(sorted(chosen)))


PUTS = st.fixed_dictionaries(
    {}, optional={key: st.tuples(st.integers(0, 2), targets(*key)) for key in NAMES}
)
CHANGES = st.lists(
    st.builds(Change, PUTS, st.lists(st.sampled_from(NAMES), unique=True, max_size=2).map(tuple)), max_size=12
)


def document(kind: str, name: str, value: int, refers: tuple[str, ...]) -> dict[str, Any]:
    named = [target.split()[1] for target in refers]
    if kind == "vars":
        return values(name, n=value)
    if kind == "job":
        return job(name, description=str(value), **({"vars": named} if named else {}))
    time = {"from": "2027-01-01T00:00:00Z", "until": "2027-02-01T00:00:00Z"}
    said = {"substitute": named[0], "valid": time} if named else {}
    return {"schedule": name, "triggers": [{"every": f"{value + 1}h"}], **said}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES)
def test_applies_are_those_of_a_dictionary(changes: list[Change]) -> None:
    """All or none of each change, by the plainest rules; and the rows say the same."""
    model: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}
    revisions: dict[tuple[str, str], int] = {}
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder) / "state.db")
        story.lead()
        for change in changes:
            outcome = story.apply(
                *(document(*key, *put) for key, put in change.puts.items()),
                gone=[(kind, "default", name) for kind, name in change.gone],
            )
            after = {key: kept for key, kept in {**model, **change.puts}.items() if key not in change.gone}
            whole = all(tuple(target.split()) in after for _, refers in after.values() for target in refers)
            fits = not set(change.puts) & set(change.gone) and all(key in model for key in change.gone)
            assert outcome.ok == (whole and fits), outcome
            if outcome.ok:
                changed = [key for key in change.puts if model.get(key) != change.puts[key]]
                for key in (*changed, *change.gone):
                    revisions[key] = revisions.get(key, 0) + 1
                model = after
            check(story, model, revisions)
        story.close()


def check(story: Story, model: dict[Any, Any], revisions: dict[Any, int]) -> None:
    stored = story.store.rows(
        "SELECT kind, name, revision FROM objects UNION ALL SELECT 'job', name, revision FROM jobs"
    )
    assert {row[:2]: row[2] for row in stored} == {key: revisions[key] for key in model}
    found = story.store.rows("SELECT kind, name, to_kind || ' ' || to_name FROM refs")
    assert sorted(found) == sorted((*key, target) for key, (_, refers) in model.items() for target in refers)
