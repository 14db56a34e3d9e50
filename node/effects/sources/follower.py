"""Who looks at which source when, and what follows.

Rules of this file:

1. Only the leader looks, each source when its time has come, when a person asks, or when the source itself
   was edited. One look of a source at a time, and one that goes live at a time.
2. What is looked at is told to the log where it is news, and only then.
3. What is live is known by the state: the revision, and the index at which it went live. Whatever of it was
   put since, by whomever, is compared with what the source says; a leader that is new knows as much.
4. Where nothing is in it that is another and nothing was touched, a look costs the look alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.objects.secrets import value_of
from api.ports import NoLeaderError, OverloadedError, StorageLowError, UnavailableError
from api.services import Services
from node.effects.sources.applying import Applied, Owner, Prune, go_live
from node.effects.sources.contract import Place, Snapshot, UnreachableError, Wanted, WrongError
from node.effects.sources.reading import Read, read
from scheduler.model.objects.source import CREDENTIALS
from scheduler.store.reads import sources as source_reads
from scheduler.store.tables import sources
from scheduler.store.tables.refs import Named
from scheduler.store.tables.sources import Source, owner
from scheduler.words.commands import Command, ReportSource
from scheduler.words.outcomes import Outcome

log = logging.getLogger("cronclave.sources")

LOOK_S = 1.0
LOOKING_MAX = 4
LOOK_MAX_S = 900.0
AGAIN_S = 300.0  #: what was refused is tried again so often: what stood in its way may be gone
DRIFT_MAX = 100
OTHERWISE, LEFT, GONE = "otherwise", "left over", "gone"


@dataclass(slots=True)
class _Known:
    """Of one source. Lost with the office."""

    next_s: float = 0.0
    refused_s: float = 0.0  #: when it was refused last
    revision: str = ""  #: of what `digests` are
    digests: dict[Named, bytes] = field(default_factory=dict)
    compared: tuple[frozenset[tuple[Named, int]], int] | None = None  #: what was touched, and is owned, then
    looking: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """What is known of a source as it is looked at."""

    given: Mapping[str, Any]
    of_revision: int
    row: Source
    touched: frozenset[tuple[Named, int]]
    owned: int

    @property
    def who(self) -> Owner:
        namespace, name = self.row.namespace, self.row.name
        return Owner(namespace, name, tuple(dict.fromkeys((namespace, *self.given.get("namespaces", ())))))

    @property
    def is_asked(self) -> bool:
        return self.row.asked > self.row.answered

    @property
    def is_edited(self) -> bool:
        return self.row.of_revision != self.of_revision

    @property
    def is_dry(self) -> bool:
        return self.is_asked and bool(self.row.dry_run)


class Follower:
    def __init__(
        self,
        services: Services,
        places: Mapping[str, Place],
        *,
        environment: str,
        holds_office: Callable[[], bool],
        propose: Callable[[Command], Awaitable[Outcome]],
    ) -> None:
        """`places`: by the field of a source that names one."""
        self._services = services
        self._places = places
        self._environment = environment
        self._holds_office = holds_office
        self._propose = propose
        self._known: dict[tuple[str, str], _Known] = {}
        self._poked = asyncio.Event()
        self._live = asyncio.Lock()

    def poke(self) -> None:
        """A source was put, or asked for."""
        self._poked.set()

    async def run(self) -> None:
        """For the life of the front."""
        try:
            while True:
                self._poked.clear()
                if self._holds_office():
                    self._begin_due()
                else:
                    self._forget({})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._poked.wait()
        finally:
            self._forget({})

    def _begin_due(self) -> None:
        now_s = asyncio.get_running_loop().time()
        with self._services.scheduler.read() as store:
            found = {(row.namespace, row.name): row for row in source_reads.all_of(store)}
        self._forget(found)
        for key, row in found.items():
            known = self._known.setdefault(key, _Known())
            given = json.loads(row.spec)
            is_news = row.asked > row.answered or row.revision != row.of_revision
            looking = sum(1 for each in self._known.values() if each.looking is not None)
            if known.looking is not None or not given["enabled"] or looking >= LOOKING_MAX:
                continue
            if is_news or now_s >= known.next_s:
                known.next_s = now_s + source_reads.every_s(given)
                known.looking = asyncio.create_task(self._look(key, known), name=f"source {owner(*key)}")

    def _forget(self, but: Mapping[tuple[str, str], object]) -> None:
        for key in [key for key in self._known if key not in but]:
            known = self._known.pop(key)
            if known.looking is not None:
                known.looking.cancel()

    async def look(self, namespace: str, name: str) -> None:
        """Look at this source once, as it is now, and tell the log what is news."""
        key = (namespace, name)
        look = await asyncio.to_thread(self._now, key)
        if look is None:
            return
        report = await self._judged(look, self._known.setdefault(key, _Known()))
        if report is not None:
            await self._propose(report)

    async def _look(self, key: tuple[str, str], known: _Known) -> None:
        try:
            async with asyncio.timeout(LOOK_MAX_S):
                await self.look(*key)
        except (NoLeaderError, OverloadedError, StorageLowError, UnavailableError, TimeoutError) as error:
            log.info("source %s is looked at again: %r", owner(*key), error)
        except Exception:  # a defect of one must not end the front, nor the others
            log.exception("source %s", owner(*key))
        finally:
            known.looking = None

    def _now(self, key: tuple[str, str]) -> _Look | None:
        with self._services.scheduler.read() as store:
            found = source_reads.one(store, *key)
            if found is None:
                return None
            row = sources.get(store, *key)
            touched, owned = source_reads.touched(store, owner(*key), row.live_idx)
        return _Look(json.loads(found.spec), found.revision, row, frozenset(touched), owned)

    async def _judged(self, look: _Look, known: _Known) -> ReportSource | None:
        """What is to be told; None: nothing is news."""
        seen = look.row.seen
        try:
            snapshot = await self._read(look, known)
            if snapshot.files is None:
                return None
            seen = snapshot.revision
            given = await asyncio.to_thread(
                read, snapshot.files, reach=look.who.reach, environment=self._environment
            )
            told = await self._followed(look, known, snapshot, given)
        except UnreachableError as error:
            told = _report(look, sources.UNREACHABLE, seen, detail=str(error))
        except WrongError as error:
            known.refused_s = asyncio.get_running_loop().time()
            told = _report(look, sources.REFUSED, seen, detail=error.detail, problems=error.problems)
        return told if _is_news(told, look.row) else None

    async def _read(self, look: _Look, known: _Known) -> Snapshot:
        """With its files where anything may have to be done."""
        row, now_s = look.row, asyncio.get_running_loop().time()
        compared = known.compared or (frozenset(), row.documents)
        is_touched = (look.touched, look.owned) != compared
        is_over = row.state == sources.REFUSED and now_s - known.refused_s >= AGAIN_S
        is_needed = look.is_asked or look.is_edited or is_over or row.state == sources.UNREACHABLE
        field_ = next(name for name in self._places if look.given.get(name) is not None)
        secrets = await asyncio.to_thread(self._secrets, look, field_)
        needless = "" if is_needed or is_touched else row.seen
        return await self._places[field_].look(Wanted(look.given, secrets, row.revision, needless))

    def _secrets(self, look: _Look, field_: str) -> dict[str, str]:
        """Raises UnreachableError."""
        part, found = look.given[field_], {}
        named = {name: part[name] for name in CREDENTIALS if name in part} if isinstance(part, dict) else {}
        with self._services.scheduler.read() as store:
            for name, secret in named.items():
                namespace, _, short = secret.rpartition("/")
                value = value_of(store, self._services.settings.vault, namespace or look.row.namespace, short)
                if value is None:
                    raise UnreachableError(f"secret {secret} is not there, or this node cannot read it")
                found[name] = value
        return found

    async def _followed(
        self, look: _Look, known: _Known, snapshot: Snapshot, given: Sequence[Read]
    ) -> ReportSource:
        """It goes live, or is compared. Raises WrongError, UnreachableError."""
        row = look.row
        owned = await asyncio.to_thread(self._owned, row)
        names = {each.what: each.digest for each in given}
        touched = {what for what, _ in look.touched}
        gone = names.keys() - owned
        left = [(*what, LEFT) for what in sorted(owned - names.keys())]
        is_new = snapshot.revision != row.revision or look.is_edited
        if look.is_dry:
            dry = await self._go_live(look, snapshot, given, prune=_prune(look, len(owned)), dry_run=True)
            drift = [*dry.names, *(each for each in left if not dry.deleted)]
            drifted = dry.created + dry.changed + (dry.deleted or len(left))
            return _report(look, _state(drifted), row.seen, drift=drift, drifted=drifted)
        if not (is_new or look.is_asked or ((gone or touched) and look.given["drift"] != "tell")):
            suspects = [each for each in given if each.what in touched or each.what in gone]
            drift = [*(await self._compared(look, snapshot, suspects)), *left]
            known.compared = (look.touched, look.owned)
            return _report(look, _state(len(drift)), snapshot.revision, drift=drift, drifted=len(drift))
        prune = _prune(look, len(owned)) if left else None
        if prune is None and not look.is_asked and known.revision == row.revision != "":
            given = [
                each for each in given
                if known.digests.get(each.what) != each.digest or each.what in touched or each.what in gone
            ]  # fmt: skip
        async with self._live:
            done = await self._go_live(look, snapshot, given, prune=prune)
        known.revision, known.digests, known.compared = snapshot.revision, names, None
        left = [] if prune is not None else left
        documents = len(await asyncio.to_thread(self._owned, row))
        return _report(
            look, _state(len(left)), snapshot.revision, drift=left, drifted=len(left), done=done,
            documents=documents, rewritten=snapshot.rewritten,
        )  # fmt: skip

    async def _compared(
        self, look: _Look, snapshot: Snapshot, suspects: Sequence[Read]
    ) -> list[tuple[str, str, str, str]]:
        """What of these is not as the source says."""
        dry = await self._go_live(look, snapshot, suspects, prune=None, dry_run=True)
        words = {"created": GONE, "changed": OTHERWISE}
        return [(*each[:3], words[each[3]]) for each in dry.names]

    async def _go_live(
        self, look: _Look, snapshot: Snapshot, given: Sequence[Read], *, prune: Prune | None,
        dry_run: bool = False,
    ) -> Applied:  # fmt: skip
        row = look.row
        if not given and prune is None:
            return Applied(row.live_idx, 0, 0, 0, ())
        key = f"{snapshot.revision} {row.live_idx} {row.looked_ms} {look.of_revision} {row.asked}"
        return await go_live(
            self._services, look.who, given, key=key, prune=prune, dry_run=dry_run
        )

    def _owned(self, row: Source) -> set[Named]:
        with self._services.scheduler.read() as store:
            return source_reads.owned(store, owner(row.namespace, row.name))


def _state(drifted: int) -> str:
    return sources.DRIFTED if drifted else sources.SYNCED


def _prune(look: _Look, owned: int) -> Prune | None:
    """How many may go; None: nothing is deleted."""
    if look.is_asked and look.row.prune_max is not None:
        return Prune(look.row.prune_max)
    said = look.given.get("prune")
    if said is None:
        return None
    return Prune(owned * int(said[:-1]) // 100 if said.endswith("%") else int(said))


def _report(
    look: _Look, state: str, seen: str, *, detail: str = "", problems: Sequence[str] = (),
    drift: Sequence[tuple[str, str, str, str]] = (), drifted: int = 0, done: Applied | None = None,
    documents: int = 0, rewritten: bool = False,
) -> ReportSource:  # fmt: skip
    row = look.row
    live = (row.revision, row.live_idx, row.documents) if done is None else (seen, done.idx, documents)
    counts = (0, 0, 0) if done is None else (done.created, done.changed, done.deleted)
    return ReportSource(
        row.namespace, row.name, look.of_revision, state, *live, seen, detail, tuple(problems),
        tuple(drift[:DRIFT_MAX]), drifted, *counts, rewritten, row.asked if look.is_asked else 0,
    )  # fmt: skip


def _is_news(told: ReportSource, row: Source) -> bool:
    before = (row.state, row.revision, row.seen, row.detail, row.of_revision, row.drifted)
    now = (told.state, told.revision, told.seen, told.detail, told.of_revision, told.drifted)
    drift = json.loads(row.drift) != [list(each) for each in told.drift]
    return before != now or drift or told.answers > row.answered or told.live_idx != row.live_idx
