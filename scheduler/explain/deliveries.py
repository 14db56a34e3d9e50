"""What would become of a delivery to a job's hook, a notice on its board, or a file in its folder, this
moment: the gates are asked, as of ticks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scheduler.explain.findings import NEVER_WORD, WAITS_WORD, Cluster, Finding, ask, of_cluster, verdict_of
from scheduler.explain.runs import Compiled
from scheduler.machine.rules import eyes, gates, secret_uses
from scheduler.machine.rules.gates import Facts, RunView, TickView, overlap
from scheduler.model.named import resolved
from scheduler.model.noticing import is_meant
from scheduler.model.watching import Watched, read_file
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import blind, deliveries, files, folders, hearers, notices, objects, pauses
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.files import SeenFile
from scheduler.store.tables.folders import Folder
from scheduler.store.tables.refs import Named
from scheduler.store.tables.triggers import FiringTrigger, Trigger

NOTICES_MAX = 1_000
FILES_SHOWN = 20
REFUSED = "no delivery is taken for any job of the hook"


@dataclass(frozen=True, slots=True)
class Awaited:
    trigger: str
    hook: str  #: namespace/name; of these three all but one are empty
    board: str
    folder: str
    last: str | None  #: the newest delivery that the hook took, the key of the newest notice, the newest file
    last_ms: int | None
    left: int  #: notices that it has not heard yet, files that wait
    said: str
    verdict: str
    gates: tuple[Finding, ...]
    files: tuple[SeenFile, ...] = ()  #: that are known of its folder, the newest first, some


def of_job(store: Store, job: int, cluster: Cluster, compiled: Compiled) -> tuple[Awaited, ...]:
    """Of each of its live triggers that waits for a hook, a board or a folder."""
    found = []
    for era in trigger_rows.live(store, job):
        kind = era.event.partition("/")[0]
        row = trigger_rows.firing(store, era.id) if kind in _TELL else None
        if row is not None and row.namespace is not None:
            told, room = _gates(store, era, row, cluster, compiled)
            found.append(_TELL[kind](store, era, told, room))
    return tuple(found)


def _gates(
    store: Store, era: Trigger, row: FiringTrigger, cluster: Cluster, compiled: Compiled
) -> tuple[tuple[Finding, ...], str]:
    """What each says, and what a full queue does: keeps | skips | empty, it is not full."""
    assert row.namespace is not None
    job = compiled(row.job, row.revision, row.namespace, row.name)
    # Where it has a key, the parameters say by which, and those come with the event.
    policy = job.overlap_of(era.key) if row.active_runs and not job.overlap_key else "allow"
    paused = any(each.covers(cluster.now_ms, cluster.now_ms) for each in pauses.of(store, row.namespace))
    facts = Facts(store, cluster.now_ms, row.namespace)
    taken = ask(gates.TICK, TickView(row, paused), facts)
    room = ask(gates.RUN, RunView(store, row.job, 0, policy, row.active_runs, most=job.overlap_max), facts)
    full = verdict_of(room) == NEVER_WORD
    how = "" if not full else "keeps" if policy in overlap.QUEUES else "skips"
    return (of_cluster(cluster), *taken, *room), "paused" if verdict_of(taken) == NEVER_WORD else how


def _of_hook(store: Store, era: Trigger, told: tuple[Finding, ...], room: str) -> Awaited:
    _, namespace, name = era.event.split("/")
    hook = _hook(store, namespace, name)
    told = (told[0], hook, *told[1:])
    said = {
        "": "each delivery to the hook makes a run",
        "paused": "a delivery is taken, and ends without a run",
        "skips": "a delivery is taken, and ends without a run",
        "keeps": f"its queue is full: {REFUSED}",
    }[room]
    if hook.state == NEVER_WORD:
        said = f"{hook.reason}: {REFUSED}"
    newest = deliveries.newest(store, namespace, name, None, 1)
    last, last_ms = (newest[0].delivery, newest[0].at_ms) if newest else (None, None)
    return Awaited(era.key, f"{namespace}/{name}", "", "", last, last_ms, 0, said, verdict_of(told), told)


def _of_board(store: Store, era: Trigger, told: tuple[Finding, ...], room: str) -> Awaited:
    board = era.event.partition("/")[2]
    hearer = hearers.get(store, era.id, board)
    through = 0 if hearer is None else hearer.through
    left = sum(
        is_meant(era.spec, notice.key, notice.plan_day)
        for notice in notices.after(store, board, through, NOTICES_MAX)
    )
    said = {
        "": "each notice on the board that has its key makes a run",
        "paused": "notices wait for the end of the pause",
        "skips": "a notice that comes now ends without a run",
        "keeps": "its queue is full: notices wait for the end of a run",
    }[room]
    newest = notices.newest(store, board, None, 1)
    last, last_ms = (newest[0].key, newest[0].posted_ms) if newest else (None, None)
    return Awaited(era.key, "", board, "", last, last_ms, left, said, verdict_of(told), told)


def _of_folder(store: Store, era: Trigger, told: tuple[Finding, ...], room: str) -> Awaited:
    asked, folder = read_file(era.spec), folders.of_trigger(store, era.id)
    assert folder is not None, "each has one from its beginning on"
    looked = _looked(store, asked, folder)
    told = (told[0], looked, *told[1:])
    said = {
        "": f"each file that fits {asked.match} and stands still makes a run",
        "paused": "files wait for the end of the pause",
        "skips": "a file that comes now ends without a run",
        "keeps": "its queue is full: files wait for the end of a run",
    }[room]
    if asked.batch and not room:
        said = f"all files that fit {asked.match} make a run together, once they stand still"
    if looked.state == NEVER_WORD:
        said = f"{looked.reason}: no file is seen"
    left = files.count_waiting(store, folder.job, folder.key, NOTICES_MAX)
    newest = tuple(files.newest(store, folder.job, folder.key, FILES_SHOWN))
    last, last_ms = (newest[0].path, newest[0].seen_ms) if newest else (None, None)
    where = f"{asked.dir} on pool {asked.pool}"
    return Awaited(era.key, "", "", where, last, last_ms, left, said, verdict_of(told), told, newest)


def _looked(store: Store, asked: Watched, folder: Folder) -> Finding:
    """Whether an agent looks into its folder, and can."""
    looking = [
        agent
        for each in agent_rows.known(store, asked.pool, eyes.LOOKED_MAX, connected=True)
        if (agent := agent_rows.get(store, each.id)) is not None
        and eyes.count(asked, folder, agent)
        and eyes.can_look(agent.kinds)
    ]
    if not looking:
        labels = "".join(f" {name}={value}" for name, value in asked.labels)
        said = f"no connected agent of pool {asked.pool}{labels} looks into {asked.dir}"
        return Finding("folder", NEVER_WORD, said, opens="an agent that does")
    troubles = {each.agent: each for each in blind.of(store, folder.job, folder.key, eyes.LOOKED_MAX)}
    cannot = [agent for agent in looking if agent.id in troubles]
    if not cannot:
        return Finding("folder")
    first = troubles[cannot[0].id]
    others = f", nor can {len(cannot) - 1} more" if len(cannot) > 1 else ""
    said = f"{cannot[0].name} cannot look into {asked.dir} ({first.trouble}){others}"
    state = NEVER_WORD if len(cannot) == len(looking) else WAITS_WORD
    return Finding("folder", state, said, first.since_ms, opens="a folder that the agent's user may read")


def _hook(store: Store, namespace: str, name: str) -> Finding:
    what = Named("hook", namespace, name)
    row = objects.find(store, *what)
    if row is None or not (shape := json.loads(row.spec))["enabled"]:
        return Finding("hook", NEVER_WORD, "the hook is disabled (enabled: false)", opens="enabled: true")
    secret = resolved(shape["secret"], namespace)
    if secret_uses.serves(store, what, *secret):
        return Finding("hook")
    opens = f"cronclave secret grant {secret[1]} --namespace {secret[0]} --job {namespace}/{name}"
    why = "the hook may not use its secret, which is not granted to it"
    return Finding("hook", NEVER_WORD, why, opens=opens)


_TELL: Mapping[str, Callable[[Store, Trigger, tuple[Finding, ...], str], Awaited]] = {
    "hook": _of_hook, "notice": _of_board, "file": _of_folder,
}  # fmt: skip
"""By the first word of what a trigger waits for."""
