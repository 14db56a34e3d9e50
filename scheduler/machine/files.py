"""Files: what agents see in the folders that triggers wait for fires these, once each.

Rules of this file:

1. Agents tell what they see, and the state judges. A file is known by where it is and what it is (path,
   inode, birth, mtime, size): told again, by whichever session or node, it has its serial already. Once it
   was told as gone, the same is a new file. So an agent keeps no journal: what it has to remember stands
   here.
2. In a folder of its own an agent's word counts as long as it is of the trigger's pool; in one that all see
   that of one agent, which a command chose (`ChooseEyes`).
3. A trigger fires by the order of its files. It makes a run, or ends without one, of each, or of all that
   wait together (per: batch). A run of a file in an agent's own folder is bound to that agent.
4. Nothing is lost: where the queue is full, the job is paused, or the trigger has fired often enough for
   now, it stays where it is and goes on later. What the state has no room for stays with the agent, who
   tells it again.
5. In a restored state nobody knows what the cluster before made of what was there by then: it is missed.
6. Bounded: so many files that wait, and that are known, of a trigger; so many at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from scheduler.machine.context import OK, ROW, Context, done, refused
from scheduler.machine.rules import eyes
from scheduler.machine.rules.gates import Never
from scheduler.machine.steps import arriving, firing, restoring
from scheduler.machine.steps.watching import FILES_A_RUN_MAX
from scheduler.model.quantities import format_instant
from scheduler.model.watching import MODIFIED, NAME, PATH, SIZE, Watched, read_file
from scheduler.protocol import FILES_AT_ONCE_MAX
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import blind, files, folders
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.blind import Blind
from scheduler.store.tables.files import DONE, FIRED, LEFT, WAITING, SeenFile
from scheduler.store.tables.folders import Folder
from scheduler.store.tables.triggers import FiringTrigger, Trigger
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.causes import Cause, Kind
from scheduler.words.commands import ChooseEyes, FireFiles, ReportBlind, ReportFiles, ReportGone, ReportMoved
from scheduler.words.json_text import json_text
from scheduler.words.outcomes import Code, Outcome

FIRED_AT_ONCE_MAX = 20
WAITING_MAX = 1_000  #: of a trigger; what is more stays with its agent
KNOWN_MAX = 10_000  #: of a trigger in one folder
LOOK_AGAIN_MS = 10_000
"""While everything, or a namespace, is paused: nobody tells each trigger of the end."""


class _Place(NamedTuple):
    """What an agent speaks of."""

    era: Trigger
    folder: Folder
    agent: Agent
    asked: Watched

    @property
    def scope(self) -> int:
        """The agent in whose folder its files are; 0: all see it."""
        return 0 if self.asked.shared else self.agent.id


def _place(ctx: Context, command: ReportFiles | ReportGone | ReportMoved | ReportBlind) -> _Place | Outcome:
    agent = agent_rows.get(ctx.store, command.agent)
    if agent is None or agent.session != command.session or not agent.node:
        return refused(Code.NOT_CONNECTED, f"agent {command.agent} is not connected so")
    told = trigger_rows.get(ctx.store, command.trigger)
    folder = None if told is None else folders.get(ctx.store, told.job, told.key)
    era = None if folder is None or not folder.trigger else trigger_rows.get(ctx.store, folder.trigger)
    if folder is None or era is None:
        return refused(Code.SUPERSEDED, f"trigger {command.trigger} waits for no files")
    asked = read_file(era.spec)
    if not eyes.count(asked, folder, agent):
        return refused(Code.SUPERSEDED, f"of trigger {command.trigger} other agents tell")
    return _Place(era, folder, agent, asked)


def report_files(ctx: Context, command: ReportFiles) -> Outcome:
    place = _place(ctx, command)
    if isinstance(place, Outcome):
        return place
    if len(command.files) > FILES_AT_ONCE_MAX:
        return refused(Code.LIMIT, f"{FILES_AT_ONCE_MAX} files at once")
    era, folder = place.era, place.folder
    job, key = folder.job, folder.key
    waiting = files.count_waiting(ctx.store, job, key, WAITING_MAX)
    kept = files.count_known(ctx.store, job, key, place.scope, KNOWN_MAX)
    row = trigger_rows.firing(ctx.store, era.id)
    assert row is not None
    serials: list[int] = []
    for told in command.files:
        known = files.known(ctx.store, job, key, place.scope, told.path, told.identity)
        if known is None and waiting < WAITING_MAX and kept < KNOWN_MAX:
            ctx.room -= ROW
            folder = folder._replace(last=folder.last + 1)
            known, waiting, kept = folder.last, waiting + 1, kept + 1
            files.insert(
                ctx.store,
                SeenFile(
                    job, key, known, place.scope, told.path, told.identity, told.size, told.modified_ms,
                    told.changed_ms, ctx.stamp_ms, WAITING, 0, "",
                ),
            )  # fmt: skip
            ctx.emit(e.FileArrived(row.namespace or "", row.name, key, known, place.agent.id, told.path))
        serials.append(known or 0)
    if folder.last != place.folder.last:
        at_ms = folder.at_ms if folder.at_ms is not None or folder.is_full else ctx.stamp_ms
        folders.put(ctx.store, folder._replace(at_ms=at_ms))
    return done(serials=serials)


def report_gone(ctx: Context, command: ReportGone) -> Outcome:
    place = _place(ctx, command)
    if isinstance(place, Outcome):
        return place
    for serial in command.serials[:FILES_AT_ONCE_MAX]:
        file = files.get(ctx.store, place.folder.job, place.folder.key, serial)
        if file is None or file.agent != place.scope or file.state == DONE:
            continue  # of one that its agent moves, it says so itself
        ctx.room -= ROW
        if file.state == WAITING:  # nobody could take it in time
            row = trigger_rows.firing(ctx.store, place.era.id)
            assert row is not None
            never = Never("missed", reasons.WINDOW)
            firing.end(ctx, _cause(place.era, file), row, file.seen_ms, never)
        files.drop(ctx.store, file)
    return OK


def report_moved(ctx: Context, command: ReportMoved) -> Outcome:
    place = _place(ctx, command)
    if isinstance(place, Outcome):
        return place
    file = files.get(ctx.store, place.folder.job, place.folder.key, command.serial)
    if file is None or file.agent != place.scope or file.state != DONE:
        return OK  # told before
    if command.error:
        files.set_state(ctx.store, file, LEFT, run=file.run, why=command.error)
    else:
        files.drop(ctx.store, file)
    row = trigger_rows.firing(ctx.store, place.era.id)
    assert row is not None
    ctx.emit(e.FileMoved(row.namespace or "", row.name, file.key, file.serial, file.path, command.error))
    return OK


def report_blind(ctx: Context, command: ReportBlind) -> Outcome:
    place = _place(ctx, command)
    if isinstance(place, Outcome):
        return place
    job, key, agent = place.folder.job, place.folder.key, place.agent.id
    if blind.trouble(ctx.store, job, key, agent) == command.trouble:
        return OK
    if command.trouble:
        blind.put(ctx.store, job, key, Blind(agent, command.trouble, ctx.stamp_ms))
    else:
        blind.drop(ctx.store, job, key, agent)
    row = trigger_rows.firing(ctx.store, place.era.id)
    assert row is not None
    ctx.emit(e.FolderTroubled(row.namespace or "", row.name, key, agent, command.trouble))
    return OK


def choose_eyes(ctx: Context, command: ChooseEyes) -> Outcome:
    folder = folders.get(ctx.store, command.job, command.key)
    if folder is None or not folder.shared or folder.agent != command.before:
        return refused(Code.SUPERSEDED, f"of trigger {command.key} another agent sees by now")
    folders.put(ctx.store, folder._replace(agent=command.agent))
    ctx.emit(e.FoldersChanged(folder.pool))
    return OK


def fire_files(ctx: Context, command: FireFiles) -> Outcome:
    folder = folders.get(ctx.store, command.job, command.key)
    if folder is None or not folder.trigger or folder.at_ms != command.at_ms or folder.at_ms > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"trigger {command.key} of job {command.job} does not go on now")
    era = trigger_rows.get(ctx.store, folder.trigger)
    assert era is not None
    asked = read_file(era.spec)
    for _ in range(FIRED_AT_ONCE_MAX):
        batch = _next(ctx, folder, asked)
        if not batch:
            folders.put(ctx.store, folder._replace(at_ms=None, is_full=0))
            return OK
        slow_ms = _not_before_ms(folder, asked, ctx.stamp_ms)
        if slow_ms is not None:
            folders.put(ctx.store, folder._replace(at_ms=slow_ms))
            return OK
        if ctx.room <= 0:
            break
        ctx.room -= ROW * len(batch)
        told = _fire(ctx, era, asked, batch)
        if told.get("paused"):
            folders.put(ctx.store, folder._replace(at_ms=ctx.stamp_ms + LOOK_AGAIN_MS))
            return OK
        if told.get("full"):
            folders.put(ctx.store, folder._replace(at_ms=None, is_full=1))
            return OK
        if asked.rate[0] and "outcome" not in told:
            recent = [*json.loads(folder.recent), ctx.stamp_ms][-asked.rate[0] :]
            folder = folder._replace(recent=json_text(recent).decode())
    folders.put(ctx.store, folder._replace(at_ms=ctx.stamp_ms))
    return OK


def _next(ctx: Context, folder: Folder, asked: Watched) -> list[SeenFile]:
    """What its next run is of."""
    found = files.waiting(ctx.store, folder.job, folder.key, FILES_A_RUN_MAX if asked.batch else 1)
    return [each for each in found if each.agent == found[0].agent]


def _not_before_ms(folder: Folder, asked: Watched, now_ms: int) -> int | None:
    """When it may fire again; None: now."""
    most, period_ms = asked.rate
    recent = json.loads(folder.recent)[-most:] if most else []
    if len(recent) < most or not recent or recent[0] + period_ms <= now_ms:
        return None
    again_ms: int = recent[0] + period_ms
    return again_ms


def _cause(era: Trigger, file: SeenFile) -> Cause:
    return Cause(Kind.FILE, f"{era.key}/{file.serial}", era.id)


def _fire(ctx: Context, era: Trigger, asked: Watched, batch: Sequence[SeenFile]) -> dict[str, object]:
    trigger = trigger_rows.firing(ctx.store, era.id)  # as it is behind the file before
    assert trigger is not None
    first = batch[0]
    # What was there by the restore was there for the cluster before, whoever tells of it when.
    missed = restoring.missed(ctx, min(first.seen_ms, first.changed_ms))
    outcome = arriving.fire(
        ctx, _cause(era, first), trigger, due_ms=first.seen_ms, missed=missed,
        params=_params(ctx, trigger, era, asked, batch), agent=first.agent, bound=first.agent,
    )  # fmt: skip
    told = outcome.value or {}
    if told.get("paused") or told.get("full"):
        return told
    run = 0 if "outcome" in told else int(str(told["run"]))
    why = f"no run was made of it: {told.get('outcome')} ({told.get('reason')})" if not run else ""
    for file in batch:
        files.set_state(ctx.store, file, FIRED if run else LEFT, run=run, why=why)
    return told


def _params(
    ctx: Context, trigger: FiringTrigger, era: Trigger, asked: Watched, batch: Sequence[SeenFile]
) -> str | None:
    """All of its run's, with what is told of its files; None: nothing is."""
    if not asked.told:
        return None
    assert trigger.namespace is not None
    compiled = ctx.graph(trigger.job, trigger.namespace, trigger.name, trigger.revision).job
    paths = [file.path for file in batch]
    names = [path.rpartition("/")[2] for path in paths]
    facts: dict[str, object] = {
        PATH: paths if asked.batch else paths[0],
        NAME: names if asked.batch else names[0],
        SIZE: sum(file.size for file in batch),
        MODIFIED: format_instant(max(file.modified_ms for file in batch)),
    }
    values = json.loads(compiled.params_of(era.key)) | {param: facts[fact] for fact, param in asked.told}
    return json_text(values).decode()
