"""Other systems that send deliveries to a hook in a story, and people who post notices on a board, at several
nodes at once.

delivered what was taken made one run of each of its triggers, or was told why not; whoever sends it again, to
          whatever node, is told the same; what was refused came to nothing
noticed   a notice that was acknowledged is there, posted once; what came of it, and of it together with
          the end of the run that it made, is proved by verify

Rules: as `operators` has them: lots are drawn from dice of their own. A sender that is told nothing, or to
come again, sends the same delivery again, as long as the story lasts. Its node judges it by what it knows,
which may be old: jobs and the secret are changed meanwhile.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from node.simulation.front import Front, any_of
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.store.connection import Store
from scheduler.store.tables import deliveries, notices, objects, secrets, triggers
from scheduler.words import causes
from scheduler.words.commands import (
    Apply,
    Deliver,
    HookFiring,
    PostNotice,
    PreparedJob,
    PreparedObject,
    PutSecret,
)
from scheduler.words.outcomes import Code, Outcome

if TYPE_CHECKING:
    from node.simulation.world import JobsWorld

EVERY_S = 0.25
AGAIN_S = 0.6
HOOK, SECRET, BOARD = "pushes", "hook-key", "stock"
KEPT = {"retention": {"runs": 10_000}}
HOURS_MS = 3_600_000
TOGETHER = [{"notice": {"board": BOARD}}, {"after": "noted.ended"}]


def _documents(number: int) -> list[dict[str, object]]:
    trigger = {"webhook": HOOK, "id": "push"}
    common: dict[str, object] = {"noop": True, "description": str(number)}
    return [
        {"hook": HOOK, "secret": SECRET},
        {"board": BOARD},
        {
            "job": "noted", **common, "policies": KEPT,
            "triggers": [{"notice": {"board": BOARD}, "id": "n", "overlap": "queue_one"}],
        },
        {
            "job": "together", **common, "policies": KEPT,
            "triggers": [{"all_of": {"of": TOGETHER, "within": "3s"}, "id": "g"}],
        },
        {"job": "pushed", **common, "policies": KEPT, "triggers": [{**trigger, "overlap": "allow"}]},
        {"job": "pushed-one", **common, "policies": KEPT, "triggers": [{**trigger, "overlap": "queue_one"}]},
    ]


class Senders:
    def __init__(self, world: JobsWorld, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"senders {seed}")
        self._sent = self._number = 0
        self._told: dict[str, str] = {}  #: by the delivery, what came of it
        self._posted: dict[int, str] = {}  #: key by serial, of notices that were acknowledged
        self.repeated = self.refused = 0
        self._act()

    @property
    def taken(self) -> int:
        return len(self._told)

    @property
    def posted(self) -> int:
        return len(self._posted)

    def _front(self) -> Front | None:
        return any_of(self._world.fronts.values(), self._rng)

    def _act(self) -> None:
        world, rng = self._world, self._rng
        world.at(rng.expovariate(1 / EVERY_S), self._act)
        front, kind = self._front(), rng.random()
        if front is None or world.healing or not world.are_put:
            return
        store = world.state(front.node).store
        if kind < 0.15 or objects.find(store, "hook", "default", HOOK) is None:
            self._edit(front, store)
        elif kind < 0.2:
            self._put_secret(front, store)
        elif kind < 0.4:
            self._post(front)
        else:
            self._sent += 1
            self._send(f"push-{self._sent}")

    def _put_secret(self, front: Front, store: Store) -> None:
        known, key = secrets.find(store, "default", SECRET), secrets.key(store) or "key-1"
        version = 1 if known is None else known.version + 1
        front.propose([PutSecret("default", SECRET, version, key, f"{SECRET} {version}".encode())])

    def _edit(self, front: Front, store: Store) -> None:
        """Another revision of its jobs."""
        if secrets.find(store, "default", SECRET) is None:
            self._put_secret(front, store)
            return
        self._number += 1
        after_ms = self._world.wall_ms(front.node)
        made = [prepare_document(parse_document(each), after_ms) for each in _documents(self._number)]
        hooks = tuple(each for each in made if isinstance(each, PreparedObject))
        jobs = tuple(each for each in made if isinstance(each, PreparedJob))
        front.propose([Apply(hooks, jobs, (), after_ms)])

    def _post(self, front: Front) -> None:
        """Twice now and then, under one Idempotency-Key: an answer may be lost."""
        self._number += 1
        key = f"notice-{self._number}"
        day = self._rng.randrange(20_000, 20_100)  # each a date of what waits for several things
        command = PostNotice("default", BOARD, key, HOURS_MS, plan_day=day, key=key, body=b"once")

        def answered(outcomes: list[Outcome]) -> None:
            for outcome in outcomes:
                if outcome.ok and outcome.value is not None:
                    serial = int(str(outcome.value["serial"]))
                    if self._posted.setdefault(serial, key) != key:
                        self._world.invariants.fail("noticed", f"{key} and {self._posted[serial]}: {serial}")

        front.propose([command] * self._rng.choice((1, 1, 2)), answered)

    def _send(self, name: str) -> None:
        """Until it is told, and now and then once more than that."""
        front = self._front()
        if front is not None and (command := self._command(front, name)) is not None:
            front.propose([command], lambda outcomes: self._answered(name, outcomes[0]))
        if not self._world.healing and (name not in self._told or self._rng.random() < 0.2):
            self._world.at(AGAIN_S, lambda: self._send(name))

    def _command(self, front: Front, name: str) -> Deliver | None:
        """As the node of this front sees it; None: it knows no such hook."""
        store, now_ms = self._world.state(front.node).store, self._world.wall_ms(front.node)
        hook = objects.find(store, "hook", "default", HOOK)
        secret = secrets.find(store, "default", SECRET)
        if hook is None or secret is None:
            return None
        ids = triggers.awaiting(store, causes.hooked("default", HOOK), 20)
        found = [row for each in ids if (row := triggers.firing(store, each)) is not None]
        firings = tuple(HookFiring(row.id, row.revision, b"{}") for row in found)
        return Deliver(
            "default", HOOK, hook.revision, "default", SECRET, secret.version, name, now_ms,
            now_ms + HOURS_MS, firings,
        )  # fmt: skip

    def _answered(self, name: str, outcome: Outcome) -> None:
        if not outcome.ok:
            self.refused += outcome.code == Code.LIMIT
            return
        value = outcome.value or {}
        told = str(value["firings"])
        known = self._told.setdefault(name, told)
        self.repeated += bool(value["repeated"])
        if known != told:
            self._world.invariants.fail("delivered", f"{name} was told {known}, then {told}")

    def judge(self, store: Store) -> list[tuple[str, str]]:
        """What is wrong by this state."""
        found = []
        stand = {row.serial: row.key for row in notices.newest(store, f"default/{BOARD}", None, 1 << 30)}
        if sorted(stand.values()) != sorted(set(stand.values())) or not self._posted.items() <= stand.items():
            found.append(("noticed", f"acknowledged are {self._posted}, there are {stand}"))
        for name, told in self._told.items():
            row = deliveries.find(store, "default", HOOK, name)
            if row is None or row.firings != told:
                found.append(("delivered", f"{name} was told {told}, stored is {row}"))
        made = store.rows(
            "SELECT name, cause_key, count(*), min(id) FROM runs WHERE cause = 'webhook'"
            " GROUP BY name, cause_key ORDER BY name, cause_key"
        )
        expected = {
            (each.name, f"{each.trigger}/{row.delivery}"): each.run
            for row in deliveries.newest(store, "default", HOOK, None, 1 << 30)
            for each in deliveries.firings_of(row.firings)
            if not each.outcome
        }
        runs = {(job, key): run for job, key, _, run in made}
        if runs != expected or any(count > 1 for _, _, count, _ in made):
            odd = sorted(set(runs.items()) ^ set(expected.items()))[:3]
            found.append(("delivered", f"runs of deliveries differ from what was told: {odd}"))
        return found
