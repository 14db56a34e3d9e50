"""Applies at once and in stages, edits, deletions, secrets, a quota and runs, against dictionaries.

What the plainest rules refuse is refused and nothing else, references stay whole, each revision stays
readable, and a run keeps what it was given.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scheduler.machine.context import ROOM, ROW
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.store.reads import run_vars
from scheduler.store.tables import stages
from scheduler.words import commands as c
from tests.scheduler.story import Story, job

Key = tuple[str, str]  #: kind and name
SECRETS = ("X", "Y")
NAMES: tuple[Key, ...] = (
    ("vars", "a"), ("vars", "b"), ("calendar", "c"), ("resource", "r"), ("board", "n"), ("schedule", "s"),
    ("schedule", "t"), ("hook", "h"), ("job", "j"), ("job", "k"), ("job", "l"),
)  # fmt: skip
OBJECTS = "WHERE kind <> 'namespace'"
JOBS = [key for key in NAMES if key[0] == "job"]
REFERS: Mapping[Key, tuple[Key, ...]] = {
    ("schedule", "s"): (("schedule", "t"),),
    ("hook", "h"): (("secret", "X"), ("secret", "Y")),
    **dict.fromkeys(JOBS, (("vars", "a"), ("vars", "b"), ("secret", "X"))),
}
"""To what each may refer. A hook refers to just one."""


class Put(NamedTuple):
    value: int
    refers: tuple[Key, ...]


class Known(NamedTuple):
    """What there is by the model; the last of its revisions."""

    spec: bytes
    refers: tuple[Key, ...]


def _put_of(key: Key) -> st.SearchStrategy[Put]:
    targets = st.lists(st.sampled_from(REFERS.get(key, (("", ""),))), unique=True, max_size=2).map(tuple)
    if key not in REFERS:
        targets = st.just(())
    elif key[0] == "hook":
        targets = st.sampled_from(REFERS[key]).map(lambda target: (target,))
    return st.builds(Put, st.integers(0, 2), targets)


PUTS = st.fixed_dictionaries({}, optional={key: _put_of(key) for key in NAMES})
FEW = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True).flatmap(
    lambda keys: st.fixed_dictionaries({key: _put_of(key) for key in keys})
)
GONE = st.lists(st.sampled_from(NAMES), unique=True, max_size=3).map(tuple)
EXPECTS = st.sampled_from([None, None, None, 0, 1])  #: of the first put: none, its revision, another one


BEGINNING = {
    ("schedule", "s"): Put(0, (("schedule", "t"),)),
    ("hook", "h"): Put(0, (("secret", "X"),)),
    ("job", "j"): Put(0, (("vars", "a"), ("vars", "b"))),
    ("job", "k"): Put(0, (("vars", "b"), ("secret", "X"))),
}
"""What refers to something at first."""
MENDED = st.sampled_from([True, True, True, False])
DROPPED = st.sampled_from([False, False, False, True])


def document(key: Key, put: Put) -> dict[str, Any]:
    kind, name = key
    told = {"description": str(put.value)}
    named = [target for _, target in put.refers]
    match kind:
        case "vars":
            return {"vars": name, "values": {"n": put.value}}
        case "schedule":
            time = {"from": "2027-01-01T00:00:00Z", "until": "2027-02-01T00:00:00Z"}
            more = {"substitute": named[0], "valid": time} if named else {}
            return {"schedule": name, **told, "triggers": [{"every": "1h"}], **more}
        case "hook":
            return {"hook": name, **told, "secret": named[0]}
        case "job":
            of = {of: [name for each, name in put.refers if each == of] for of in ("vars", "secret")}
            vars = {"vars": of["vars"]} if of["vars"] else {}
            return job(name, **told, **vars, noop=None, run="true", secrets=of["secret"])
        case _:
            return {kind: name, **told}


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.live: dict[Key, Known] = {}
        self.kept: dict[Key, list[bytes | None]] = {}  #: each revision of a name
        self.secrets: dict[str, int] = {}
        self.jobs_max: int | None = None
        self.pinned: dict[int, list[bytes]] = {}  #: what each run was given
        self.stage = 0

    @initialize(room=st.sampled_from([ROW, ROOM]))
    def begin(self, room: int) -> None:
        self.story = Story(Path(self.folder.name) / "state.db", room=room)
        self.story.lead()
        for name in SECRETS:
            self.put_secret(name)
        self._apply(dict.fromkeys(NAMES, Put(0, ())) | BEGINNING, (), None)

    def teardown(self) -> None:
        self.story.close()
        self.folder.cleanup()

    # -- the model --------------------------------------------------------------------------------

    def revision(self, key: Key) -> int:
        return len(self.kept.get(key, ())) if key in self.live else 0

    def is_possible(self, puts: Mapping[Key, Put], gone: Iterable[Key]) -> bool:
        if set(puts) & set(gone) or not set(gone) <= set(self.live):
            return False
        after = {key: known.refers for key, known in self.live.items() if key not in gone}
        after |= {key: put.refers for key, put in puts.items()}
        there = {*after, *(("secret", name) for name in self.secrets)}
        if any(target not in there for refers in after.values() for target in refers):
            return False
        jobs = [sum(key[0] == "job" for key in each) for each in (self.live, after)]
        return self.jobs_max is None or jobs[1] <= max(self.jobs_max, jobs[0])

    def become(self, puts: Mapping[Key, Put], gone: Iterable[Key], specs: Mapping[Key, bytes]) -> None:
        for key, put in puts.items():
            if key not in self.live or self.live[key].spec != specs[key]:
                self.kept.setdefault(key, []).append(specs[key])
            self.live[key] = Known(specs[key], put.refers)
        for key in gone:
            del self.live[key]
            self.kept[key].append(None)

    def mended(self, puts: Mapping[Key, Put], gone: Iterable[Key]) -> tuple[dict[Key, Put], list[Key]]:
        """Of these what is not refused but for a quota: else hardly anything would be taken."""
        gone = [key for key in gone if key in self.live and key not in puts]
        there = {*self.live, *puts, *(("secret", name) for name in self.secrets)}
        kept = {key: Put(put.value, tuple(t for t in put.refers if t in there)) for key, put in puts.items()}
        kept = {key: put for key, put in kept.items() if key[0] != "hook" or put.refers}
        used = {target for key, known in self.live.items() if key not in kept for target in known.refers}
        used |= {target for put in kept.values() for target in put.refers}
        return kept, [key for key in gone if key not in used]

    def rather_there(self, gone: Sequence[Key]) -> Sequence[Key]:
        """To be refused for what refers to it, and not for what is not there."""
        return [key for key in gone if key in self.live] or gone

    # -- what people do ---------------------------------------------------------------------------

    def prepared(
        self, puts: Mapping[Key, Put], expects: int | None = None
    ) -> list[c.PreparedJob | c.PreparedObject]:
        """`expects`: how far the revision that the first of them expects is from what it has."""
        made: list[c.PreparedJob | c.PreparedObject] = []
        for key, put in puts.items():
            wanted = None if made or expects is None else self.revision(key) + expects
            made.append(prepare_document(parse_document(document(key, put)), self.story.now_ms, wanted))
        return made

    def deletions(self, gone: Iterable[Key]) -> tuple[c.Deletion, ...]:
        return tuple(c.Deletion(kind, "default", name) for kind, name in gone)

    @rule(puts=FEW, gone=GONE, expects=EXPECTS, is_mended=MENDED)
    def apply(self, puts: dict[Key, Put], gone: Sequence[Key], expects: int | None, is_mended: bool) -> None:
        puts, gone = self.mended(puts, gone) if is_mended else (puts, self.rather_there(gone))
        self._apply(puts, gone, expects)

    def _apply(self, puts: dict[Key, Put], gone: Sequence[Key], expects: int | None) -> None:
        made = self.prepared(puts, expects)
        outcome = self.story.one(c.Apply(*_sorted(made), self.deletions(gone), self.story.now_ms))
        assert outcome.ok == (self.is_possible(puts, gone) and not (puts and expects == 1)), outcome
        if outcome.ok:
            self.become(puts, gone, _specs(puts, made))

    @rule(
        puts=FEW, gone=GONE, expects=EXPECTS, is_mended=MENDED, size=st.integers(1, 3), is_dropped=DROPPED,
        runs=st.lists(st.sampled_from(JOBS), max_size=3),
    )  # fmt: skip
    def apply_staged(
        self, puts: dict[Key, Put], gone: Sequence[Key], expects: int | None, is_mended: bool, size: int,
        is_dropped: bool, runs: list[Key],
    ) -> None:  # fmt: skip
        puts, gone = self.mended(puts, gone) if is_mended else (puts, self.rather_there(gone))
        if puts or gone:
            self._stage(puts, gone, expects, size, is_dropped=is_dropped, runs=runs)

    def _stage(
        self, puts: dict[Key, Put], gone: Sequence[Key], expects: int | None, size: int, *, is_dropped: bool,
        runs: list[Key],
    ) -> None:  # fmt: skip
        """Laid down and committed; runs come between its steps, and are of what counts then."""
        self.stage += 1
        name, made = f"stage {self.stage}", self.prepared(puts, expects)
        is_possible = self.is_possible(puts, gone) and not (puts and expects == 1)
        items = [*made, *self.deletions(gone)]
        for number, start in enumerate(range(0, len(items), size)):
            part = items[start : start + size]
            puts_of = _sorted([each for each in part if not isinstance(each, c.Deletion)])
            goes = tuple(each for each in part if isinstance(each, c.Deletion))
            if not self.story.one(c.StageSlice(name, number, *puts_of, goes, self.story.now_ms)).ok:
                assert set(puts) & set(gone), "only what comes twice is refused before it is checked"
                self.story.tell(c.DropStage(name))  # there is none, where it was the first
                self.step()
                return
        if is_dropped:
            self.story.tell_ok(c.DropStage(name))
            self.step()
            return
        self.story.tell_ok(c.CommitStage(name, number + 1))
        counts = False
        while (row := stages.named(self.story.store, name)) is not None and row.state in stages.MOVING:
            if row.state == "switching" and not counts:
                assert is_possible, row
                counts = True
                self.become(puts, gone, _specs(puts, made))
            if runs:
                self.run(runs.pop())
            self.step(once=True)
        assert row is not None
        if row.state == "done" and not counts:
            counts = True
            self.become(puts, gone, _specs(puts, made))
        assert (row.state == "done") == counts == is_possible, row
        self.step()

    def step(self, *, once: bool = False) -> None:
        """All that the plan has to do for stages, or the next of it."""
        while steps := [each for each in self.story.plan() if isinstance(each, c.AdvanceStage)]:
            self.story.tell_ok(*steps)
            if once:
                return

    @rule(key=st.sampled_from(NAMES), is_staged=st.booleans())
    def delete_one(self, key: Key, is_staged: bool) -> None:
        """By itself: mostly refused where something refers to it, and for nothing else."""
        if is_staged:
            self._stage({}, [key], None, 1, is_dropped=False, runs=[])
        else:
            self._apply({}, [key], None)

    @rule(key=st.sampled_from(JOBS), data=st.data())
    def put_job(self, key: Key, data: st.DataObject) -> None:
        puts = {key: data.draw(_put_of(key))}
        made = self.prepared(puts)
        outcome = self.story.one(c.PutJobs(_sorted(made)[1], self.story.now_ms))
        assert outcome.ok == self.is_possible(puts, ()), outcome
        if outcome.ok:
            self.become(puts, (), _specs(puts, made))

    @rule(key=st.sampled_from(JOBS))
    def delete_job(self, key: Key) -> None:
        outcome = self.story.one(c.DeleteJob("default", key[1]))
        assert outcome.ok == (key in self.live), outcome
        if outcome.ok:
            self.become({}, [key], {})

    @rule(name=st.sampled_from(SECRETS))
    def put_secret(self, name: str) -> None:
        version = self.secrets.get(name, 0) + 1
        self.story.tell_ok(c.PutSecret("default", name, version, "key", b"sealed", ("*",)))
        self.secrets[name] = version

    @rule(name=st.sampled_from(SECRETS))
    def delete_secret(self, name: str) -> None:
        is_used = any(("secret", name) in known.refers for known in self.live.values())
        outcome = self.story.one(c.DeleteSecret("default", name))
        assert outcome.ok == (name in self.secrets and not is_used), outcome
        if outcome.ok:
            del self.secrets[name]

    @rule(jobs_max=st.sampled_from([None, None, 1, 2]))
    def set_quota(self, jobs_max: int | None) -> None:
        self.story.tell_ok(c.PutNamespace("default", b"%r" % jobs_max, jobs_max=jobs_max))
        self.jobs_max = jobs_max

    @precondition(lambda self: any(key in self.live for key in JOBS))
    @rule(key=st.sampled_from(JOBS))
    def run(self, key: Key) -> None:
        outcome = self.story.one(c.RunJob("default", key[1], b"{}", self.story.now_ms))
        assert outcome.ok == (key in self.live), outcome
        if outcome.ok and outcome.value is not None:
            vars_of = [target for target in self.live[key].refers if target[0] == "vars"]
            self.pinned[int(str(outcome.value["run"]))] = [self.live[target].spec for target in vars_of]

    @rule()
    def time_passes(self) -> None:
        self.story.now_ms += 1_000

    @rule()
    def start_again(self) -> None:
        self.story.reopen()

    # -- what must hold ---------------------------------------------------------------------------

    @invariant()
    def the_same_is_there(self) -> None:
        rows = self.story.store.rows(
            f"SELECT kind, name, revision, spec FROM objects {OBJECTS}"
            " UNION ALL SELECT 'job', name, revision, spec FROM jobs"
        )
        expected = {key: (self.revision(key), known.spec) for key, known in self.live.items()}
        assert {(kind, name): (revision, spec) for kind, name, revision, spec in rows} == expected

    @invariant()
    def references_are_whole(self) -> None:
        rows = self.story.store.rows("SELECT kind, name, to_kind, to_name FROM refs")
        expected = [(*key, *target) for key, known in self.live.items() for target in known.refers]
        assert sorted(rows) == sorted(expected)

    @invariant()
    def each_revision_is_readable(self) -> None:
        rows = self.story.store.rows(
            f"SELECT kind, name, revision, spec, deleted FROM object_revisions {OBJECTS} UNION ALL"
            " SELECT 'job', name, revision, spec, deleted FROM revisions ORDER BY 1, 2, 3"
        )
        found: dict[Key, list[bytes | None]] = {}
        for kind, name, revision, spec, deleted in rows:
            kept = found.setdefault((kind, name), [])
            assert revision == len(kept) + 1
            kept.append(None if deleted else spec)
        assert found == self.kept

    @invariant()
    def runs_keep_what_they_were_given(self) -> None:
        begun = run_vars.of_runs(self.story.store, self.pinned)
        found = {run: [each.spec for each in begun.get(run, [])] for run in self.pinned}
        assert found == self.pinned


def _sorted(
    made: Iterable[c.PreparedJob | c.PreparedObject],
) -> tuple[tuple[c.PreparedObject, ...], tuple[c.PreparedJob, ...]]:
    made = list(made)
    return (
        tuple(each for each in made if isinstance(each, c.PreparedObject)),
        tuple(each for each in made if isinstance(each, c.PreparedJob)),
    )


def _specs(puts: Mapping[Key, Put], made: Iterable[c.PreparedJob | c.PreparedObject]) -> dict[Key, bytes]:
    return {key: each.spec for key, each in zip(puts, made, strict=True)}


TestObjects = Machine.TestCase
TestObjects.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
