"""The JSON of explanations (docs/reference/api.md). No reads here, no decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.instants import rfc3339
from scheduler.explain import (
    Awaited,
    Chain,
    Condition,
    Explained,
    Finding,
    Part,
    RunExplained,
    TickExplained,
)
from scheduler.store.tables.files import SeenFile
from scheduler.ticks import plan_days

MaySee = Callable[[str], bool]
"""Whether the caller may read in a namespace."""


def finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "gate": finding.gate,
        "state": finding.state,
        "reason": finding.reason or None,
        "since": rfc3339(finding.since_ms),
        "opens": finding.opens or None,
        "opens_at": rfc3339(finding.opens_ms),
        "run": finding.run,
        "outcome": finding.outcome or None,
    }


def chain_json(chain: Chain) -> dict[str, Any]:
    return {
        "chain": [
            {
                "gate": link.gate,
                "passed": link.passed,
                "because": link.because,
                "at": rfc3339(link.at_ms),
                "refs": dict(link.refs),
            }
            for link in chain.links
        ],
        "help": chain.help or None,
    }


def condition_json(told: Condition, may_see: MaySee) -> dict[str, Any]:
    """What the job reacts to is its own affair; which runs of other jobs those are is told to who may read
    there."""
    return {
        "trigger": told.trigger,
        "after": told.text,
        "value": told.value,
        "waits": told.waits,
        "parts": _parts_json(told.parts),
        "heard": [
            {
                "job": heard.job,
                "run": heard.run,
                "state": heard.state,
                "ended": rfc3339(heard.ended_ms),
                "ends": heard.ends,
            }
            for heard in told.heard
            if may_see(heard.job.partition("/")[0])
        ],
        "lacks": list(told.lacks),
        "plan_date": None if told.plan_day is None else plan_days.text_of(told.plan_day),
        "until": rfc3339(told.until_ms),
        "before": told.before or None,
    }


def _parts_json(parts: tuple[Part, ...]) -> list[dict[str, Any]]:
    return [{"depth": part.depth, "text": part.text, "value": part.value} for part in parts]


def run_explained(told: RunExplained, may_see: MaySee) -> dict[str, Any]:
    return {
        "run": told.run.id,
        "job": told.run.name,
        "namespace": told.run.namespace,
        "state": told.run.state,
        "verdict": told.verdict,
        **chain_json(told.chain),
        "gates": [finding_json(each) for each in told.gates],
        "tasks": [
            {
                "task": task.name,
                "member": task.member or None,
                "state": task.state,
                "verdict": task.verdict,
                "gates": [finding_json(each) for each in task.gates],
                "help": task.help or None,
            }
            for task in told.tasks
        ],
        "more": told.more,
        "condition": None if told.condition is None else condition_json(told.condition, may_see),
        "whens": [
            {
                "task": each.task,
                "state": each.state,
                "when": each.text,
                "value": each.value,
                "parts": _parts_json(each.parts),
            }
            for each in told.whens
        ],
        "expected": list(told.expected),
    }


def instant_explained(namespace: str, name: str, told: Explained, may_see: MaySee) -> dict[str, Any]:
    return {
        "job": name,
        "namespace": namespace,
        "at": rfc3339(told.at_ms),
        "verdict": told.verdict,
        **chain_json(told.chain),
        "said": told.said or None,
        "before": rfc3339(told.before_ms),
        "after": rfc3339(told.after_ms),
        "ticks": [_tick_json(each) for each in told.ticks],
        "conditions": [condition_json(each, may_see) for each in told.conditions],
        "awaits": [_awaited_json(each, may_see) for each in told.awaits],
    }


def _awaited_json(told: Awaited, may_see: MaySee) -> dict[str, Any]:
    """How it stands with the job is its own affair; what stands on a board is told to who may read there."""
    shown = bool(told.folder) or may_see((told.hook or told.board).partition("/")[0])
    return {
        "trigger": told.trigger,
        "hook": told.hook or None,
        "board": told.board or None,
        "folder": told.folder or None,
        "last": told.last if shown else None,
        "last_at": rfc3339(told.last_ms) if shown else None,
        "left": told.left,
        "said": told.said,
        "verdict": told.verdict,
        "gates": [finding_json(each) for each in told.gates],
        "files": [_file_json(each) for each in told.files],
    }


def _file_json(file: SeenFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "seen": rfc3339(file.seen_ms),
        "state": file.state,
        "run": file.run or None,
        "why": file.why or None,
    }


def _tick_json(tick: TickExplained) -> dict[str, Any]:
    shared = {"schedule": tick.schedule, "substitute": tick.substitute}
    return {
        **{name: each for name, each in shared.items() if each},
        "trigger": tick.trigger,
        "at": rfc3339(tick.at_ms),
        "due": rfc3339(tick.due_ms),
        "outcome": tick.outcome,
        "reason": tick.reason or None,
        "said": tick.said,
        "run": tick.run,
        "into": rfc3339(tick.into_ms),
        "decided_at": rfc3339(tick.decided_ms),
        "era": {"from": rfc3339(max(0, tick.from_ms)), "until": rfc3339(tick.until_ms)},
        "verdict": tick.verdict,
        "gates": [finding_json(each) for each in tick.gates],
        **chain_json(tick.chain),
    }
