"""Which agents may take a task: pool, labels, zone, patterns over labels, the kind of its work and what of it
an agent has to know, as one canonical string that the queue is indexed by. One that runs as a user of the
host queues by that too, since its namespace may withdraw the user (the gate `user`).

One that takes locks queues by these too: tasks that ask for the same wait in one queue, which a plan leaves
alone while they cannot have it. In the same way one says of which group it is whose words decide with its own
(`sticky`, `max_parallel`, `locks`), of which run, where what is held above that counts, and of which divided
task, where one agent may have so many members of it. Such a selector begins with a blank: nobody else needs
to look further (`rules.holdings`).

`host` in a pattern is the label of that name; of an agent without one it is the agent's own name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from scheduler.model.compiled import CompiledTask
from scheduler.model.locks import RUN, Lock
from scheduler.model.ordering import order_of
from scheduler.patterns import fits
from scheduler.protocol import OBJECT_STORE

HOST = "host"
HELD = "held"  #: the holder of a lock that its run has, in place of the run
_MARK = " "
_LOCKS = 9  #: where they stand in the text
OF_BOX = "."  #: in place of one, of a group that takes locks
AFTER_LOCKS = "!"  #: behind those that take locks, in the order of text


class Selector(NamedTuple):
    pool: str  #: empty: any pool
    labels: frozenset[tuple[str, str]]
    zone: str | None
    kind: str  #: of work, that it must offer
    features: tuple[str, ...]  #: of that kind, that it must know
    asks: frozenset[str]  #: both, as an agent says them (scheduler.protocol.Hello.kinds)
    agent: int = 0  #: the only one that may take it; 0: any
    order: tuple[str, ...] = ()  #: by what those are put in order that may; none: by their load alone
    user: str = ""  #: of the host, that it runs as; empty: the agent's own
    namespace: str = ""  #: of one with a user: that allows it
    match: tuple[tuple[str, str], ...] = ()  #: labels, and patterns that they fit
    unlike: tuple[tuple[str, str], ...] = ()  #: none of these does
    locks: tuple[Lock, ...] = ()  #: in the order in which they are taken, its run's first
    run: int = 0  #: its own, where groups or runs above it may hold something; 0: none do
    group: int = 0  #: the task that is its group, where that says something
    sticky: bool = False  #: it goes where that has gone
    whole: int = 0  #: of which it is a member, where one agent may have so many of them at a time
    agent_max: int = 0

    @property
    def wants(self) -> tuple[Lock, ...]:
        """What it has to take, beside what its run has: by its own text."""
        return tuple([lock for lock in self.locks if lock.holder != HELD])

    @property
    def is_inside(self) -> bool:
        """Whether its run has its locks."""
        return bool(self.locks) and self.locks[0].holder == HELD

    @property
    def asks_name(self) -> bool:
        """Whether the agent's name may count."""
        return any(key == HOST for key, _ in (*self.match, *self.unlike))


def of_task(task: CompiledTask, namespace: str) -> str:
    """Canonical JSON: [pool, {labels}, zone or null, kind], with a user [..., 0, user, namespace], with
    patterns [..., 0, user, namespace, match, unlike], with locks a blank and [..., match, unlike, locks].
    Features stand behind the kind: "shell nice umask"."""
    kind = " ".join((task.executor, *task.features)) if task.features else task.executor
    wanted: list[object] = [task.pool, dict(task.labels), task.zone, kind]
    if task.match or task.unlike or task.locks:
        wanted += [0, task.user, namespace if task.user else "", task.match, task.unlike]
    elif task.user:
        wanted += [0, task.user, namespace]
    if not task.locks:
        return _text(wanted)
    return _MARK + _text([*wanted, task.locks])


_text = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode  # made once: a job of a run needs it


def has_locks(selector: str) -> bool:
    return selector.startswith(_MARK)


def sticky_group(selector: str) -> int:
    """That goes to one agent; 0: it is in none."""
    if not has_locks(selector):
        return 0
    wanted = parse(selector)
    return wanted.group if wanted.sticky else 0


def inside(selector: str, *, held: bool) -> str:
    """The same of a task with locks whose run has its own, or does not."""
    if parse(selector).is_inside == held:
        return selector
    wanted = json.loads(selector)
    before, after = (RUN, HELD) if held else (HELD, RUN)
    wanted[_LOCKS] = [[after if holder == before else holder, *lock] for holder, *lock in wanted[_LOCKS]]
    return _MARK + _text(wanted)


@lru_cache(maxsize=1_024)
def of_run(selector: str, run: int, group: int = 0, locks: tuple[Lock, ...] = (), sticky: str = "") -> str:
    """The same of a task of this run, in this group where that says something: what it takes beside, and what
    its agent must offer for all the group (JSON), if that is sticky."""
    wanted = json.loads(selector)
    wanted += [0, "", "", [], [], []][len(wanted) - 4 :]
    wanted[_LOCKS] += locks
    return _MARK + _text([*wanted, run, group, sticky])


def shared(selector: str, whole: int, most: int) -> str:
    """The same of a member of this task, of which one agent may have so many at a time."""
    wanted = json.loads(selector)
    wanted += [0, "", "", [], [], [], 0, 0, ""][len(wanted) - 4 :]
    return _MARK + _text([*wanted, whole, most])


def bound(selector: str, agent: int) -> str:
    """The same, for this agent alone: [pool, {labels}, zone or null, kind, agent]."""
    wanted = json.loads(selector)
    wanted[4:5] = [agent]
    return (_MARK if has_locks(selector) else "") + _text(wanted)


@lru_cache(maxsize=4_096)
def parse(selector: str) -> Selector:
    pool, labels, zone, kind, *more = json.loads(selector)
    patterns = [tuple((key, pattern) for key, pattern in each) for each in more[3:5]]
    locks = [tuple([Lock(*lock) for lock in each]) for each in more[5:6]]
    asked = asked_of(*kind.split(" "))
    only, order = order_of(zone)
    found = Selector(pool, frozenset(labels.items()), only, *asked)
    names = ("agent", "user", "namespace", "match", "unlike", "locks")
    found = found._replace(order=order, **dict(zip(names, [*more[:3], *patterns, *locks], strict=False)))
    if len(more) > 6:
        run, group, sticky, *share = more[6:]
        asks = found.asks | parse_kinds(sticky) if sticky else found.asks
        found = found._replace(run=run, group=group, sticky=bool(sticky), asks=asks)
        found = found._replace(whole=share[0], agent_max=share[1]) if share else found
    return found


def asked_of(kind: str, *features: str) -> tuple[str, tuple[str, ...], frozenset[str]]:
    """Three fields of a selector."""
    return kind, features, frozenset((kind, *(f"{kind}.{feature}" for feature in features)))


def asks_of_all(tasks: Iterable[CompiledTask]) -> str:
    """What an agent must offer that runs all of these: JSON."""
    found = [asked_of(task.executor, *task.features)[2] for task in tasks if task.happens == "agent"]
    return json.dumps(sorted(frozenset[str]().union(*found)))


@lru_cache(maxsize=4_096)
def parse_labels(labels: str) -> frozenset[tuple[str, str]]:
    return frozenset((str(key), str(value)) for key, value in json.loads(labels).items())


@lru_cache(maxsize=4_096)
def parse_kinds(kinds: str) -> frozenset[str]:
    return frozenset(json.loads(kinds))


def matches(
    selector: Selector, *, agent: int | None, pool: str, labels: str, zone: str, name: str | None
) -> bool:
    """Whether the agent with these words is meant. None: whether one of them may be. What kinds of work it
    offers is another question (`offers`)."""
    if selector.agent and agent is not None and selector.agent != agent:
        return False
    if selector.pool and selector.pool != pool:
        return False
    if selector.zone is not None and selector.zone != zone:
        return False
    if selector.labels and not selector.labels <= parse_labels(labels):
        return False
    return not (selector.match or selector.unlike) or _fits(selector, dict(parse_labels(labels)), name)


def of_one(task: CompiledTask) -> Selector:
    """As a state of the job is judged by: whoever may run it as whom is another question."""
    labels = frozenset(task.labels)
    asked = asked_of(task.executor, *task.features)
    only, _ = order_of(task.zone)
    return Selector(task.pool, labels, only, *asked, match=task.match, unlike=task.unlike)


def _fits(selector: Selector, labels: dict[str, str], name: str | None) -> bool:
    """`name`: None: not known, so that what asks for it may fit."""
    is_open = name is None and HOST not in labels
    known = labels if is_open else {HOST: name or "", **labels}
    for key, pattern in selector.match:
        value = known.get(key)
        if not (is_open and key == HOST) and (value is None or not fits(pattern, value)):
            return False
    return not any(key in known and fits(pattern, known[key]) for key, pattern in selector.unlike)


def offers(selector: Selector, kinds: str) -> bool:
    """Whether an agent of these kinds of work runs such a task, with all that it asks for."""
    return selector.asks <= parse_kinds(kinds)


_EXTRA = "pip install 'cronclave[s3]' there, and start it anew"


def unknown(selector: Selector, agents: Iterable[tuple[str, str]]) -> str:
    """What the nearest of these agents (name, kinds) lacks that offers its kind of work, for people; empty:
    none does."""
    lacks = [
        (sorted(selector.asks - parse_kinds(kinds)), name)
        for name, kinds in agents
        if selector.kind in parse_kinds(kinds)
    ]
    if not lacks:
        return ""
    missing, name = min(lacks, key=lambda lack: (len(lack[0]), lack[1]))
    if missing == [f"{selector.kind}.{OBJECT_STORE}"]:
        return f"agent {name} cannot look into object stores: {_EXTRA}"
    said = ", ".join(word.partition(".")[2] or f"{word} work" for word in missing)
    return f"agent {name} does not know {said} of {selector.kind} work: upgrade it"


def words(selector: Selector) -> str:
    """The agents that it means, for people."""
    parts = [f"pool {selector.pool}"] if selector.pool else []
    parts += [f"zone {selector.zone}"] if selector.zone else []
    parts += [f"label {key}={value}" for key, value in sorted(selector.labels)]
    parts += [f"{_asked(key)} like {pattern}" for key, pattern in selector.match]
    parts += [f"{_asked(key)} not like {pattern}" for key, pattern in selector.unlike]
    return ", ".join(parts) or "any pool"


def order_words(selector: Selector) -> str:
    """Why one of the agents that fit came first, for people; empty: by its load."""
    words = [word.partition(" ") for word in selector.order]
    return ", ".join([_ORDERS.get(word, word).format(value) for word, _, value in words])


_ORDERS = {
    "spread": "in the zone with the least work on agents that fit (zone: spread)",
    "prefer": "zone {} is preferred",
    "round_robin": "whose turn it was (round_robin)",
    "fixed_priority": "the first by the label priority (fixed_priority)",
}


def _asked(key: str) -> str:
    return HOST if key == HOST else f"label {key}"
