"""The JSON shapes of the API (docs/reference/api.md), made from rows. No reads here, no decisions.

A job's JSON is its definition, in the public schema, with what the server knows about it beside it: the
fields of `scheduler.model.server_facts`, which a write leaves out of account.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api.asked import of_task
from api.completed import completion_json
from api.instants import rfc3339
from api.ports import NodeStatus
from api.revisions import changes_json
from api.threads import encode
from scheduler.model.compiled import CompiledJob
from scheduler.model.outputs import outputs_of
from scheduler.store.reads.attempts import AtWork, ListedAttempt
from scheduler.store.state import Overload
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.approvals import Approval
from scheduler.store.tables.fanouts import Fanout
from scheduler.store.tables.holds import Hold
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.overrides import Override
from scheduler.store.tables.pauses import Pause
from scheduler.store.tables.reruns import Rerun
from scheduler.store.tables.restores import Restore
from scheduler.store.tables.rests import Rest
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import NO_INSTANT, Task
from scheduler.ticks import plan_days
from scheduler.words import causes
from scheduler.words.causes import Kind
from scheduler.words.commands import RunJob

_NOTHING: Mapping[int, Hold] = {}
NO_OUTPUTS: Mapping[int, bytes] = {}
NONE_TAKEN: Mapping[int, int] = {}
NO_CHILDREN: Mapping[int, int] = {}
NONE_SPREAD: Mapping[int, Fanout] = {}
NOTHING_ASKED: Mapping[int, Approval] = {}


def job_facts(
    row: Job,
    *,
    states: tuple[str, str],
    next_tick_ms: int | None,
    last_tick: tuple[int, str, str, int] | None,
    last_run: Run | None,
    pauses: Sequence[Pause],
    left: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the server knows about a job beside its definition. `states`: as `placeable.Places` tells them.
    `pauses`: of its namespace, and of everything, that stand. `left`: by its template."""
    return {
        "name": row.name,
        "revision": row.revision,
        "state": states[0],
        "unplaceable_reason": states[1] or None,
        "pause_reason": row.pause_reason or None,
        "paused_by": [pause_json(pause) for pause in pauses],
        **changes_json(row),
        "left_behind": left,
        "source": row.source or None,
        "active_runs": row.active_runs,
        "failures": row.failures,
        "next_tick": rfc3339(next_tick_ms),
        "last_tick": None if last_tick is None else _last_tick_json(*last_tick),
        "last_run": None if last_run is None else run_summary(last_run),
    }


def _last_tick_json(at_ms: int, outcome: str, reason: str, run: int) -> dict[str, Any]:
    return {"at": rfc3339(at_ms), "outcome": outcome, "reason": reason or None, "run": run or None}


def job_bytes(facts: Mapping[str, Any], spec: bytes) -> bytes:
    """The job's JSON. `spec`: its definition, an object that has `job` and `namespace`."""
    return encode(facts)[:-1] + b"," + spec[1:]


def run_summary(row: Run) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "tick": rfc3339(row.tick_ms),
        "created": rfc3339(row.created_ms),
        "started": rfc3339(row.started_ms),
        "finished": rfc3339(row.finished_ms),
        "exit_code": row.exit_code,
        "warned": bool(row.warned),
    }


def run_json(
    row: Run, trigger: str | None, tasks: Iterable[Task], attempts: Iterable[ListedAttempt],
    holds: Mapping[int, Hold] = _NOTHING, outputs: Mapping[int, bytes] = NO_OUTPUTS,
    override: Override | None = None, rest: Rest | None = None, rerun: Rerun | None = None,
    taken: Mapping[int, int] = NONE_TAKEN, reruns: Sequence[int] = (),
    children: Mapping[int, int] = NO_CHILDREN, spread: Mapping[int, Fanout] = NONE_SPREAD,
    asked: Mapping[int, Approval] = NOTHING_ASKED, expected: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A run with its tasks and their attempts. `holds`: of it (0) and of its tasks, that stand; `outputs`: by
    task; `rest`: of one that does what it does finally; `taken`: by task, the run that it was taken over
    from; `reruns`: the newest that repeat it; `children`: by task, the runs that these began; `spread`: by
    task, of those that are divided; `asked`: by task, what these asked; `expected`: of it."""
    return {
        **run_facts(row, trigger, holds.get(0), override, rerun),
        "params": json.loads(row.params or "{}"),
        "actor": row.actor or None,
        "rest": None if rest is None else rest_json(rest),
        "reruns": list(reruns), "expected": expected,
        "tasks": _tasks_json(list(tasks), attempts, holds, outputs, taken, children, spread, asked),
    }


def run_facts(
    row: Run, trigger: str | None, hold: Hold | None = None, override: Override | None = None,
    rerun: Rerun | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A run by itself. `hold`: of one that is kept back."""
    return {
        "id": row.id,
        "job": row.name,
        "namespace": row.namespace,
        "revision": row.revision,
        "tick": rfc3339(row.tick_ms),
        "plan_date": plan_days.text_of(row.plan_day),
        "due": rfc3339(row.due_ms),
        "trigger": trigger,
        "cause": row.cause,
        "cause_key": causes.text(row.cause_key, row.trigger, row.tick_ms) or None,
        "parent": _parent_json(row),
        "state": row.state,
        "waiting": bool(row.waiting),
        "hold": None if hold is None else hold_json(hold),
        "override": None if override is None else override_json(override),
        "rerun": None if rerun is None else rerun_json(rerun),
        "stopping": row.stopping or None,
        "reason": row.reason or None,
        "created": rfc3339(row.created_ms),
        "started": rfc3339(row.started_ms),
        "finished": rfc3339(row.finished_ms),
        "deadline": rfc3339(row.deadline_ms),
        "exit_code": row.exit_code,
        "warned": bool(row.warned),
        "priority": row.priority,
    }


def hold_json(hold: Hold) -> dict[str, Any]:
    return {
        "since": rfc3339(hold.since_ms), "by": hold.actor or None, "reason": hold.reason or None,
        **({"failed": hold.failed} if hold.failed else {}),
    }  # fmt: skip


def override_json(row: Override) -> dict[str, Any]:
    return {"as": row.verdict, "at": rfc3339(row.at_ms), "by": row.actor or None, "reason": row.reason}


def _parent_json(row: Run) -> dict[str, Any] | None:
    """The task of another run that began it; that of one in another namespace has no name here."""
    if row.cause != Kind.NESTED:
        return None
    run, task, member = (*row.cause_key.split("/"), "", "")[:3]
    return {"run": int(run), "task": task, "member": member or None}


def rest_json(rest: Rest) -> dict[str, Any]:
    return {
        "state": rest.state, "exit_code": rest.exit_code, "reason": rest.reason or None,
        "ended": rfc3339(rest.ended_ms),
    }  # fmt: skip


def rerun_json(row: Rerun) -> dict[str, Any]:
    """What a run repeats of another."""
    return {
        "of": row.source, "from_failed": bool(row.from_failed), "from": row.from_task or None,
        "until": row.until_task or None, "after": bool(row.heard),
    }  # fmt: skip


def _task_hold_json(task: Task, holds: Mapping[int, Hold]) -> dict[str, Any] | None:
    hold = holds.get(task.id) if task.state == "held" else None
    return None if hold is None else hold_json(hold)


def is_single(job: CompiledJob) -> bool:
    """Whether a run of it, as it is made, is known without a look: one task, on an agent."""
    return len(job.tasks) == 1 and job.tasks[0].happens == "agent" and job.tasks[0].fanout is None


def new_run_json(
    command: RunJob, job: CompiledJob, value: Mapping[str, Any], agent: Agent | None
) -> dict[str, Any]:
    """A run of a single job as it was made, from the outcome of its command: as `run_json` says it of the
    rows. `agent`: whom the command names; it has the attempt, if there is one."""
    stamp_ms, attempt = value["stamp_ms"], value["attempt"]
    deadline_ms = job.start_deadline_ms
    due, tries = rfc3339(command.due_ms), list[dict[str, Any]]()
    if attempt and agent is not None:
        tries.append({
            "id": attempt, "number": 1, "round": 0, "agent": agent.name, "zone": agent.zone, "member": None,
            "state": "assigned", "unreachable": False, "due": due, "granted": None, "started": None,
            "finished": None, "exit_code": None, "signal": None, "reason": None, "output_bytes": None,
            "fence": None, "late": None, "completion": None,
        })  # fmt: skip
    task = {
        "state": "active" if tries else "queued", "group": None, "round": 0,
        "started": None, "finished": None, "exit_code": None, "warned": False, "reason": None,
        "hold": None, "retry_at": None, "until": None, "members": None, "run": None,
        **of_task(None),
        "outputs": None, "taken_from": None, "attempts": tries,
    }  # fmt: skip
    return {
        "id": value["run"], "job": job.name, "namespace": job.namespace, "revision": value["revision"],
        "tick": None, "plan_date": plan_days.text_of(value["plan_day"]), "due": due,
        "trigger": None, "cause": Kind.MANUAL.value, "cause_key": None, "parent": None,
        "state": "pending", "waiting": False, "hold": None,
        "override": None, "rerun": None, "stopping": None, "reason": None,
        "created": rfc3339(stamp_ms), "started": None, "finished": None,
        "deadline": rfc3339(None if deadline_ms is None else deadline_ms + max(command.due_ms, stamp_ms)),
        "exit_code": None, "warned": False, "priority": job.priority,
        "params": json.loads(command.params or b"{}"), "actor": command.actor.name or None, "rest": None,
        "reruns": [], "expected": None, "tasks": {job.tasks[0].name: task},
    }  # fmt: skip


def _tasks_json(
    rows: Sequence[Task],
    attempts: Iterable[ListedAttempt],
    holds: Mapping[int, Hold],
    outputs: Mapping[int, bytes],
    taken: Mapping[int, int],
    children: Mapping[int, int],
    spread: Mapping[int, Fanout],
    asked: Mapping[int, Approval],
) -> dict[str, Any]:
    """By name: how it stands with the whole task in its newest round, and the attempts of all its rounds.
    Those that were taken back before they had a grant are left out: they were never tries."""
    whole: dict[str, Task] = {}
    for row in rows:
        known = whole.get(row.name)
        if known is None or (not row.member, row.round) >= (not known.member, known.round):
            whole[row.name] = row
    by_id = {row.id: row for row in rows}
    tried: dict[str, list[dict[str, Any]]] = {name: [] for name in whole}
    for listed in attempts:
        task = by_id.get(listed.attempt.task)
        if task is not None and listed.attempt.state != "revoked":
            tried[task.name].append(attempt_json(listed, task))
    return {
        name: {
            "state": task.state,
            "group": by_id[task.of_group].name if task.of_group in by_id else None,
            "round": task.round,
            "started": rfc3339(task.started_ms),
            "finished": rfc3339(task.finished_ms),
            "exit_code": task.exit_code,
            "warned": bool(task.warned),
            "reason": task.reason or None,
            "hold": _task_hold_json(task, holds),
            "retry_at": rfc3339(task.wake_ms) if task.state == "retry_wait" else None,
            "until": None if task.id in spread else _until(task),
            "members": members_json(spread[task.id]) if task.id in spread else None,
            "run": children.get(task.id),
            **of_task(asked.get(task.id)),
            "outputs": outputs_of(outputs[task.id]) if task.id in outputs else None,
            "taken_from": taken.get(task.id),
            "attempts": tried[name],
        }
        for name, task in whole.items()
    }


def _until(task: Task) -> str | None:
    """Of work in the state."""
    return rfc3339(task.wake_ms) if task.state == "active" and task.wake_ms != NO_INSTANT else None


def members_json(now: Fanout) -> dict[str, int]:
    return {
        "all": now.members, "going": now.going, "succeeded": now.succeeded, "failed": now.failed,
        "skipped": now.skipped,
    }  # fmt: skip


def _death(exit_code: int | None, number: int | None) -> str:
    """What killed it, in words. A shell gives 128 + n for a command of its own that signal n has killed."""
    if number is not None:
        return f"killed by {_signal(number)}"
    if exit_code is not None and 128 < exit_code < 128 + signal.NSIG:
        return f"exit code {exit_code}: probably killed by {_signal(exit_code - 128)}"
    return ""


def _signal(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def attempt_json(listed: ListedAttempt, task: Task) -> dict[str, Any]:
    row = listed.attempt
    return {
        "id": row.id,
        "number": row.number,
        "round": task.round,
        "agent": listed.agent,
        "zone": listed.zone,
        "member": task.member or None,
        "state": row.state,
        "unreachable": bool(row.unreachable),
        "due": rfc3339(row.due_ms),
        "granted": rfc3339(row.granted_ms),
        "started": rfc3339(row.started_ms),
        "finished": rfc3339(row.finished_ms),
        "exit_code": row.exit_code,
        "signal": row.signal,
        "reason": "; ".join(filter(None, (row.reason, _death(row.exit_code, row.signal)))) or None,
        "output_bytes": row.output_bytes,
        "fence": row.fence,
        "late": json.loads(row.late) if row.late else None,
        "completion": None if listed.completion is None else completion_json(listed.completion, task),
    }


def runs_json(
    rows: Sequence[Run], keys: Mapping[int, str], tasks: Iterable[Task], attempts: Iterable[ListedAttempt],
    holds: Mapping[int, Mapping[int, Hold]], overrides: Mapping[int, Override],
    reruns: Mapping[int, Rerun], taken: Mapping[int, int], spread: Mapping[int, Fanout],
) -> list[dict[str, Any]]:
    tasks_by_run: dict[int, list[Task]] = {}
    for task in tasks:
        tasks_by_run.setdefault(task.run, []).append(task)
    attempts_by_run: dict[int, list[ListedAttempt]] = {}
    for listed in attempts:
        attempts_by_run.setdefault(listed.attempt.run, []).append(listed)
    return [
        run_json(
            row, keys.get(row.trigger), tasks_by_run.get(row.id, ()), attempts_by_run.get(row.id, ()),
            holds.get(row.id, _NOTHING), override=overrides.get(row.id), rerun=reruns.get(row.id),
            taken=taken, spread=spread,
        )
        for row in rows
    ]


def agent_json(row: Agent) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "zone": row.zone,
        "pool": row.pool,
        "labels": json.loads(row.labels or "{}"),
        **_kinds(json.loads(row.kinds)),
        "slots": row.slots,
        "busy": row.busy,
        "state": "connected" if row.node else "disconnected",
        "connected": bool(row.node),
        "draining": bool(row.draining),
        "drain_reason": row.drain_reason or None,
        "drain_until": rfc3339(row.drain_until_ms),
        "node": row.node or None,
        "version": row.version,
        "installation": row.installation,
        "cloud_id": row.cloud_id or None,
        "connected_at": rfc3339(row.connected_ms),
        "disconnected_at": rfc3339(row.disconnected_ms),
    }


def _kinds(words: list[str]) -> dict[str, Any]:
    kinds = [word for word in words if "." not in word]
    return {
        "kinds": kinds,
        "features": {
            kind: [word.partition(".")[2] for word in words if word.startswith(f"{kind}.")] for kind in kinds
        },
    }


def at_work_json(row: AtWork) -> dict[str, Any]:
    return {
        "attempt": row.id,
        "number": row.number,
        "state": row.state,
        "unreachable": bool(row.unreachable),
        "due": rfc3339(row.due_ms),
        "granted": rfc3339(row.granted_ms),
        "started": rfc3339(row.started_ms),
        "task": row.task,
        "member": row.member or None,
        "round": row.round,
        "run": row.run,
        "namespace": row.namespace,
        "job": row.job,
    }


def cluster_json(status: NodeStatus) -> dict[str, Any]:
    return {
        "cluster": status.cluster,
        "node": status.node,
        "zone": status.zone,
        "url": status.url,
        "address": status.address,
        "state": status.state,
        "leader": status.leader,
        "leader_url": status.leader_url,
        "state_hash": status.state_hash,
        "ledger_head": status.ledger_head,
        "term": status.term,
        "epoch": status.epoch,
        "index": status.index,
        "quorum": status.quorum,
        "ready": status.ready,
        "commit_lag_ms": status.commit_lag_ms,
        "format": status.format,
        "format_target": status.format_target,
        "format_min": status.format_min,
        "format_max": status.format_max,
        "version": status.version,
        "tzdata": status.tzdata,
        "tzdata_installed": status.tzdata_installed or None,
        "free_bytes": status.free_bytes,
        "wal_bytes": status.wal_bytes,
        "longest_turn_ms": status.longest_turn_ms,
        "log_bytes": status.log_bytes,
        "log_entries": status.log_entries,
        "restores": status.restores,
        "certificates": {use: rfc3339(ends_ms) for use, ends_ms in sorted(status.certificates.items())},
        "peers": [
            {
                "node": peer.node,
                "zone": peer.zone,
                "url": peer.url,
                "address": peer.address,
                "reachable": peer.reachable,
                "voter": peer.voter,
                "match": peer.match,
                "silent_ms": peer.silent_ms,
                "clock_offset_ms": peer.clock_offset_ms,
                "free_bytes": peer.free_bytes,
                "tzdata": peer.tzdata,
                "format_min": peer.format_min or None,
                "format_max": peer.format_max or None,
            }
            for peer in status.peers
        ],
    }


def overload_json(overload: Overload | None) -> dict[str, Any] | None:
    """That more is due than can be started, since when, and what showed it."""
    if overload is None:
        return None
    return {
        "since": rfc3339(overload.since_ms),
        "late_seconds": overload.late_ms / 1000,
        "due": overload.due,
    }


def pause_json(pause: Pause) -> dict[str, Any]:
    """A pause of everything, or of a namespace."""
    return {
        "namespace": pause.namespace or None,
        "since": rfc3339(pause.since_ms),
        "until": rfc3339(pause.until_ms),
        "reason": pause.reason,
        "actor": pause.actor or None,
    }


def restore_json(restore: Restore, awaited: int) -> dict[str, Any]:
    """The newest restore, and how far its reconciliation is."""
    return {
        "number": restore.number,
        "kind": restore.kind,
        "former": restore.former,
        "lineage": restore.lineage,
        "backup": rfc3339(restore.stamp_ms),
        "taken_over": rfc3339(restore.taken_ms),
        "phase": restore.phase,
        "held_until": rfc3339(restore.until_ms),
        "catchup": bool(restore.catchup),
        "agents_awaited": awaited,
    }
