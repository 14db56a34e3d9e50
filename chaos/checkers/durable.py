"""No acknowledged write is lost, and all nodes hold the same.

Rules:
1. A change of a job that was answered with success is among its revisions, with that revision and uid.
2. A run that was accepted exists, once for each Idempotency-Key however often it was sent, with its own word.
   A key whose fate nobody knows has at most one run. Whoever looks later finds it.
3. After healing, state hash and ledger head of all nodes are equal at one index, and the product's own check
   of the ledger finds nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from chaos.case import Case
from chaos.checkers import Finding, Offence, finding

NAME = "durable"


def check(case: Case) -> Finding:
    offences = [*_revisions(case), *_runs(case), *_equal(case), *_verified(case)]
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
            continue  # a deletion's revision is not in its reply; the linear checker places it
        uid, revision = op.arguments["uid"], op.result.get("revision")
        kept = [r for r in told[job] if r["revision"] == revision]
        labels = ((kept[0].get("definition") or {}).get("labels") or {}) if kept else {}
        if labels.get("uid") != uid:
            detail = f"{job}: revision {revision} ({uid}) was acknowledged; kept is {labels.get('uid')!r}"
            yield Offence("lost-write", detail, op.ended_s, job, op.id)


def _runs(case: Case) -> Iterable[Offence]:
    if "runs" not in case.final:
        return  # never read: the vacuity checker says so
    runs: dict[int, Any] = {int(run["id"]): run for run in case.final.get("runs", [])}
    words: dict[str, set[int]] = defaultdict(set)
    for run in runs.values():
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
    if nodes and len(nodes) < expected:
        detail = f"{expected} nodes were there, in the end {', '.join(sorted(nodes))} answer"
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
    for problem in told.get("problems", [])[:20]:
        yield Offence("ledger", f"the product's own check: {problem}", case.phases.get("final"))
