"""What agents are told of the folders that they look into, and of the files that they are to move: read
from the state, at their registration and whenever it changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scheduler import protocol as p
from scheduler.machine.rules import eyes
from scheduler.model.watching import Watched, read_file
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import blind, files, folders, triggers
from scheduler.store.tables.folders import Folder
from scheduler.words.causes import filed

FOLDERS_MAX = 500  #: of one agent
KNOWN_A_PAGE = 1_000
MOVES_MAX = 1_000


class Look(NamedTuple):
    trigger: int
    asked: Watched
    folder: Folder


def of_pool(store: Store, pool: str) -> list[Look]:
    """All that agents of this pool may look into."""
    found = []
    for trigger in triggers.awaiting(store, filed(pool), FOLDERS_MAX):
        era, folder = triggers.get(store, trigger), folders.of_trigger(store, trigger)
        if era is not None and folder is not None:
            found.append(Look(trigger, read_file(era.spec), folder))
    return found


def told(store: Store, agent: int, looks: Sequence[Look]) -> list[p.Message]:
    """What this agent looks into, with what is known there."""
    row = agent_rows.get(store, agent)
    mine = [] if row is None else [each for each in looks if eyes.count(each.asked, each.folder, row)]
    messages: list[p.Message] = []
    for each in mine:
        messages += _known(store, each, 0 if each.asked.shared else agent)
    return [*messages, p.Watch(tuple(_row(store, agent, each) for each in mine))]


def _row(store: Store, agent: int, look: Look) -> tuple[int, str, str, int, bool, str]:
    asked = look.asked
    trouble = blind.trouble(store, look.folder.job, look.folder.key, agent)
    return look.trigger, asked.dir, asked.match, asked.stable_ms, asked.batch, trouble


def _known(store: Store, look: Look, scope: int) -> Iterable[p.Known]:
    after, first = 0, True
    while True:
        page = files.in_folder(store, look.folder.job, look.folder.key, scope, after, KNOWN_A_PAGE)
        if page or first:
            rows = tuple((each.serial, each.path, each.identity) for each in page)
            yield p.Known(look.trigger, first, rows)
        if len(page) < KNOWN_A_PAGE:
            return
        after, first = page[-1].serial, False


def moves(store: Store) -> dict[int, list[p.Message]]:
    """What is to be moved, by the agent that does it."""
    found: dict[int, list[p.Message]] = {}
    for file in files.done(store, MOVES_MAX):
        folder = folders.get(store, file.job, file.key)
        era = None if folder is None or not folder.trigger else triggers.get(store, folder.trigger)
        if folder is not None and era is not None:
            asked = read_file(era.spec)
            move = p.Move(era.id, file.serial, file.path, file.identity, asked.to)
            found.setdefault(file.agent or folder.agent, []).append(move)
    return found
