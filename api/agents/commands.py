"""What an agent says, as commands to the log."""

from __future__ import annotations

import json

from api.agents.bounds import cut
from api.agents.effects import Sight, Work
from scheduler import protocol as p
from scheduler.machine.steps.ends import DETAIL_LETTERS_MAX
from scheduler.words.commands import (
    Command,
    ConnectAgent,
    FileSeen,
    Finish,
    GiveBack,
    Grant,
    ReportBlind,
    ReportFiles,
    ReportGone,
    ReportMoved,
    ReportRunning,
    ReportSilence,
)


def of_hello(hello: p.Hello, node: str, held: tuple[tuple[int, str], ...]) -> ConnectAgent:
    """`held`: what the log has to know of what it holds."""
    return ConnectAgent(
        name=hello.name,
        installation=hello.installation,
        session=hello.session,
        boot_id=hello.boot_id,
        zone=hello.zone,
        pool=hello.pool,
        labels=canonical(hello.labels),
        slots=hello.slots,
        version=hello.software,
        node=node,
        kinds=tuple(sorted(set(hello.kinds))),
        held=held,
        cloud_id=hello.cloud_id,
    )


def of_work(message: Work, agent: int, session: str) -> Command:
    """`agent`: its id in the state. Too much output and too many words are cut."""
    if isinstance(message, p.Claim):
        return Grant(message.attempt, agent, session, message.claim)
    if isinstance(message, p.Running):
        return ReportRunning(message.attempt, agent, message.started_ms)
    if isinstance(message, p.GivenBack):
        return GiveBack(agent, message.attempts, message.reason, message.behind)
    if isinstance(message, p.Silent):
        return ReportSilence(message.attempt, agent, message.since_ms, message.silent)
    message = cut(message)
    return Finish(
        attempt=message.attempt,
        agent=agent,
        started_ms=message.started_ms,
        finished_ms=message.finished_ms,
        exit_code=message.exit_code,
        reason=message.reason,
        signal=message.signal,
        detail=message.detail,
        tail=message.tail,
        output_bytes=message.output_bytes,
        wrote_stderr=message.wrote_stderr,
        outputs=message.outputs,
        outputs_wrong=message.outputs_wrong,
    )


def of_sight(message: Sight, agent: int, session: str) -> Command:
    """Of files that it sees, or moved."""
    if isinstance(message, p.Seen):
        seen = tuple(FileSeen(*row) for row in message.files)
        return ReportFiles(message.trigger, agent, session, seen)
    if isinstance(message, p.Gone):
        return ReportGone(message.trigger, agent, session, message.serials)
    if isinstance(message, p.Blind):
        return ReportBlind(message.trigger, agent, session, message.trouble[:DETAIL_LETTERS_MAX])
    return ReportMoved(message.trigger, agent, session, message.serial, message.error[:DETAIL_LETTERS_MAX])


def canonical(labels: dict[str, str]) -> bytes:
    """One form for equal labels."""
    return json.dumps(labels, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
