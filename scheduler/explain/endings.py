"""Every gate and every ending that there is, in words: what it is when it is open, what is said of it when it
ended a tick, and the command that helps.

A gate or a reason without its line here is a mistake, and a test says so. `{job}`, `{at}`, `{run}`, `{task}`,
`{namespace}` and `{date}` of a command are filled in; one of which something is not known falls back to
`job get {job}`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from scheduler.words import reasons


class Gate(NamedTuple):
    name: str
    open: str  #: what is said of it where it is open
    help: str = ""  #: where it is closed; empty: nothing but patience


_GATES = (
    Gate("definition", "the job was there", "audit list --name {job}"),
    Gate("schedule", "its trigger has this instant", "job next {job}"),
    Gate("enabled", "the job is enabled", "job edit {job}"),
    Gate("leader", "a leader decides, with a majority of the nodes", "cluster status"),
    Gate("time", "its instant has come", "job run {job}"),
    Gate("reserved", "no agent has it in advance, or its own has fired it", "job reserved {job}"),
    Gate("cause", "what its trigger waits for has happened"),
    Gate("era", "the job was there and not paused when it came due", "audit list --name {job}"),
    Gate("pause_all", "neither everything nor its namespace is paused", "cluster resume"),
    Gate("pause", "the job is not paused", "job resume {job}"),
    Gate("person", "nobody holds, moves or skips this one", "plan release {job} {at}"),
    Gate("turn", "nothing that is caught up is before it", "run explain {run}"),
    Gate("catchup", "it is in time, or caught up by the job's policy", "job run {job}"),
    Gate("overload", "no more is due than can be started", "cluster status"),
    Gate("restore", "no restore holds it up", "cluster status"),
    Gate("plan_closed", "its plan date is open", "plan open {date}"),
    Gate("blackout", "in no blackout of the job", "job run {job}"),
    Gate("params", "dates among its parameters can be counted, or it has none", "job get {job}"),
    Gate("overlap", "no run of the job is in the way, or its policy lets it pass", "run explain {run}"),
    Gate("requires", "what it requires is there, or it requires nothing", "run release {run}"),
    Gate("failures", "no failures of the job delay it", "job history {job}"),
    Gate("admission", "in its admission windows, or it has none", "job run {job} --ignore-admission"),
    Gate("quota", "its namespace may have one more run", "namespace get {namespace}"),
    Gate("user", "its namespace lets it run as its user", "namespace get {namespace}"),
    Gate("kind", "an agent offers its kind of work", "agents list"),
    Gate("locks", "the resources that it takes are free", "resource list"),
    Gate("agent", "an agent has a free slot", "agents list"),
    Gate("deadline", "it started before its deadline", "job run {job}"),
    Gate("start", "its start was granted, and committed", "job run {job}"),
    # Of runs and tasks.
    Gate("stopping", "its run is not stopping", "run show {run}"),
    Gate("run", "its run has begun", "run explain {run}"),
    Gate("group", "its group has begun", "run show {run}"),
    Gate("needs", "what it needs has ended", "run show {run}"),
    Gate("rest", "it waits for none of the rest", "run show {run}"),
    Gate("when", "its condition holds, or it has none", "run explain {run} --task {task}"),
    Gate("suspended", "nobody keeps the run back", "run resume {run}"),
    Gate("held", "nobody holds it", "run release {run} {task}"),
    Gate("window", "its group is in its windows, or has none", "run show {run}"),
    Gate("share", "it is its turn among the members", "run members {run} {task}"),
    Gate("retry", "it waits for no next try", "run retry {run} {task}"),
    Gate("attempt", "its agent has it, and tells of it", "run show {run}"),
    Gate("work", "its work goes on", "run show {run}"),
    Gate("approval", "it asks nobody", "run approve {run} {task}"),
    Gate("completion", "it waits for nobody outside", "run complete {run} {task}"),
    Gate("tasks", "what is inside of it has ended", "run show {run}"),
    Gate("members", "its members have ended", "run members {run} {task}"),
    Gate("end", "it has not ended", "run logs {run}"),
    Gate("hook", "its hook takes deliveries", "hook list"),
    Gate("folder", "agents look into its folder", "agents list"),
)
GATES: Mapping[str, Gate] = {gate.name: gate for gate in _GATES}
"""By the name that explanations give a gate."""


class Ending(NamedTuple):
    gate: str  #: that closed; empty: none
    said: str
    help: str  #: what a person does to have it done all the same


ENDINGS: Mapping[tuple[str, str], Ending] = {
    ("ran", ""): Ending("", "its run started", "run show {run}"),
    ("skipped", reasons.OVERLAP): Ending(
        "overlap", "another run of the job was in the way", "run show {run}"
    ),
    ("skipped", reasons.PAUSED): Ending("pause", "it came due while it was paused", "job resume {job}"),
    ("skipped", reasons.CANCELLED): Ending(
        "era", "the job was deleted, or its run was cancelled before any start", "audit list --name {job}"
    ),
    ("skipped", reasons.REQUIRES): Ending(
        "requires", "what its run requires did not come in time, or is not planned", "job run {job}"
    ),
    ("skipped", reasons.BY_PERSON): Ending(
        "person", "a person said that this one is skipped, or held it for 35 days", "job run {job}"
    ),
    ("skipped", reasons.PLAN_CLOSED): Ending(
        "plan_closed", "its plan date was closed", "job run {job} --plan-date {date} --closed"
    ),
    ("skipped", reasons.BLACKOUT): Ending(
        "blackout", "it came due, or would have started late, in a blackout of the job", "job run {job}"
    ),
    ("skipped", reasons.ADMISSION): Ending(
        "admission",
        "it came due, or would have started late, outside of the job's admission windows",
        "job run {job} --ignore-admission",
    ),
    ("coalesced", ""): Ending(
        "catchup", "a later tick ran for it, by the job's catch-up policy", "job get {job}"
    ),
    ("coalesced", reasons.OVERLOAD): Ending(
        "overload", "more was due than could be started: a later tick ran for it", "cluster status"
    ),
    ("coalesced", reasons.OVERLAP): Ending(
        "overlap",
        "it waited for room among the runs of the job, and a newer end took its place",
        "job history {job}",
    ),
    ("missed", reasons.WINDOW): Ending(
        "catchup",
        "nobody could fire it in time, and the job's catch-up policy does not run it",
        "job run {job}",
    ),
    ("missed", reasons.OVERLOAD): Ending(
        "overload",
        "more was due than could be started, and the job's catch-up policy runs none late",
        "job run {job}",
    ),
    ("missed", reasons.BUFFER_FULL): Ending("overlap", "more were waiting than may", "job history {job}"),
    ("missed", reasons.RESTORED): Ending(
        "restore", "it came due before a restore, and nobody told that it ran", "job run {job}"
    ),
    ("missed", reasons.REQUIRES): Ending(
        "requires", "what its run requires did not come in time", "job run {job}"
    ),
    ("missed", reasons.PARAMS): Ending(
        "params",
        "a date among the parameters of its run could not be counted: its calendar does not know the days",
        "job run {job}",
    ),
    ("missed", reasons.DEADLINE): Ending(
        "deadline", "its run did not start within start_deadline", "job run {job}"
    ),
    ("missed", reasons.LOST): Ending(
        "start", "its run ended before any start of it was proved", "run show {run}"
    ),
}


def ending_of(outcome: str, reason: str) -> Ending:
    """Of what no version has a line for, its own words."""
    said = f"{outcome}({reason})" if reason else outcome
    return ENDINGS.get((outcome, reason), Ending("", said, "job history {job}"))


def command(words: str, known: Mapping[str, object]) -> str:
    """A command of the tables with what is known filled in, to be pasted."""
    filled = {name: str(value) for name, value in known.items() if value not in (None, "", 0)}
    for each in (words, _LOOK) if words else ():
        try:
            parts = [word.format_map(filled) for word in each.split()]
        except KeyError:
            continue
        elsewhere = filled.get("namespace", "default") != "default"
        more = ["--namespace", filled["namespace"]] if elsewhere and _OF_JOB & set(each.split()) else []
        return shlex.join(["cronclave", *parts, *more])
    return ""


_LOOK = "job get {job}"
_OF_JOB = frozenset(("{job}", "{date}"))
