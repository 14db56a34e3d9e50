"""Did enough happen to say anything? If not, the run is INVALID, however green the rest.

Rules: operations, due ticks, starts, pauses, applies, deliveries, notices, rounds, members, hands, answers,
words of completion and of progress, reruns and visits of agents reach the plan's minimum; every planned fault
was injected, seen by a canary while it lasted and seen gone afterwards, or the plan says why it could not
run here; every phase began, all nodes were heard, all final reads were made and hold what they must; the
node whose host has another tzdata proved the ledger too; no file is torn, cut or gone; the clock of the
harness did not jump.
"""

from __future__ import annotations

from collections.abc import Iterable

from chaos import workflows
from chaos.appliers import DONE
from chaos.case import Case
from chaos.checkers import Finding, Offence
from chaos.checkers.due import due_ms
from chaos.checkers.ticks import window
from chaos.days import OF_DATE

NAME = "vacuity"
JUMP_S = 0.5
FINAL = ("jobs", "revisions", "ticks", "runs", "outbox", "nodes", "verify")
PHASES = ("up", "load", "healed", "until", "final")
SETTLER = "settler"  #: who pauses everything in the end
SHOWN_MAX = 10


def check(case: Case) -> Finding:
    counts = _counts(case)
    offences = [*_minimum(case, counts), *_faults(case), *_reads(case)]
    slow = case.slowness(case.phases.get("up", 0.0), case.phases.get("final", 0.0))
    summary = ", ".join(f"{value} {key}" for key, value in counts.items()) + f"; machine slow by {slow:.1f}"
    if not offences:
        return Finding(NAME, "pass", summary, (), counts)
    return Finding(NAME, "invalid", f"{len(offences)} reasons; {summary}", tuple(offences), counts)


def _counts(case: Case) -> dict[str, int]:
    windows = [(job, window(case, job.name)) for job in case.declared.values()]
    return {
        "operations": sum(op.outcome == "ok" for op in case.operations),
        "ticks": sum(len(due_ms(job, *found)) for job, found in windows if found is not None),
        "starts": len(case.starts),
        "faults": sum(band.real is True for band in case.bands),
        "pauses": sum(
            op.op == "pause" and op.outcome == "ok" and op.process != SETTLER
            and op.arguments.get("of") != OF_DATE
            for op in case.operations
        ),
        "applies": sum(op.op in ("apply", "commit") and op.outcome == "ok" for op in case.operations),
        "stages": sum(op.op == "commit" and op.result.get("state") == DONE for op in case.operations),
        "deliveries": sum(op.op == "deliver" and op.outcome == "ok" for op in case.operations),
        "rounds": sum(mark.round > 0 for mark in case.starts),
        "caught": sum((mark.job, mark.task) == (workflows.JOB, workflows.RESCUE) for mark in case.starts),
        "members": sum("/" in mark.task for mark in case.starts),
        "hands": sum(op.op == "hand" and op.outcome == "ok" for op in case.operations),
        "told": sum(op.op == "tell" and op.outcome == "ok" for op in case.operations),
        "answers": sum(op.op == "answer" and op.outcome == "ok" for op in case.operations),
        "completed": sum(op.op == "complete" and op.outcome == "ok" for op in case.operations),
        "progress": sum(op.op == "progress" and op.outcome == "ok" for op in case.operations),
        "reruns": sum(op.op == "rerun" and op.outcome == "ok" for op in case.operations),
        "closings": sum(
            op.op == "pause" and op.outcome == "ok" and op.arguments.get("of") == OF_DATE
            for op in case.operations
        ),
        "turned": sum(op.op == "turn" and op.outcome == "ok" for op in case.operations),
        "fillings": sum(op.op == "fill" and op.outcome == "ok" for op in case.operations),
        "visits": sum(entry["kind"] == "visitor" and entry["what"] == "went" for entry in case.history),
    }


def _minimum(case: Case, counts: dict[str, int]) -> Iterable[Offence]:
    for what, least in case.plan.get("minimum", {}).items():
        if counts.get(what, 0) < least:
            yield Offence("too-little", f"{counts.get(what, 0)} {what}, the plan asks for {least}")


def _faults(case: Case) -> Iterable[Offence]:
    skipped = {e["n"] for e in case.history if e["kind"] == "fault" and e["phase"] == "skipped"}
    known = {band.number: band for band in case.bands}
    for number, step in enumerate(case.plan.get("steps", [])):
        if number in skipped:
            if case.plan.get("skips_allowed") is not True:
                yield Offence("skipped", f"step {number} ({step['action']}) could not run here")
            continue
        band = known.get(number)
        if band is None:
            yield Offence("not-injected", f"step {number} ({step['action']}) never began")
        elif band.problem:
            yield Offence("failed", f"step {number} ({step['action']}): {band.problem}", band.began_s)
        elif band.real is not True:
            yield Offence("not-real", f"step {number} ({step['action']}): no canary saw it", band.began_s)
        elif band.gone is not True:
            yield Offence(
                "not-gone", f"step {number} ({step['action']}): no canary saw its end", band.ended_s
            )


def _contents(case: Case) -> Iterable[Offence]:
    """Final reads that are there and say nothing."""
    read = ("jobs", "runs", "nodes", "verify", "proofs")
    empty = [name for name in read if name in case.final and not case.final[name]]
    for name in empty:
        yield Offence("not-read", f"final/{name}.json is empty")
    for node in [entry["node"] for entry in case.history if entry["kind"] == "tzdata"]:
        if node not in case.final.get("proofs", {}):
            said = f"{node}, whose host has another tzdata, did not say whether the ledger is right"
            yield Offence("not-read", f"final/proofs.json: {said}")
    registers = {op.arguments["job"] for op in case.operations if op.op == "put" and op.outcome == "ok"}
    for of, names in (("ticks", set(case.declared)), ("revisions", registers)):
        for name in sorted(names - set(case.final.get(of, names))):
            yield Offence("not-read", f"final/{of}.json has nothing of {name}")


def _reads(case: Case) -> Iterable[Offence]:
    for damage in case.damage[:SHOWN_MAX]:
        yield Offence("damaged", damage)
    for name in FINAL:
        if name not in case.final:
            yield Offence("not-read", f"final/{name}.json is missing: the run did not come to its end")
    for name in PHASES:
        if name not in case.phases:
            yield Offence("not-read", f"the phase {name!r} never began: the run did not come to its end")
    yield from _contents(case)
    nodes = sorted(case.nodes)
    if len(nodes) < int(case.plan.get("nodes", 1)):
        yield Offence("not-heard", f"only {nodes} were heard")
    for node in nodes:
        if not case.events.get(node):
            yield Offence("not-heard", f"no event of {node} was heard")
    for anchor in (entry for entry in case.history if entry["kind"] == "anchor"):
        jump_s = anchor["wall_s"] - anchor["t"] - case.wall_offset_s
        if abs(jump_s) > JUMP_S:
            yield Offence(
                "clock-jumped", f"the harness's own wall clock jumped by {jump_s:.2f} s", anchor["t"]
            )
            return
