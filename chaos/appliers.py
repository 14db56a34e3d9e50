"""People who apply objects while things break: what belongs together, at once or staged in slices; what a
source owns, with prune; jobs of a namespace with a quota.

Rules:
1. Each apply is of one *generation*, a number of its own, which every object of it carries as a label and as
   its value. So what is there tells which apply made it, and a payload tells which vars its run was given.
2. A slice, the word of a staged apply, and an apply with an Idempotency-Key may be sent again, and are, until
   they are answered. All else is sent once: what came of it is told by the revisions in the end.
3. In the end nothing is under way any more, or it would go live while it is read.
4. The job that reads the vars is one of what is applied, and so is the schedule that it names and what takes
   the place of that: it is edited all the time. Its runs sleep before they look: other generations come
   meanwhile.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx2

from chaos.client import Api
from chaos.nemesis import NemesisError
from chaos.operators import RESUMED_S

JOB = "reads"
FIRST, LAST = "shared-first", "shared-last"
SCHEDULE, INSTEAD = "shared-schedule", "shared-instead"
#: What a payload writes of the values that it was given.
GIVEN = "$CRONCLAVE_VAR_FIRST,$CRONCLAVE_VAR_LAST"
SOURCE = "chaos"
NAMESPACE, JOBS_MAX, ADMITTED = "chaos-quota", 3, 8
FILLERS = 12
SLICES = 3
AGAIN_S = 0.25

KINDS = {
    "vars": "vars", "calendar": "calendars", "resource": "resources", "board": "boards",
    "schedule": "schedules", "job": "jobs",
}  # fmt: skip
SHARED = (
    ("vars", FIRST), ("calendar", "shared-calendar"), ("resource", "shared-lock"), ("board", "shared-board"),
    ("schedule", SCHEDULE), ("schedule", INSTEAD),
    *(("vars", f"shared-{number:02}") for number in range(FILLERS)), ("vars", LAST), ("job", JOB),
)  # fmt: skip
"""Applied together. A run reads of the first and of the last: of one generation, whatever lies between."""
OWNED = tuple((kind, f"owned-{kind}-{n}") for kind in ("vars", "resource", "board") for n in (1, 2))
"""Of these a generation names some; the others go."""
REVISED = {"shared": SHARED, "owned": OWNED}
_WORK: Mapping[str, Mapping[str, Any]] = {
    "calendar": {"weekend": ["sun"], "exclude": ["12-24"]},
    "resource": {"count": 2},
    "board": {"expires": "1d"},
}


def path_of(kind: str, name: str) -> str:
    return f"/v1/{KINDS[kind]}/{name}"


def key_of(kind: str, name: str) -> str:
    """As the final reads name it."""
    return f"{kind}/{name}"


def generation_of(document: Mapping[str, Any] | None) -> int | None:
    """None: it says of none, or it is gone."""
    told = ((document or {}).get("labels") or {}).get("generation")
    return None if told is None else int(told)


class Inventory:
    """What is applied. `job`: the one that reads the vars."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._trigger = job["triggers"]
        self._job = {**job, "vars": [FIRST, LAST], "triggers": {"schedule": SCHEDULE}}
        self._generations = itertools.count(1)

    def next(self) -> int:
        return next(self._generations)

    def document(self, kind: str, name: str, generation: int) -> dict[str, Any]:
        labels = {"generation": str(generation)}
        if kind == "job":
            return {**self._job, "labels": labels}
        if kind == "vars":
            value = {FIRST: "first", LAST: "last"}.get(name, "value")
            return {"vars": name, "labels": labels, "values": {value: generation}}
        if kind == "schedule":
            return {kind: name, "labels": labels, **self._schedule(name, generation)}
        return {kind: name, "labels": labels, **_WORK[kind]}

    def _schedule(self, name: str, generation: int) -> dict[str, Any]:
        """Edited by each generation, and always due at the same instants: what takes its place, and does so
        by every other generation alone, has the same trigger. So a tick that is lost or doubled by an edit
        is one that the oracle knows."""
        rare = {"cron": f"{generation % 60} 3 29 2 *", "id": "rare"}
        if name == SCHEDULE:
            return {"triggers": [self._trigger, rare]}
        valid = {"from": "2020-01-01T00:00:00Z", "until": f"20{21 if generation % 2 else 90}-01-01T00:00:00Z"}
        return {"substitute": SCHEDULE, "valid": valid, "triggers": [self._trigger]}

    def shared(self, generation: int) -> list[dict[str, Any]]:
        return [self.document(kind, name, generation) for kind, name in SHARED]


Person = Callable[[Api], None]


def people(inventory: Inventory, over: threading.Event) -> Iterator[tuple[str, Person, float]]:
    """Each with the seconds between two acts."""
    yield "applier", _Applier(inventory), 0.7
    yield "stager", _Stager(inventory, over), 1.0
    yield "pruner", _Pruner(inventory, over), 0.8
    yield "admitter", _Admitter(), 0.5


def declare(api: Api, inventory: Inventory) -> bool:
    """The first generation, and the namespace with its quota; whether both were acknowledged. Raises
    NemesisError where the cluster refuses them."""
    for act in (_allow, lambda api: _apply(api, inventory, "declare", job=JOB)):
        outcome, status = act(api)
        if _is_refused(outcome, status):
            raise NemesisError(f"the cluster refuses the objects of the harness ({status})")
        if outcome != "ok":
            return False
    return True


def _allow(api: Api) -> tuple[str, int]:
    """The quota, said again with another description."""
    quotas = {"quotas": {"jobs": JOBS_MAX}, "description": str(api.dice.random())}
    body = {"namespace": NAMESPACE, **quotas}
    told = {"namespace": NAMESPACE, "jobs_max": JOBS_MAX}
    return api.call("allow", "PUT", f"/v1/namespaces/{NAMESPACE}", told=told, body=body)[:2]


def _apply(api: Api, inventory: Inventory, op: str = "apply", **more: str) -> tuple[str, int]:
    generation = inventory.next()
    told = {"group": "shared", "generation": generation, **more}
    body = {"objects": inventory.shared(generation)}
    return api.call(op, "POST", "/v1/apply", told=told, body=body)[:2]


class _Applier:
    """All of it at once, and looks at it."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def __call__(self, api: Api) -> None:
        if api.dice.random() < 0.6:
            _apply(api, self._inventory)
        api.call("see", "GET", "/v1/vars?namespace=default&limit=1000", told={"group": "shared"}, read=_seen)


def _seen(document: Any, reply: httpx2.Response) -> dict[str, Any]:
    names = {name for kind, name in SHARED if kind == "vars"}
    found = {each["name"]: generation_of(each) for each in document["items"]}
    return {"seen": {name: generation for name, generation in found.items() if name in names}}


class _Stager:
    """All of it in slices; some stages are dropped, by a word or because nobody goes on with them."""

    def __init__(self, inventory: Inventory, over: threading.Event) -> None:
        self._inventory, self._over = inventory, over

    def __call__(self, api: Api) -> None:
        generation = self._inventory.next()
        told = {"group": "shared", "generation": generation, "stage": f"stage-{generation}"}
        path = f"/v1/apply?stage=stage-{generation}"
        documents = self._inventory.shared(generation)
        each = -(-len(documents) // SLICES)
        for number in range(SLICES):
            body = {"objects": documents[number * each : (number + 1) * each]}
            if not self._lay(api, f"{path}&slice={number}", {**told, "slice": number}, body):
                return
        if api.dice.random() < 0.1:
            api.call("drop", "DELETE", path, told=told)
            return
        self._commit(api, f"{path}&commit=true&slices={SLICES}", told)

    def _lay(self, api: Api, path: str, told: Mapping[str, Any], body: Any) -> bool:
        """Whether it is laid down."""
        while True:
            outcome, status, _ = api.call("slice", "POST", path, told=told, body=body)
            if outcome == "ok":
                return True
            if _is_refused(outcome, status) or self._over.wait(AGAIN_S):
                return False

    def _commit(self, api: Api, path: str, told: Mapping[str, Any]) -> None:
        enough = Enough(self._over)
        while True:
            outcome, status, told_back = api.call("commit", "POST", path, told=told, read=_state)
            if told_back.get("state") == DONE or _is_refused(outcome, status) or enough():
                return
            time.sleep(AGAIN_S)


DONE = "done"


def _state(document: Any, reply: httpx2.Response) -> dict[str, Any]:
    return {"state": document["state"]}


def _is_refused(outcome: str, status: int) -> bool:
    """By the cluster, and not by a node that nobody reaches."""
    return outcome == "fail" and status > 0


class Enough:
    """A limit of what has to come to its end when all is over."""

    def __init__(self, over: threading.Event) -> None:
        self._over, self._until_s = over, 0.0

    def __call__(self) -> bool:
        if not self._over.is_set():
            return False
        self._until_s = self._until_s or time.monotonic() + RESUMED_S
        return time.monotonic() > self._until_s


class _Pruner:
    """What one source owns: a generation names some of it, and what it does not name goes. The only one who
    applies with this source, one request at a time; its key makes one that is sent again the same."""

    def __init__(self, inventory: Inventory, over: threading.Event) -> None:
        self._inventory, self._over = inventory, over

    def __call__(self, api: Api) -> None:
        generation = self._inventory.next()
        named = [each for each in OWNED if api.dice.random() < 0.6] or [OWNED[0]]
        documents = [self._inventory.document(*each, generation) for each in named]
        body = {"objects": documents, "source": SOURCE, "prune": True, "prune_max": len(OWNED)}
        told = {"group": "owned", "generation": generation, "names": [key_of(*each) for each in named]}
        headers = {"idempotency-key": f"owned-{generation}"}
        enough = Enough(self._over)
        while True:
            outcome, status, _ = api.call("apply", "POST", "/v1/apply", told=told, body=body, headers=headers)
            if outcome == "ok" or _is_refused(outcome, status) or enough():
                return
            time.sleep(AGAIN_S)


class _Admitter:
    """Jobs of a namespace that may have few: puts and deletes them, counts them, says the quota again."""

    def __call__(self, api: Api) -> None:
        name = f"admitted-{api.dice.randrange(ADMITTED)}"
        there = f"namespace={NAMESPACE}"
        kind = api.dice.random()
        if kind < 0.55:
            body = {"jobs": [{"job": name, "namespace": NAMESPACE, "noop": True}]}
            api.call("admit", "POST", "/v1/apply", told={"name": name}, body=body)
        elif kind < 0.7:
            api.call("dismiss", "DELETE", f"/v1/jobs/{name}?{there}", told={"name": name})
        elif kind < 0.75:
            _allow(api)
        else:
            api.call(
                "count", "GET", f"/v1/jobs?{there}&limit=1000", told={"namespace": NAMESPACE},
                read=lambda document, _: {"jobs": len(document["items"])},
            )  # fmt: skip
