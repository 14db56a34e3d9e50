"""No acknowledged write is lost, and all nodes hold the same.

Rules:
1. A change of a job that was answered with success is among its revisions, with that revision and uid; a
   deletion too, behind the revision that it named. Revisions are numbered without gaps, each is made once, by
   a request that was not refused. The list of jobs is the last revision of each.
2. A run that was accepted exists, once for each Idempotency-Key however often it was sent, with its own word.
   A key whose fate nobody knows has at most one run. Whoever looks later finds it.
   A run whose job has a date that is the day before its plan date has that one.
3. Nodes that show the same index show the same state hash, at any time. After healing, state hash and ledger
   head of all nodes are equal at one index, and the product's own check of the ledger finds nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from chaos.case import Case
from chaos.checkers import Finding, Offence, finding

NAME = "durable"
DAY = "before"  #: the parameter of a run that is the day before its plan date
DRILL = "drill"  #: its cluster remembers the jobs of earlier drills


def check(case: Case) -> Finding:
    offences = [
        *_revisions(case),
        *_history_of_jobs(case),
        *_jobs(case),
        *_runs(case),
        *_meanwhile(case),
        *_equal(case),
        *_verified(case),
    ]
    writes = sum(o.outcome == "ok" and o.op in ("put", "delete", "run") for o in case.operations)
    nodes = len(case.final.get("nodes", {}))
    return finding(NAME, offences, f"{writes} acknowledged writes, {nodes} nodes", {"writes": writes})


def _revisions(case: Case) -> Iterable[Offence]:
    told = case.final.get("revisions", {})
    for op in case.operations:
        if op.outcome != "ok" or op.op not in ("put", "delete") or op.arguments["job"] not in told:
            continue
        job = op.arguments["job"]
        if op.op == "delete":
            after = int(op.arguments["if_match"]) + 1
            if not any(r["revision"] == after and r.get("deleted") for r in told[job]):
                detail = f"{job}: a deletion behind revision {after - 1} was acknowledged, and is not there"
                yield Offence("lost-delete", detail, op.ended_s, job, op.id)
            continue
        uid, revision = op.arguments["uid"], op.result.get("revision")
        kept = [r for r in told[job] if r["revision"] == revision]
        found = _uid(kept[0]) if kept else None
        if found != uid:
            detail = f"{job}: revision {revision} ({uid}) was acknowledged; kept is {found or 'nothing'}"
            yield Offence("lost-write", detail, op.ended_s, job, op.id)


def _history_of_jobs(case: Case) -> Iterable[Offence]:
    asked = {op.arguments["uid"]: op for op in case.operations if op.op == "put" and "uid" in op.arguments}
    for job, revisions in case.final.get("revisions", {}).items():
        numbers = sorted(int(revision["revision"]) for revision in revisions)
        first = numbers[0] if case.plan.get("profile") == DRILL and numbers else 1
        if numbers != list(range(first, first + len(numbers))):
            counted = enumerate(numbers, first)
            wrong = next(place - first for place, number in counted if place != number)
            around = numbers[max(0, wrong - 2) : wrong + 2]
            detail = f"{job}: its revisions are not numbered one by one: {around}"
            yield Offence("revision-gap", detail, case.phases.get("final"), job)
        seen: set[str] = set()
        for revision in revisions:
            uid = _uid(revision)
            if uid is None:
                continue
            op = asked.get(uid)
            if uid in seen:
                detail = f"{job}: one request ({uid}) made two revisions, one is {revision['revision']}"
                yield Offence("made-twice", detail, op.ended_s if op else None, job, op.id if op else None)
            elif op is None and case.plan.get("profile") == DRILL:
                continue  # an earlier drill's
            elif op is None or op.outcome == "fail":
                said = "nobody asked for it" if op is None else f"refused with {op.result.get('status')}"
                detail = f"{job}: revision {revision['revision']} ({uid}) was made; {said}"
                yield Offence(
                    "refused-and-made", detail, op.ended_s if op else None, job, op.id if op else None
                )
            seen.add(uid)


def _uid(document: Mapping[str, Any]) -> str | None:
    definition = document.get("definition") or document
    uid = (definition.get("labels") or {}).get("uid")
    return None if uid is None else str(uid)


def _jobs(case: Case) -> Iterable[Offence]:
    """The list of jobs in the end: every declared one, and each register as its last revision left it."""
    if "jobs" not in case.final:
        return
    final_s = case.phases.get("final")
    listed = {job["name"]: job for job in case.final["jobs"]}
    declared = {op.arguments["job"] for op in case.operations if op.op == "declare" and op.outcome == "ok"}
    for job in sorted(declared - set(listed)):
        yield Offence("lost-job", f"{job} was put and never deleted; it is not in the list", final_s, job)
    for job, revisions in case.final.get("revisions", {}).items():
        last = max(revisions, key=lambda revision: int(revision["revision"]), default=None)
        if last is None:
            continue
        kept = None if last.get("deleted") else (last["revision"], _uid(last))
        shown = listed.get(job)
        told = None if shown is None else (shown["revision"], _uid(shown))
        if told != kept:
            detail = f"{job}: its last revision is {kept or 'a deletion'}, the list of jobs says {told}"
            yield Offence("lost-write", detail, final_s, job)


def _meanwhile(case: Case) -> Iterable[Offence]:
    """Nodes that show one index and two states while it runs."""
    known: dict[int, tuple[str, str]] = {}
    for view in case.history:
        if view["kind"] != "view" or not view.get("state_hash"):
            continue
        node, state = known.setdefault(int(view["index"]), (view["node"], view["state_hash"]))
        if state != view["state_hash"]:
            detail = (
                f"at index {view['index']} {node}: {state[:12]}; {view['node']}: {view['state_hash'][:12]}"
            )
            yield Offence("different-state", detail, view["t"])


def _runs(case: Case) -> Iterable[Offence]:
    if "runs" not in case.final:
        return  # never read: the vacuity checker says so
    runs: dict[int, Any] = {int(run["id"]): run for run in case.final.get("runs", [])}
    words: dict[str, set[int]] = defaultdict(set)
    for run in runs.values():
        day, plan_date = (run.get("params") or {}).get(DAY), run.get("plan_date")
        if day and plan_date and day != (date.fromisoformat(plan_date) - timedelta(days=1)).isoformat():
            detail = f"run {run['id']} of plan date {plan_date} has the day {day}"
            yield Offence("wrong-date", detail, 0.0, run["job"], run=int(run["id"]))
        if word := (run.get("params") or {}).get("word"):
            words[word].add(int(run["id"]))
    acknowledged: dict[str, set[int]] = defaultdict(set)
    for op in case.operations:
        if op.op != "run":
            continue
        word, job = op.arguments["word"], op.arguments["job"]
        if op.outcome == "ok":
            run = int(op.result["run"])
            acknowledged[word].add(run)
            if run not in runs or run not in words[word]:
                detail = f"{job}: run {run} ({word}) was accepted and is not there"
                yield Offence("lost-run", detail, op.ended_s, job, op.id, run)
        found = words[word] | acknowledged[word]
        if len(found) > 1:
            detail = f"{job}: one Idempotency-Key ({word}) made runs {sorted(found)}"
            yield Offence("run-twice", detail, op.ended_s, job, op.id)
    known_s = {int(op.result["run"]): op.ended_s for op in reversed(case.operations) if "run" in op.result}
    for op in case.operations:
        if op.op == "look" and op.result.get("status") == 404:
            accepted_s = known_s.get(int(op.arguments["run"]))
            if accepted_s is not None and accepted_s < op.began_s:
                detail = f"run {op.arguments['run']} was accepted, and a later read did not find it"
                yield Offence("stale-read", detail, op.ended_s, operation=op.id)
    started: dict[str, set[int]] = defaultdict(set)
    for mark in case.starts:
        if mark.word not in ("", "-"):
            started[mark.word].add(mark.run)
            if len(started[mark.word]) == 2:
                detail = f"payloads of runs {sorted(started[mark.word])} started for one key ({mark.word})"
                yield Offence("run-twice", detail, mark.at_s, mark.job, run=mark.run)


def _equal(case: Case) -> Iterable[Offence]:
    nodes = case.final.get("nodes", {})
    expected = int(case.plan.get("nodes", 0))
    if "nodes" in case.final and len(nodes) < expected:
        detail = f"{expected} nodes were there, in the end {', '.join(sorted(nodes)) or 'none'} answers"
        yield Offence("node-missing", detail, case.phases.get("final"))
    by_index: dict[int, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, told in nodes.items():
        by_index[told["index"]][told["state_hash"], told["ledger_head"]].append(name)
    for index, found in by_index.items():
        if len(found) > 1:
            said = "; ".join(f"{'+'.join(names)}: {state[:12]}" for (state, _), names in found.items())
            yield Offence("different-state", f"at index {index} {said}", case.phases.get("final"))
    if len(by_index) > 1:
        indices = {name: told["index"] for name, told in nodes.items()}
        yield Offence("not-converged", f"indices in the end: {indices}", case.phases.get("final"))


def _verified(case: Case) -> Iterable[Offence]:
    told = case.final.get("verify") or {}
    if told.get("ok") is False and not told.get("problems"):
        yield Offence("ledger", "the product's own check: not ok", case.phases.get("final"))
    for problem in told.get("problems", [])[:20]:
        yield Offence("ledger", f"the product's own check: {problem}", case.phases.get("final"))
    for node, each in (case.final.get("proofs") or {}).items():  # by the zone data that each of them has
        if each["ok"] is False:
            said = f"by {node}: {(each['problems'] or ['not ok'])[0]}"
            yield Offence("disproved", said, case.phases.get("final"))
