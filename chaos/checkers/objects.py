"""What was applied together counts together, from one instant on, and a run is given what counted then.

Rules:
1. The revisions that each object has in the end tell which generations there were, and at which index. All
   objects that a generation names have it at one index, each once; what a generation of the source does not
   name is gone at its index.
2. An acknowledged apply is there; one that was refused, or was only laid down, is not. What was acknowledged
   before another began is the older one.
3. A list of them shows one generation, and none older than what was acknowledged before it was asked for.
   While a staged apply goes live, until a node tells that it is done, it may show a part of it.
4. A run is given the vars of the generation that counted where it was created, in the history of events;
   whatever was applied since, and whenever its payload looks.
5. A namespace with a quota never has more jobs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf

from chaos.appliers import DONE, FIRST, JOB, REVISED, key_of
from chaos.case import Case, Mark
from chaos.checkers import Finding, Offence, finding
from chaos.history import Operation

NAME = "objects"
WORDS = ("declare", "apply", "commit")  #: the requests that have a generation count


@dataclass
class _Generation:
    number: int
    names: frozenset[str]
    words: list[Operation] = field(default_factory=list)
    stage: str = ""
    places: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """The indices at which each object has it."""

    @property
    def index(self) -> int:
        return min(min(found) for found in self.places.values())

    @cached_property
    def acknowledged_s(self) -> float:
        """When it was told that it counts; never."""
        return min((op.ended_s for op in self.words if _is_done(op) and op.ended_s is not None), default=inf)

    @cached_property
    def began_s(self) -> float:
        return min((op.began_s for op in self.words), default=inf)


def _is_done(op: Operation) -> bool:
    return op.outcome == "ok" and (op.op != "commit" or op.result.get("state") == DONE)


def check(case: Case) -> Finding:
    words = [op for op in case.operations if op.op in WORDS and "generation" in op.arguments]
    if not words:
        return Finding(NAME, "pass", "nothing of this load is applied")
    if not case.final.get("objects"):
        return Finding(NAME, "invalid", "the revisions of what was applied were not read")
    offences: list[Offence] = []
    shared: list[_Generation] = []
    for group, members in REVISED.items():
        names = [key_of(*each) for each in members]
        known = _generations(case, group, names)
        there = sorted((g for g in known.values() if g.places), key=lambda g: g.index)
        offences += [*_whole(there), *_promised(known, there), *_gone(case, there, names)]
        if group == "shared":
            shared = there
    offences += [*_listed(case, shared), *_given(case, shared), *_admitted(case)]
    counts = {
        "applies": sum(map(_is_done, words)),
        "stages": sum(_is_done(op) for op in words if op.op == "commit"),
        "lists": sum(op.op == "see" and op.outcome == "ok" for op in case.operations),
        "given": sum(mark.given != "-" for mark in case.starts),
    }
    return finding(NAME, offences, ", ".join(f"{count} {name}" for name, count in counts.items()), counts)


def _generations(case: Case, group: str, names: Sequence[str]) -> dict[int, _Generation]:
    """By number: those that were asked for, and those that are there."""
    known: dict[int, _Generation] = {}
    for op in case.operations:
        if op.op not in (*WORDS, "slice") or op.arguments.get("group") != group:
            continue
        number = int(op.arguments["generation"])
        named = frozenset(op.arguments.get("names", names))
        found = known.setdefault(number, _Generation(number, named, stage=op.arguments.get("stage", "")))
        if op.op in WORDS:
            found.words.append(op)
    for name in names:
        for revision in case.final["objects"].get(name, []):
            number = revision["generation"]
            if number is not None:
                found = known.setdefault(number, _Generation(number, frozenset(names)))
                found.places[name].append(int(revision["index"]))
    return known


def _whole(there: Sequence[_Generation]) -> Iterator[Offence]:
    """All or none, at one index."""
    for each in there:
        lacking = sorted(each.names - set(each.places))
        indices = {index for found in each.places.values() for index in found}
        at_s = None if each.began_s == inf else each.began_s
        if lacking:
            said = f"generation {each.number} is in {len(each.places)} objects, not in {', '.join(lacking)}"
            yield Offence("half-applied", said, at_s)
        elif surplus := sorted(set(each.places) - each.names):
            said = f"generation {each.number} does not name {', '.join(surplus)}"
            yield Offence("half-applied", said, at_s)
        elif any(len(found) > 1 for found in each.places.values()):
            yield Offence("applied-twice", f"generation {each.number} at the indices {sorted(indices)}", at_s)
        elif len(indices) > 1:
            yield Offence("not-one-act", f"generation {each.number} at the indices {sorted(indices)}", at_s)


def _promised(known: Mapping[int, _Generation], there: Sequence[_Generation]) -> Iterator[Offence]:
    for each in known.values():
        if each.acknowledged_s < inf and not each.places:
            said = f"generation {each.number} was acknowledged and is not there"
            yield Offence("lost-apply", said, each.acknowledged_s)
        if each.places and all(op.outcome == "fail" for op in each.words):
            what = "was refused" if each.words else "was never asked to count"
            yield Offence("refused-apply", f"generation {each.number} {what} and is there", each.began_s)
    newest: _Generation | None = None  # of those at smaller indices, that which began last
    for each in there:
        if newest is not None and each.acknowledged_s < newest.began_s < inf:
            said = f"generation {each.number} was acknowledged before {newest.number} began, and is the newer"
            yield Offence("out-of-order", said, each.acknowledged_s)
        if newest is None or (each.began_s < inf and each.began_s > newest.began_s):
            newest = each


def _gone(case: Case, there: Sequence[_Generation], names: Sequence[str]) -> Iterator[Offence]:
    """At its index a generation is all that there is of its group."""
    revisions = {
        name: sorted((int(r["index"]), bool(r["deleted"])) for r in case.final["objects"].get(name, []))
        for name in names
    }
    for each in there:
        for name, found in revisions.items():
            before = [deleted for index, deleted in found if index <= each.index]
            if name not in each.names and before and not before[-1]:
                said = f"generation {each.number} does not name {name}, which stays"
                yield Offence("bad-prune", said, each.began_s)


def _listed(case: Case, there: Sequence[_Generation]) -> Iterator[Offence]:
    known = {each.number: (place, each) for place, each in enumerate(there)}
    dones = {each.number: _done_s(case, each) for each in there}
    members = {name for kind, name in REVISED["shared"] if kind == "vars"}
    for op in case.operations:
        if op.op != "see" or op.outcome != "ok":
            continue
        seen: Mapping[str, int | None] = op.result["seen"]
        numbers = set(seen.values())
        if set(seen) != members or not numbers <= set(known):
            said = f"{len(seen)} of {len(members)} were listed, of generations {sorted(map(str, numbers))}"
            yield Offence("torn-read", said, op.ended_s, operation=op.id)
            continue
        places = sorted(known[number][0] for number in numbers if number is not None)
        oldest, newest = there[places[0]], there[places[-1]]
        goes_live = bool(newest.stage) and op.began_s <= dones[newest.number]
        if len(places) > 1 and not (len(places) == 2 and places[1] == places[0] + 1 and goes_live):
            said = f"one list shows the generations {sorted(numbers, key=str)}"
            yield Offence("torn-read", said, op.ended_s, operation=op.id)
        late = max((g for g in there if g.acknowledged_s < op.began_s), key=lambda g: g.index, default=oldest)
        if newest.index < late.index:
            said = f"generation {newest.number} was listed, {late.number} had been acknowledged"
            yield Offence("stale-read", said, op.ended_s, operation=op.id)


def _done_s(case: Case, generation: _Generation) -> float:
    """When it was first heard that all of a staged one is live."""
    told = [
        float(event["t"])
        for events in case.events.values()
        for event in events
        if event["event"] == "stage_moved" and event["stage"] == generation.stage and event["state"] == DONE
    ]
    return min([generation.acknowledged_s, *told])


def _given(case: Case, there: Sequence[_Generation]) -> Iterator[Offence]:
    indices = [each.index for each in there]
    created = _created(case)
    first: dict[int, Mark] = {}
    for mark in case.marks:
        if mark.job != JOB:
            continue
        known = first.setdefault(mark.run, mark)
        values = mark.given.split(",")
        place = bisect_left(indices, created.get(mark.run, 0)) - 1
        if mark.given != known.given:
            yield _of(mark, "changed-values", f"was given {known.given}, and later {mark.given}")
        elif len(values) != 2 or values[0] != values[1]:
            yield _of(mark, "mixed-values", f"was given the generations {mark.given} of {FIRST} and the last")
        elif mark.run in created and (place < 0 or values[0] != str(there[place].number)):
            counted = there[place].number if place >= 0 else "none"
            yield _of(mark, "wrong-values", f"was given generation {values[0]} where {counted} counted")


def _of(mark: Mark, kind: str, said: str) -> Offence:
    return Offence(kind, f"{mark.job}: run {mark.run} {said}", mark.at_s, mark.job, run=mark.run)


def _created(case: Case) -> dict[int, int]:
    """The index at which each run was created."""
    return {
        int(event["run"]): int(str(event["id"]).partition(".")[0])
        for events in case.events.values()
        for event in events
        if event["event"] == "run_created"
    }


def _admitted(case: Case) -> Iterator[Offence]:
    allowed = max((op.arguments["jobs_max"] for op in case.operations if op.op == "allow"), default=inf)
    for op in case.operations:
        if op.op == "count" and op.outcome == "ok" and op.result["jobs"] > allowed:
            said = f"{op.result['jobs']} jobs in {op.arguments['namespace']}, its quota is {allowed}"
            yield Offence("over-quota", said, op.ended_s, operation=op.id)
