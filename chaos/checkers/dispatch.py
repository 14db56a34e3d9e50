"""One node decides, and nothing starts without its committed claim.

Rules:
1. An epoch is one node's; epochs grow. In one term one node calls itself leader. No node goes back to an
   earlier term or epoch, unless the tail of its journal was torn.
2. All nodes tell the same events under the same ids, and none leaves out what others told before: there is
   one history. What lies before a `reset` may be missing, and what is younger than TELL_S.
3. Every start that a payload wrote bears the fence of a committed grant of that very attempt. No fence is
   used twice, and none of an attempt of which its agent says that it never started.
4. Two attempts of one task of a run, of whatever round, never run at the same time: the first one's last sign
   of life lies before the second one's start (a lease that is ignored shows here). Nor do two runs of a job
   under `overlap: skip`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from chaos.case import Case, EventId, Mark, Tried, event_id, milliseconds, tries_of
from chaos.checkers import Finding, Offence, finding
from chaos.history import Entry

NAME = "dispatch"
CLOCK_S = 0.05
TELL_S = 20.0  #: a node that was away tells its events again so soon, on an idle machine
ONE_AT_A_TIME = frozenset({"skip", "queue_one", "queue_all", "cancel_running", "terminate_running"})
NOT_COMPARED = frozenset({"t", "node"})


def check(case: Case) -> Finding:
    offences = [
        *_leaders(case),
        *_backwards(case),
        *_one_history(case),
        *_left_out(case),
        *_claims(case),
        *_one_at_a_time(case),
    ]
    epochs = {e["epoch"] for events in case.events.values() for e in events if e["event"] == "led"}
    events = max((len(told) for told in case.events.values()), default=0)
    counts = {"epochs": len(epochs), "starts": len(case.starts), "events": events}
    return finding(NAME, offences, f"{len(case.starts)} starts, {len(epochs)} epochs", counts)


def _leaders(case: Case) -> Iterable[Offence]:
    by_epoch: dict[int, tuple[str, float]] = {}
    for events in case.events.values():
        last = 0
        for event in events:
            if event["event"] != "led":
                continue
            epoch, node = int(event["epoch"]), event["node"]
            known, _ = by_epoch.setdefault(epoch, (node, event["t"]))
            if known != node:
                yield Offence("two-leaders", f"epoch {epoch} is {known}'s and {node}'s", event["t"])
            if epoch < last:
                yield Offence("epoch-went-back", f"{last}, then {epoch}", event["t"])
            last = epoch
    by_term: dict[int, str] = {}  # not by epoch: a new leader shows the one before until its own is committed
    for view in case.history:
        if view["kind"] != "view" or view.get("state") != "leader":
            continue
        known = by_term.setdefault(int(view["term"]), view["node"])
        if known != view["node"]:
            detail = f"in term {view['term']} both {known} and {view['node']} lead"
            yield Offence("two-leaders", detail, view["t"])


def _backwards(case: Case) -> Iterable[Offence]:
    last: dict[tuple[str, str], int] = {}
    for view in case.history:
        if view["kind"] != "view":
            continue
        for what in ("term", "epoch"):
            if what in view:
                before = last.get((view["node"], what), 0)
                if view[what] < before:
                    detail = f"{view['node']} went from {what} {before} back to {view[what]}"
                    yield Offence(f"{what}-went-back", detail, view["t"])
                last[view["node"], what] = view[what]


def _one_history(case: Case) -> Iterable[Offence]:
    told: dict[str, tuple[str, Any]] = {}
    for node, events in case.events.items():
        for event in events:
            facts = {key: value for key, value in event.items() if key not in NOT_COMPARED}
            other, known = told.setdefault(event["id"], (node, facts))
            if known != facts:
                detail = f"event {event['id']}: {other} says {known}, {node} says {facts}"
                yield Offence("two-histories", detail, event["t"])


def _left_out(case: Case) -> Iterable[Offence]:
    first: dict[EventId, tuple[str, Entry]] = {}
    for node, events in case.events.items():
        for event in events:
            known = first.setdefault(event_id(event), (node, event))
            if event["t"] < known[1]["t"]:
                first[event_id(event)] = (node, event)
    end_s = case.history[-1]["t"] if case.history else 0.0
    edge_s = end_s - TELL_S * case.slowness(end_s - TELL_S, end_s)
    for node, events in case.events.items():
        told = {event_id(event) for event in events}
        gaps = deque(_gaps(told, case.resets.get(node, ())))
        last = max([(0, 0), *told, *(number for number, (_, event) in first.items() if event["t"] < edge_s)])
        missing = []
        for number in sorted(first):
            while gaps and gaps[0][1] < number:
                gaps.popleft()
            inside = bool(gaps) and gaps[0][0] < number
            if number <= last and number not in told and not inside:
                missing.append(number)
        if missing:
            other, event = first[missing[0]]
            detail = (
                f"{node} left out {len(missing)} events, first {event['id']} ({event['event']} of {other})"
            )
            yield Offence("left-out", detail, event["t"])


def _gaps(told: set[EventId], resets: Sequence[EventId]) -> list[tuple[EventId, EventId]]:
    """(from, until] of what a node may never have told: up to each reset from the event before it."""
    marks = set(resets)
    ordered = sorted(told | marks)
    return [(one, other) for one, other in pairwise([(-1, 0), *ordered]) if other in marks]


def _claims(case: Case) -> Iterable[Offence]:
    granted: dict[Tried, Mapping[str, Any]] = {}
    unstarted: set[int] = set()
    for run in case.final.get("runs", []):
        for tried, each in tries_of(run):
            if each["state"] == "unstarted":  # the next one has its number
                unstarted.add(each["fence"])
            else:
                granted[tried] = each
    fences: dict[int, Tried] = {}
    for mark in case.starts:
        attempt = granted.get(mark.tried)
        who = f"{mark.job}: attempt {mark.attempt} of {mark.task} of run {mark.run} on {mark.agent}"
        if mark.fence in unstarted:
            detail = f"{who} started with fence {mark.fence}, which its agent says never to have used"
            yield Offence("unstarted-ran", detail, mark.at_s, mark.job, run=mark.run)
        elif attempt is None or attempt["fence"] is None:
            yield Offence(
                "no-grant", f"{who} started; no grant of it is known", mark.at_s, mark.job, run=mark.run
            )
        elif attempt["fence"] != mark.fence:
            detail = f"{who} started with fence {mark.fence}, granted was {attempt['fence']}"
            yield Offence("wrong-fence", detail, mark.at_s, mark.job, run=mark.run)
        elif attempt["agent"] != mark.agent:
            detail = f"{who} started, granted to {attempt['agent']}"
            yield Offence("wrong-agent", detail, mark.at_s, mark.job, run=mark.run)
        elif not _skewed(case) and case.at_s(milliseconds(attempt["granted"])) > mark.at_s + CLOCK_S:
            yield Offence(
                "before-grant", f"{who} started before its grant", mark.at_s, mark.job, run=mark.run
            )
        known = fences.setdefault(mark.fence, mark.tried)
        if known != mark.tried:
            detail = f"fence {mark.fence} is run {known[0]}'s and run {mark.run}'s"
            yield Offence("fence-twice", detail, mark.at_s, mark.job, run=mark.run)


def _skewed(case: Case) -> bool:
    return any(band.action.startswith("clock") for band in case.bands)


def _one_at_a_time(case: Case) -> Iterable[Offence]:
    """Signs of life of one attempt after the start of the next of its task, or of another run of its job."""
    lives: dict[tuple[str, Tried], list[Mark]] = defaultdict(list)
    for mark in case.marks:
        lives[mark.job, mark.tried].append(mark)
    spans: dict[object, list[tuple[float, float, int, str]]] = defaultdict(list)
    for (job, (run, task, _, attempt)), marks in lives.items():
        first_s, last_s = marks[0].at_s, marks[-1].at_s
        spans[run, task].append((first_s, last_s, run, attempt))
        declared = case.declared.get(job)
        if declared is not None and declared.overlap in ONE_AT_A_TIME:
            spans[job].append((first_s, last_s, run, attempt))
    for who, found in spans.items():
        found.sort()
        for one, other in pairwise(found):
            if one[1] > other[0] + CLOCK_S:
                detail = (
                    f"attempt {one[3]} of run {one[2]} still lived {one[1] - other[0]:.2f} s after"
                    f" attempt {other[3]} of run {other[2]} had started"
                )
                job = who if isinstance(who, str) else ""
                yield Offence("at-the-same-time", detail, other[0], job, run=other[2])
