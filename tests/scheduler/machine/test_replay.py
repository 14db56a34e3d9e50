"""The same commands give the same state, however they were joined, reopened, or rows unordered."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.machine.context import ROOM, ROW
from scheduler.machine.rules import selectors
from scheduler.model import parse_job, prepare
from scheduler.plan.passes.unfinished import go_on
from scheduler.protocol import RESERVES
from scheduler.store import schema
from scheduler.store.tables import backfills, jobs, triggers
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words.lifecycle import RUN_ENDS
from tests.scheduler.story import KINDS, START_MS, Story, job

OVERLAPS = (
    "skip", "queue_one", "queue_all", "cancel_running", "terminate_running", "allow",
    {"max": 2, "then": "cancel_running"}, {"key": "{params.n}", "then": "queue_all"},
)  # fmt: skip
CODES = (0, 1, 4, 75, 99)
REASONS = ("exit", "exists", "unmet", "timeout", "cancelled", "gone", "unstarted", "start_failed")
HANDS = (c.SuspendRun, c.ResumeRun, c.ReleaseRun, c.ResumeRun)
TASK_HANDS = (c.HoldTask, c.ReleaseTask, c.RetryTask, c.StopTask, c.ReleaseTask, c.SkipTask, c.RetryTask)
PARTS: tuple[dict[str, Any], ...] = (
    {"from_failed": True}, {"from_task": "b"}, {"until_task": "d", "heard": True},
    {"from_failed": True, "held": True},
    {"from_failed": True, "until_task": "f", "revision": 1}, {}, {"from_task": "d", "until_task": "e"},
)  # fmt: skip
"""What of a run is repeated."""
ANSWERS = (("approved", "ann"), ("approved", "bob"), ("rejected", "ann"), ("approved", ""))
VERIFIED_EVERY = 5  #: steps
SMALL = st.integers(min_value=0, max_value=7)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), SMALL, st.sampled_from(OVERLAPS), st.booleans()),
        st.tuples(st.just("delete"), SMALL),
        st.tuples(st.just("stage"), SMALL, SMALL),
        st.tuples(st.just("pause"), SMALL),
        st.tuples(st.just("resume"), SMALL),
        st.tuples(st.just("run"), SMALL, SMALL),
        st.tuples(st.just("connect"), SMALL, SMALL, SMALL),
        st.tuples(st.just("disconnect"), SMALL),
        st.tuples(st.just("drain"), SMALL),
        st.tuples(st.just("claim"), SMALL, SMALL),
        st.tuples(st.just("work"), SMALL),
        st.tuples(st.just("finish"), SMALL, st.sampled_from(REASONS), st.sampled_from(CODES)),
        st.tuples(st.just("running"), SMALL),
        st.tuples(st.just("cancel"), SMALL),
        st.tuples(st.just("resolve"), SMALL),
        st.tuples(st.just("hand"), SMALL, SMALL),
        st.tuples(st.just("hand"), SMALL, SMALL),
        st.tuples(st.just("task"), SMALL, SMALL),
        st.tuples(st.just("task"), SMALL, SMALL),
        st.tuples(st.just("answer"), SMALL, SMALL),
        st.tuples(st.just("complete"), SMALL, SMALL, SMALL),
        st.tuples(st.just("complete"), SMALL, SMALL, SMALL),
        st.tuples(st.just("rerun"), SMALL, SMALL),
        st.tuples(st.just("rerun"), SMALL, SMALL),
        st.tuples(st.just("lose"), SMALL),
        st.tuples(st.just("unreachable"), SMALL),
        st.tuples(st.just("lead"), SMALL),
        st.tuples(st.just("node"), SMALL),
        st.tuples(st.just("plan"), st.integers(0, 200)),
        st.tuples(st.just("plan"), st.integers(0, 2)),
        st.tuples(st.just("split"), SMALL, SMALL),
        st.tuples(st.just("purge"), SMALL),
        st.tuples(st.just("effect"), SMALL, SMALL, SMALL),
        st.tuples(st.just("mute"), SMALL, SMALL, SMALL),
        st.tuples(st.just("route"), SMALL, SMALL),
        st.tuples(st.just("secret"), SMALL, SMALL, SMALL),
        st.tuples(st.just("files"), SMALL, SMALL, SMALL),
        st.tuples(st.just("files"), SMALL, SMALL, SMALL),
        st.tuples(st.just("pause_all"), SMALL),
        st.tuples(st.just("resume_all"), SMALL),
        st.tuples(st.just("close_plan"), SMALL),
        st.tuples(st.just("change_tick"), SMALL, SMALL, SMALL),
        st.tuples(st.just("fill"), SMALL, SMALL, SMALL),
        st.tuples(st.just("quota"), SMALL, SMALL),
        st.tuples(st.just("apply"), SMALL, SMALL),
        st.tuples(st.just("amount"), SMALL),
        st.tuples(st.just("silence"), SMALL, SMALL),
        st.tuples(st.just("silence"), SMALL, SMALL),
        st.tuples(st.just("acknowledge"), SMALL, SMALL),
        st.tuples(st.just("alone"), SMALL),
        st.tuples(st.just("reserved"), SMALL, SMALL),
        st.tuples(st.just("reserved"), SMALL, SMALL),
    ),
    max_size=60,
)


BEYOND = ("skip", "queue_one", "queue_all")
OPENINGS: dict[int, dict[str, Any]] = {
    4: {"blackout": [{"from": "2027-01-15T08:00:02Z", "until": "2027-01-15T08:00:06Z"}]},
    5: {"admission": {"windows": ["08:01-08:02"], "tz": "Etc/UTC", "at_end": "terminate"}},
    6: {"admission": {"windows": ["00:00-08:01"], "outside": "skip"}},
    7: {"admission": {"windows": ["08:00-08:01", "Fri 08:02-08:03"], "at_end": "terminate"}},
}
"""Of a few jobs: when their runs may start. The zone is none that is in force, so it is read as UTC."""


def nth(story: Story, sql: str, position: int) -> tuple[Any, ...] | None:
    rows = story.store.rows(sql)
    return rows[position % len(rows)] if rows else None


def prepared(story: Story, name: str, values: Sequence[Any]) -> c.PreparedJob:
    document = job(
        name,
        trigger=[
            {"cron": "* * * * * *", "dst": "skip" if values[2] else "cron"},
            {
                "startup": {"delay": f"{1 + values[0] % 3}s"}, "id": "boot",
                "params": {"n": 2, "day": "+ 1 day"},
            },
            {
                "file": {
                    "dir": "/in", "scope": "shared" if values[0] % 2 else "agent", "as": {"size": "n"},
                    "per": "batch" if values[0] % 3 == 1 else "file", "then": {"delete": True},
                    **({"max_rate": "2 per 5s"} if values[2] else {}),
                },
                "id": "file",
            },
        ],
        params={
            "n": {"type": "integer", "default": 1},
            "day": {"type": "date", "default": "tick - 1 month last friday of month"},
        },
        policies={
            "overlap": {"max": 2, "then": values[1]} if values[1] in BEYOND and values[0] == 3 else values[1],
            "catchup": {"mode": ("latest", "all", "none")[values[0] % 3], "grace": "5s"},
            "start_deadline": "30s",
            "timeout": "40s",
            "on_lost": "wait",
            "pause_after_failures": 3,
            "on_failure": "hold" if values[0] % 2 else "end",
            **OPENINGS.get(values[0], {}),
            **({} if name == "job-0" else {"locks": ["lock", "calls"] if values[0] > 3 else ["lock"]}),
        },
        tasks={
            "a": {"noop": True, "retry": {"max": 1, "first": "2s"}},
            "b": {
                "run": "x", "needs": ["a"], "exit": {"warn": [4], "skip": [99], "retry": [75]},
                "retry": {"delays": ["1s", "3s"], "on": ["timed_out"]}, "stderr": "fail",
            },
            "c": {
                "noop": True, "needs": ["a"], "rule": "all_done", "allow_failure": True,
                "locks": [{"resource": "pool", "amount": 1 + values[0] % 2}],
            },
            "d": {"sleep": "5s", "needs": ["a"], "rule": "all_done"},
            "e": {"run": "true", "run_as": "batch", "needs": ["d"], "outputs": ["n"]},
            "f": {
                "noop": True, "on": {"same_as": "a", "match": {"host": "*"}}, "needs": ["d", "b"],
                "rule": "none_failed", "when": "a.exit_code == 0",
            },
            "g": {"noop": True, "when": "tick >= '2027-01-15T08:00:03Z'", "locks": ["pool"]},
            "h": {"noop": True, "needs": ["g", "c"], "rule": {"n_of": 1}, "when": "g.skipped"},
            "i": {"noop": True, "needs": ["e"], "when": "e.outputs.n > 3"},
            "j": {"finish": "failed", "needs": ["c", "i"]},
            **(LAST if values[0] % 3 else {}),
            "k": {"noop": True, "on": {"same_as": "a"}},
            "o": {
                "approval": {"by": ["ann"] if values[0] % 2 else [], "expires": "3s", "four_eyes": True},
                "needs": ["a"], "rule": "all_done", "allow_failure": True,
            },
            "p": {
                "run": "x", "async": {"timeout": "4s"}, "locks": ["pool"], "outputs": ["n"],
                "retry": {"max": 1, "first": "1s"}, "exit": {"warn": [4], "skip": [99]},
                "allow_failure": True,
                **({"fanout": {"n": 2}} if values[0] % 4 == 1 else {}),
            },
            "q": {"noop": True, "needs": ["p"], "when": "p.succeeded"},
            "l": {"sleep": "2s", "needs": ["k"], "rule": "all_done"},
            "m": {"noop": True, "when": "k.failed or l.skipped"},
            "n": {
                "noop": True, "needs": ["a"], "rule": "all_done", "join": "50%",
                "fanout": {"n": 3, "max_parallel": 2, "stagger": "1s", "max_per_agent": 1},
            },
        },
        groups={
            "box": {
                "tasks": ["k", "l"], "catch": ["m"], "needs": ["a"], "rule": "all_done",
                "retry": {"max": 1, "first": "1s"}, "repeat": {"until": "k.succeeded", "max": 2},
            },
        },
        **({"finally": list(LAST)} if values[0] % 3 else {}),
        **({"expect": EXPECTS[values[0] % 4]} if values[0] % 4 else {}),
        notify=[{"on": ["failed", "warned", "recovered"], "webhook": f"https://{name}.example.org"}],
    )
    return prepare(parse_job(document), story.now_ms)


EXPECTS: dict[int, dict[str, Any]] = {
    1: {"start_by": "2s", "end_by": "9s", "output_within": "1s"},
    2: {"end_by": "08:01", "duration": {"min": "80%", "max": "150%"}, "at_least": {"n": 2, "per": "1m"}},
    3: {"duration": {"min": "2s", "max": "6s"}, "output_within": "2s", "at_least": {"per": "1m"}},
}
LAST: dict[str, dict[str, Any]] = {
    "y": {"noop": True, "retry": {"max": 1, "first": "1s"}, "when": "not i.succeeded"},
    "z": {"run": "x", "needs": ["y"], "rule": "all_done", "when": "a.ended and y.ended"},
}
OUTPUTS = (b"", b'{"n":1}', b'{"n":"7"}', b'{"m":1}')
"""What a task may tell that it gives; the last is none that it declares."""


def _declares(story: Story, attempt: int) -> bool:
    sql = "SELECT t.name FROM attempts a JOIN tasks t ON t.id = a.task WHERE a.id = ?"
    return bool(story.store.value(sql, (attempt,)) == "e")


def _of_reserved(story: Story, which: int, what: int) -> list[c.Command]:
    """What an agent says of a tick that it has, or a person of all."""
    row = nth(story, "SELECT attempt, agent, due_ms FROM reservations ORDER BY at_ms, attempt", which)
    if row is None:
        return []
    attempt, agent, due_ms = row
    if what < 2:
        of = "SELECT attempt FROM reservations WHERE agent = ? ORDER BY at_ms DESC"
        last = story.store.rows(of, (agent,))
        return [c.GiveBack(agent, tuple(each[0] for each in last[: 1 + which]))]
    if what == 2:
        return [c.GiveBack(agent, (attempt,), "overlap", 1)]
    if what < 5:
        return [c.Finish(attempt, agent, due_ms, max(due_ms, story.now_ms), which % 2, "exit")]
    if what == 5:
        return [c.ReportRunning(attempt, agent, due_ms)]
    return [(c.Unreserve if what == 6 else c.GiveUpReserved)("default", "alone")]


NAMED = ("put", "delete", "pause", "resume", "run", "fill", "change_tick")
"""Steps of which the first value says of which job."""


def command(story: Story, step: tuple[Any, ...]) -> list[c.Command]:
    """The commands of one step, aimed at what the state holds."""
    kind, *values = step
    name = f"job-{values[0] % 3}" if kind in NAMED else ""
    live = "SELECT id, agent FROM attempts WHERE live = 1 ORDER BY id"
    match kind:
        case "put":
            return [c.PutJobs((prepared(story, name, values),), story.now_ms)]
        case "stage":
            names = [f"job-{place}" for place in range(3) if place != values[1] % 3]
            new = tuple(prepared(story, each, (values[0], "skip", False)) for each in names)
            gone = tuple(c.Deletion("job", "default", f"job-{place}") for place in [values[1]] if place < 3)
            stage = f"stage {story.seq}"
            slices = [c.StageSlice(stage, 0, (), new, gone, story.now_ms, source="git")]
            commit = c.CommitStage(stage, 1, dry_run=values[0] == 3, prune=values[0] > 3)
            return [*slices, c.DropStage(stage) if values[1] == 7 else commit]
        case "delete":
            return [c.DeleteJob("default", name)]
        case "pause":
            return [c.PauseJob("default", name)]
        case "pause_all":
            until_ms = story.now_ms + 2_000 * values[0] if values[0] % 2 else None
            return [c.Pause("default" if values[0] > 4 else "", "why", until_ms)]
        case "quota":
            active, starts = values[0] % 4 or None, values[1] or None
            spec = b'{"quotas":[%d,%d]}' % (values[0], values[1])
            users = ((), ("batch",), ("web",))[values[0] % 3]
            limits: dict[str, Any] = {"active_max": active, "starts_max": starts, "users": users}
            if values[1] % 2:  # its plan dates close by themselves, the next one soon
                day = story.now_ms // 86_400_000
                began_ms = story.now_ms - 86_400_000 + 1_500
                limits |= {"plan_tz": "UTC", "plan_begin": "10:00", "plan_days": ((began_ms, day),)}
                limits["close_after_ms"] = 1_000 * values[0]
            return [c.PutNamespace("default", spec, **limits)]
        case "change_tick":
            act = ("hold", "release", "skip", "move", "give")[values[0] % 5]
            of_job = f"JOIN jobs j ON j.id = t.job AND j.name = '{name}'"
            due = "t.until_ms IS NULL AND t.next_due_ms IS NOT NULL"
            found = nth(story, f"SELECT t.key, t.next_due_ms FROM triggers t {of_job} WHERE {due}"
                        " ORDER BY t.id", values[1])  # fmt: skip
            known = nth(story, f"SELECT t.key, t.at_ms FROM changed_ticks t {of_job}"
                        " ORDER BY t.job, t.key, t.at_ms", values[1])  # fmt: skip
            key, at_ms = known if known and values[2] % 2 else found or ("t", 0)
            if not (known and values[2] % 2):
                at_ms += 1_000 * (values[2] % 4)
            to_ms = at_ms + (-1_500 if values[1] % 2 else 2_500)
            return [c.ChangeTick("default", name, key, at_ms, act, "why", to_ms, b"{}")]
        case "split":
            story.now_ms += 500 * values[1]
            row = nth(story, "SELECT id, next_due_ms FROM triggers WHERE next_due_ms IS NOT NULL"
                      " ORDER BY id DESC", values[0])  # fmt: skip
            if row is None:
                return []
            until_ms = row[1] + 1_000 * (values[1] % 3)
            return [c.SplitGap(story.epoch, row[0], row[1], until_ms, until_ms + 1_000, row[1])]
        case "fill":
            going = backfills.last(story.store)
            if values[2] == 0 and going:
                return [c.CancelBackfill(going, runs=values[1] > 3)]
            of = jobs.find(story.store, "default", name)
            eras = [] if of is None else triggers.live(story.store, of.id)
            to_ms = story.now_ms // 1_000 * 1_000 - 1_000 * values[1]
            span = (to_ms - 1_000 * (1 + values[2]), to_ms, 1 + values[2], 1 + values[1] % 2)
            key = eras[0].key if eras else "none"
            return [c.StartBackfill("default", name, key, *span, values[1] % 2 == 0, values[2] > 5)]
        case "close_plan":
            day = story.now_ms // 86_400_000 + values[0] % 2
            date = ("default", day)
            return [c.ClosePlan(*date, "why") if values[0] % 4 < 2 else c.OpenPlan(*date)]
        case "resume_all":
            return [c.Resume("default" if values[0] > 4 else "")]
        case "apply":
            story.apply(
                {"vars": f"v{values[0] % 2}", "values": {"n": values[1]}},
                job(f"job-{values[1] % 3}", vars=[f"v{values[0] % 2}"], trigger={"cron": "* * * * * *"}),
                gone=[("vars", "default", f"v{1 - values[0] % 2}")] if values[0] > 5 else (),
            )
            return []
        case "amount":
            story.apply({"resource": "pool", "count": 1 + values[0] % 4})
            return []
        case "resume":
            return [c.ResumeJob("default", name)]
        case "run":
            key, held = f"key {values[1]}", values[1] > 5
            # Of a job without a calendar workdays are none: refused, on each node alike.
            given = (b"{}", b'{"day":"next monday"}', b'{"day":"next workday"}')[values[0] % 3]
            return [c.RunJob("default", name, given, story.now_ms, key=key, body=name.encode(), held=held)]
        case "connect":
            held = tuple(
                (row[0], ("running", "exited", "gone", "unstarted")[place % 4])
                for place, row in enumerate(story.store.rows(live))
                if (row[0] + values[1]) % 3
            )
            who = f"agent-{values[0] % 2}"
            return [
                c.ConnectAgent(
                    who, f"{who}-{values[2] // 6}", f"s{values[1]}", f"boot-{values[2] // 7}", "zone-a",
                    "default", b"{}", 3, "1", f"node-{values[2] % 2}",
                    (*KINDS, RESERVES) if values[1] % 4 else ("exec",), held,
                )
            ]  # fmt: skip
        case "alone":
            policies = {"autonomy": {"window": "1m"}, "overlap": ("skip", "allow")[values[0] % 2]}
            trigger = {"id": "t", **({"every": "1s"} if values[0] < 5 else {"cron": "* * * * * *"})}
            made = prepare(parse_job(job("alone", trigger=trigger, policies=policies)), story.now_ms)
            return [c.PutJobs((made,), story.now_ms) if values[0] else c.DeleteJob("default", "alone")]
        case "reserved":
            return _of_reserved(story, values[0], values[1])
        case "drain":
            who = f"agent-{values[0] % 2}"
            return [c.DrainAgent(who) if values[0] // 2 % 2 else c.ResumeAgent(who)]
        case "files":
            place = nth(story, "SELECT d.trigger, d.job, d.key FROM folders d WHERE d.trigger <> 0"
                        " ORDER BY d.job, d.key", values[0])  # fmt: skip
            teller = nth(story, "SELECT id, session FROM agents ORDER BY id", values[1])
            if place is None or teller is None:
                return []
            trigger, (agent, session) = place[0], teller
            if values[2] < 4:
                at_ms = story.now_ms
                seen = c.FileSeen(f"/in/{values[2] % 3}", str(values[2]), values[2], at_ms, at_ms)
                return [c.ReportFiles(trigger, agent, session, (seen,))]
            there = f"SELECT serial FROM files WHERE job = {place[1]} AND key = '{place[2]}' ORDER BY serial"
            (serial,) = nth(story, there, values[2]) or (1,)
            if values[2] < 6:
                return [c.ReportGone(trigger, agent, session, (serial,))]
            error = "" if values[1] % 2 else "no room"
            return [c.ReportMoved(trigger, agent, session, serial, error)]
        case "disconnect":
            row = nth(story, "SELECT id, session, node FROM agents WHERE node <> '' ORDER BY id", values[0])
            return [] if row is None else [c.DisconnectAgent(*row)]
        case "claim":
            row = nth(
                story,
                "SELECT a.id, a.agent, g.session FROM attempts a JOIN agents g ON g.id = a.agent"
                " WHERE a.live = 1 ORDER BY a.id",
                values[0],
            )
            return [] if row is None else [c.Grant(row[0], row[1], row[2], f"claim {values[1] % 2}")]
        case "work":
            rows = story.store.rows(
                "SELECT a.id, a.agent, g.session FROM attempts a JOIN agents g ON g.id = a.agent"
                " WHERE a.state = 'assigned' ORDER BY a.id"
            )
            return [c.Grant(row[0], row[1], row[2], "claim 0") for row in rows[values[0] % 2 :]]
        case "running":
            row = nth(story, live, values[0])
            return [] if row is None else [c.ReportRunning(row[0], row[1], story.now_ms)]
        case "finish":
            row = nth(story, "SELECT id, agent FROM attempts ORDER BY live DESC, id DESC LIMIT 10", values[0])
            if row is None:
                return []
            wrote = (None, False, True)[values[0] % 3]
            return [
                c.Finish(
                    row[0], row[1], None, story.now_ms, values[2], values[1], wrote_stderr=wrote,
                    outputs=OUTPUTS[values[0] % len(OUTPUTS)] if _declares(story, row[0]) else b"",
                )
            ]  # fmt: skip
        case "cancel" | "resolve":
            row = nth(story, "SELECT id FROM runs ORDER BY id DESC LIMIT 8", values[0])
            kind_of = c.CancelRun if kind == "cancel" else c.ResolveRun
            return [] if row is None else [kind_of(row[0])]
        case "hand":
            row = nth(story, "SELECT id FROM runs ORDER BY id DESC LIMIT 8", values[0])
            return [] if row is None else [HANDS[values[1] % len(HANDS)](row[0], "why")]
        case "task":
            last = "SELECT run, name, member FROM tasks ORDER BY finished_ms, id DESC LIMIT 8"
            row = nth(story, last, values[0])
            hand = TASK_HANDS[values[1] % len(TASK_HANDS)]
            return [] if row is None else [hand(row[0], row[1], member=row[2])]
        case "answer":
            row = nth(story, "SELECT run FROM approvals ORDER BY open DESC, task DESC LIMIT 4", values[0])
            answer, who = ANSWERS[values[1] % len(ANSWERS)]
            return [] if row is None else [c.AnswerApproval(row[0], "o", answer, "why", actor=c.Actor(who))]
        case "complete":
            return completed(story, values)
        case "rerun":
            row = nth(story, "SELECT id FROM runs ORDER BY finished_ms IS NULL, id DESC LIMIT 8", values[0])
            fields = PARTS[values[1] % len(PARTS)]
            return [] if row is None else [c.RerunRun(row[0], b"{}", story.now_ms, **fields)]
        case "lose" | "unreachable":
            row = nth(story, live, values[0])
            if row is None:
                return []
            since_ms = story.store.value(
                "SELECT coalesce(disconnected_ms, 0) FROM agents WHERE id = ?", (row[1],)
            )
            if kind == "lose":
                return [c.Lose(story.epoch, row[0], "lease", since_ms)]
            return [c.MarkUnreachable(story.epoch, row[0], since_ms)]
        case "lead":
            return [c.Lead(f"node-{values[0] % 3}", "zone-a", story.epoch + values[0] % 2)]
        case "node":
            return [c.LoseNode(story.epoch, f"node-{values[0] % 2}")]
        case "effect":
            row = nth(story, "SELECT id, attempts FROM outbox ORDER BY id", values[0])
            if row is None:
                return []
            tried = c.ReportUnsent(row[0], row[1] + 1, "refused", values[2] == 0, values[2] * 1_000)
            until_ms = story.now_ms + 2_000 if values[2] % 2 else None
            noticed = c.AcknowledgeEffect(row[0], until_ms)
            decided = (c.ResendEffect(row[0]), c.DropEffect(row[0]), noticed)[values[2] % 3]
            return [(c.ReportSent(row[0]), tried, tried, decided)[values[1] % 4]]
        case "route":
            escalate = {"escalate": {"after": "1m", "to": ["c"]}}
            way = ({"digest": "1m"}, {"most": {"n": 1, "per": "1m"}}, escalate)
            told = {"route": "r", "on": ["failed", "held", "waiting"], "to": ["c"], "enabled": values[1] < 6}
            channel = {"channel": "c", "email": [f"a{values[1]}@example.org"]}
            story.apply(channel, {**told, "everywhere": values[0] > 4, **way[values[0] % 3]})
            return []
        case "mute":
            row = nth(story, "SELECT id FROM mutes ORDER BY id", values[0])
            if row is not None and values[1] % 2:
                return [c.Unmute(row[0])]
            return [c.Mute("default" * (values[0] % 2), "", "failed" * (values[2] % 2), story.now_ms + 3_000)]
        case "silence":
            row = nth(story, live, values[0])
            since_ms = story.now_ms - 1_000 * (values[1] // 2)
            return [] if row is None else [c.ReportSilence(row[0], row[1], since_ms, values[1] % 2 == 0)]
        case "acknowledge":
            row = nth(story, "SELECT id FROM unmet ORDER BY over_ms IS NULL, id DESC LIMIT 4", values[0])
            return [] if row is None else [c.Acknowledge(row[0], story.now_ms + 3_000 * values[1], "why")]
        case "secret":
            return [secret(f"S{values[0] % 3}", values[1] % 5, values[2])]
        case "purge":
            return [c.Purge(story.epoch, 1 + values[0] % 3, story.machine.state.last_run, 2)]
        case _:
            story.now_ms += values[0] * 500
            return story.plan()


def completed(story: Story, values: Sequence[int]) -> list[c.Command]:
    """Words about an attempt that hands its work on, its own or another's: the same ones meet again."""
    last = (
        "SELECT a.id, a.run, t.member FROM attempts a JOIN tasks t ON t.id = a.task AND t.name = 'p'"
        " ORDER BY a.state <> 'awaiting', a.live DESC, a.id DESC LIMIT 4"
    )
    row = nth(story, last, values[0])
    if row is None:
        return []
    attempt, run, member = row
    if values[1] == 7:
        return [c.ReportProgress(run, attempt, 10 * values[2], "at it")]
    outcome = ("succeeded", "succeeded", "failed")[values[1] % 3]
    outputs = b"" if outcome == "failed" else OUTPUTS[values[2] % len(OUTPUTS)]
    word = (run, "p", outcome, f"word {values[2] % 3}", outputs)
    if values[1] > 4:
        return [c.CompleteTask(*word, member=member, actor=c.Actor("ann"))]
    return [c.CompleteTask(*word, attempt=attempt)]


def secret(name: str, what: int, which: int) -> c.Command:
    """One of the commands about a secret; many of them are refused."""
    version, key = 1 + which % 3, f"key-{which // 4}"
    return (
        c.PutSecret("default", name, version, key, b"sealed", (f"job-{which}",)),
        c.PutSecret("default", name, 1, key, b"first"),
        c.GrantSecret("default", name, ("*",), (f"job-{which}",)),
        c.ResealSecrets(key, (c.Resealed("default", name, version, b"again"),)),
        c.DeleteSecret("default", name),
    )[what]


def dump(story: Story) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table; of the state row what does not depend on how entries were cut."""
    tables = [
        row[0] for row in story.store.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
    ]
    assert len(tables) == sum("CREATE TABLE" in statement for statement in schema.STATEMENTS)
    rows = {table: sorted(story.store.rows(f"SELECT * FROM {table}"), key=repr) for table in tables}
    rows["state"] = story.store.rows(
        "SELECT idx, stamp_ms, epoch, ledger_seq, ledger_head, hash, last_run, last_attempt FROM state"
    )
    return rows


def check_invariants(story: Story) -> None:
    store = story.store
    # Busy slots are the live attempts.
    assert (
        store.rows(
            "SELECT g.id FROM agents g WHERE g.busy <> (SELECT count(*) FROM attempts a"
            " WHERE a.agent = g.id AND a.live = 1)"
        )
        == []
    )
    # Active runs are the unfinished ones, kept runs the finished ones.
    assert (
        store.rows(
            "SELECT j.id FROM jobs j WHERE j.active_runs <>"
            " (SELECT count(*) FROM runs r WHERE r.job = j.id AND r.finished_ms IS NULL"
            " AND r.cause <> 'backfill') OR j.runs_stored <>"
            " (SELECT count(*) FROM runs r WHERE r.job = j.id AND r.finished_ms IS NOT NULL)"
        )
        == []
    )
    # Of a backfill so many are active as have not ended, and no more than may be.
    assert (
        store.rows(
            "SELECT b.id FROM backfills b WHERE b.active > b.active_max OR b.active <> (SELECT count(*)"
            " FROM runs r WHERE r.job = b.job AND r.cause = 'backfill' AND r.finished_ms IS NULL"
            " AND r.cause_key LIKE '%/' || b.id)"
        )
        == []
    )
    # A run is open exactly as long as one of its tasks is; a task has at most one live attempt.
    ends = ", ".join(f"'{state}'" for state in sorted(RUN_ENDS | {"skipped"}))
    assert (
        store.rows(
            f"SELECT id FROM runs r WHERE open_tasks - unmade <>"
            f" (SELECT count(*) FROM tasks t WHERE t.run = r.id AND t.state NOT IN ({ends}))"
            " OR (open_tasks = 0) <> (finished_ms IS NOT NULL)"
        )
        == []
    )
    assert store.rows("SELECT task FROM attempts WHERE live = 1 GROUP BY task HAVING count(*) > 1") == []
    assert (
        store.rows(
            "SELECT t.id FROM tasks t WHERE (t.state = 'active' AND t.wake_ms IS NULL AND t.name <> 'box'"
            " AND NOT (t.name = 'n' AND t.member = '')"
            # The whole of `p`, where that is divided, has no attempt ever.
            " AND NOT (t.name = 'p' AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.task = t.id))) <>"
            " (SELECT count(*) FROM attempts a WHERE a.task = t.id AND a.live = 1)"
        )
        == []
    )
    check_locks(story)
    check_completions(story)
    check_expectations(story)
    # What waits to be sent is counted.
    waiting = store.value("SELECT count(*) FROM outbox WHERE state IN ('waiting', 'gathered')")
    assert story.machine.state.outbox_waiting == waiting
    # A finished run has its tick decided; a tick that ran was granted.
    assert store.rows("SELECT id FROM runs WHERE finished_ms IS NOT NULL AND decided = 0") == []


def check_expectations(story: Story) -> None:
    """What is watched is of runs that go on, or failed; what a success meets is open no more."""
    store = story.store
    lost = "SELECT w.run FROM watches w LEFT JOIN runs r ON r.id = w.run WHERE r.id IS NULL OR w.ended <>"
    assert store.rows(f"{lost} (r.finished_ms IS NOT NULL) OR (w.ended = 1 AND r.state = 'succeeded')") == []
    instants = ("start_ms", "risk_ms", "end_ms", "long_ms")
    first = f"min({', '.join(f'coalesce({each}, 1 << 62)' for each in instants)})"
    assert store.rows(f"SELECT run FROM watches WHERE coalesce(next_ms, 1 << 62) <> {first}") == []
    met = "u.run <= r.id AND u.job = r.job AND r.state = 'succeeded' AND r.cause <> 'backfill'"
    still = "u.over_ms IS NULL AND u.what <> 'too_few'"
    assert store.rows(f"SELECT u.id FROM unmet u JOIN runs r ON {met} AND {still}"
                      " AND r.finished_ms >= u.at_ms") == []  # fmt: skip
    ended = "finished_ms IS NOT NULL AND what <> 'late_end' AND over_ms IS NULL"
    assert store.rows(f"SELECT u.id FROM unmet u JOIN runs r ON r.id = u.run WHERE {ended}") == []


def check_ledger(story: Story) -> None:
    verdict = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems


LOCKS: tuple[dict[str, Any], ...] = (
    {"resource": "lock"}, {"resource": "calls", "rate": "1 per 2s"}, {"resource": "pool", "count": 3},
)  # fmt: skip


def check_locks(story: Story) -> None:
    """Held is what holders have, by none who has ended, of a lock by one alone; a task has its own exactly
    while an attempt of it is live, or awaits its completion."""
    store = story.store
    sums = "SELECT resource, sum(amount) FROM lock_holds GROUP BY resource HAVING sum(amount) > 0 ORDER BY 1"
    kept = store.rows("SELECT resource, held FROM resource_uses WHERE held <> 0 ORDER BY 1")
    assert store.rows(sums) == kept
    assert all(held <= (1 if name == "default/lock" else 4) for name, held in kept), kept
    of_runs = store.rows("SELECT DISTINCT id FROM lock_holds WHERE holder = 'run' ORDER BY id")
    assert len(of_runs) == story.machine.state.locks
    ended = "SELECT id FROM lock_holds WHERE run IN (SELECT id FROM runs WHERE finished_ms IS NOT NULL)"
    assert store.rows(ended) == []
    live = store.rows(
        "SELECT t.id, t.run, t.selector FROM tasks t JOIN attempts a ON a.task = t.id"
        " AND (a.live = 1 OR a.state = 'awaiting')"
    )
    parsed = [(task, run, selectors.parse(selector)) for task, run, selector in live]
    takes = [row for row in parsed if row[2].locks]
    with_own = [  # a room on its agent too
        task
        for task, _, wanted in parsed
        if wanted.agent_max or (wanted.locks and wanted.locks[-1].holder == "task")
    ]
    of_tasks = store.rows("SELECT DISTINCT id FROM lock_holds WHERE holder = 'task' ORDER BY id")
    assert of_tasks == [(task,) for task in sorted(with_own)]
    needs = {run for _, run, wanted in takes if wanted.locks[0].holder != "task"}
    assert needs <= {run for (run,) in of_runs}


def check_completions(story: Story) -> None:
    """What awaits a word is on no agent, in a task that goes on until an instant, and has none; what ended
    behind a good process has one, or its time was over."""
    store = story.store
    awaits = (
        "SELECT a.id FROM attempts a JOIN tasks t ON t.id = a.task"
        " LEFT JOIN completions k ON k.attempt = a.id"
    )
    odd = "a.live = 1 OR t.state <> 'active' OR t.wake_ms IS NULL OR k.exited_ms IS NULL OR k.outcome <> ''"
    assert store.rows(f"{awaits} WHERE a.state = 'awaiting' AND ({odd})") == []
    told = "coalesce(k.outcome, '')"
    assert store.rows(f"{awaits} WHERE t.name = 'p' AND a.state = 'succeeded' AND {told} <> 'succeeded'"
                      # What exists already is not made, and nobody has to say how that ended.
                      " AND t.state <> 'skipped' AND a.reason NOT LIKE '%exists'") == []  # fmt: skip
    assert store.rows(f"{awaits} WHERE t.name = 'p' AND a.state = 'timed_out' AND {told} <> ''"
                      " AND k.exited_ms IS NOT NULL") == []  # fmt: skip


def check_unfinished(story: Story) -> None:
    """A run is marked exactly as long as something is left to do for it."""
    marked = story.store.rows(
        "SELECT id FROM runs WHERE unfinished <> (unmade > 0 OR walk <> '' OR"
        " EXISTS (SELECT 1 FROM tells WHERE tells.run = runs.id))"
    )
    assert marked == []


def finish_unfinished(story: Story) -> None:
    """In the smallest room a step is a task's part, or the begin or end of a run; a job has fifteen tasks
    here."""
    runs = story.store.value("SELECT count(*) FROM runs WHERE finished_ms IS NULL")
    for _ in range(40 * runs + 100):
        left = go_on(story.store, story.cache, epoch=story.epoch)
        if not left:
            break
        story.tell_ok(*left)
    else:
        raise AssertionError("going on never ends")
    # What is inside of a group waits for that, what catches for its failure, and members for their turn.
    group = "(SELECT state FROM tasks g WHERE g.id = t.of_group)"
    has_begun = f"(t.of_group = 0 OR (t.name <> 'm' AND {group} NOT IN ('blocked', 'held')))"
    stuck = story.store.rows(
        "SELECT t.id FROM tasks t JOIN runs r ON r.id = t.run WHERE t.state = 'blocked'"
        " AND (t.open_needs = 0 AND r.waiting = 0 AND r.state NOT IN ('held', 'suspended')"
        f" AND {has_begun} AND (t.member = '' OR t.queued_ms IS NOT NULL)"
        " OR r.finished_ms IS NOT NULL OR r.stopping <> '')"
        # What is done finally waits for the rest.
        " AND NOT (t.id > r.last_task - r.kept_last AND r.finished_ms IS NULL AND EXISTS"
        " (SELECT 1 FROM tasks o WHERE o.id BETWEEN r.first_task AND r.last_task - r.kept_last"
        " AND o.finished_ms IS NULL))"
    )
    assert stuck == []
    # Nothing of a run that is kept back waits for an agent, or is on its way to one.
    kept_back = "(SELECT id FROM runs WHERE state IN ('held', 'suspended') AND stopping = '')"
    assert story.store.rows(f"SELECT id FROM tasks WHERE state = 'queued' AND run IN {kept_back}") == []
    assert story.store.rows(f"SELECT id FROM attempts WHERE state = 'assigned' AND run IN {kept_back}") == []
    # Its clocks stand still.
    goes = "stop_ms IS NOT NULL OR deadline_ms IS NOT NULL"
    assert story.store.rows(f"SELECT id FROM runs WHERE id IN {kept_back} AND ({goes})") == []


BEGINNING: tuple[tuple[Any, ...], ...] = (("put", 0, "skip", False), ("put", 1, "allow", False), ("plan", 4))


def begun(folder: Path, room: int) -> Story:
    story = Story(folder / "told.db", room=room)
    story.lead()
    story.connect("agent-0", session="s0", node="node-0", installation="agent-0-0", slots=3)
    assert story.apply(*LOCKS).ok
    return story


def replay(folder: Path, steps: list[tuple[Any, ...]], cut: int, room: int = ROOM) -> None:
    story = begun(folder, room)
    for place, step in enumerate([*BEGINNING, *steps]):
        # It reads all of the ledger, where what is wrong stays so: purging alone takes from it.
        if place % VERIFIED_EVERY == 0 or step[0] == "purge":
            check_ledger(story)
        commands = command(story, step)
        if commands:
            story.tell(*commands)
        check_invariants(story)
        check_unfinished(story)
    finish_unfinished(story)
    check_invariants(story)
    check_ledger(story)
    tell_again(story, folder, cut, room)


def tell_again(story: Story, folder: Path, cut: int, room: int) -> None:
    told = dump(story)
    # All that was told at one instant in one entry, with rows in another order, and reopened now and then.
    again = Story(folder / "again.db", reverse=True, room=room)
    pending: list[bytes] = []
    for place, (now_ms, frame) in enumerate(story.frames):
        if pending and now_ms != again.now_ms:
            again.enter(*pending)
            pending = []
            if place % cut == 0:
                again.reopen()
        again.now_ms = now_ms
        pending.append(frame)
    again.enter(*pending)
    assert again.machine.state.hash == story.machine.state.hash
    assert dump(again) == told
    for each in (story, again):
        each.compare_kept()
        each.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.integers(1, 5), st.sampled_from((ROW, 3 * ROW, ROOM)))
def test_replay_gives_the_same_state(steps: list[tuple[Any, ...]], cut: int, room: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        replay(Path(folder), steps, cut, room)


WEIGHTS = {
    "put": 3, "stage": 2, "delete": 1, "pause": 1, "resume": 2, "run": 4, "connect": 4, "disconnect": 2,
    "claim": 6, "work": 10, "finish": 14, "running": 3, "cancel": 2, "resolve": 2, "lose": 2,
    "unreachable": 2, "lead": 1, "node": 1, "plan": 24, "purge": 1, "effect": 3, "secret": 4, "quota": 1,
    "amount": 2, "hand": 2, "task": 2, "answer": 2, "fill": 2, "complete": 6, "silence": 3, "acknowledge": 1,
    "rerun": 2, "apply": 1, "pause_all": 1, "resume_all": 6, "close_plan": 1, "change_tick": 3, "drain": 1,
    "split": 1, "alone": 1, "reserved": 6, "mute": 1, "route": 1,
}  # fmt: skip


def random_steps(rng: random.Random, number: int, *, seconds: bool) -> list[tuple[Any, ...]]:
    """`seconds`: whether much time passes between them."""
    kinds = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=number)
    steps: list[tuple[Any, ...]] = []
    for kind in kinds:
        values: list[Any] = [rng.randrange(8), rng.randrange(8), rng.randrange(8)]
        if kind == "put":
            values = [values[0], rng.choice(OVERLAPS), rng.random() < 0.5]
        elif kind == "finish":
            values = [values[0], rng.choice((*REASONS, "exit", "exit")), rng.choice((0, 0, *CODES))]
        elif kind == "plan":
            values = [rng.choice((0, 0, 1, 2, 6, 90) if seconds else (0, 0, 0, 1, 2, 3))]
        steps.append((kind, *values))
    return steps


@pytest.mark.parametrize("seed", range(12))
def test_a_long_story_replays(seed: int, tmp_path: Path) -> None:
    """Long enough that what one command leaves behind meets the others. The seed is in the test's name."""
    rng = random.Random(seed)
    steps = random_steps(rng, 250, seconds=seed % 2 == 1)
    replay(tmp_path, steps, rng.randrange(1, 5), rng.choice((ROW, 2 * ROW, ROOM)))
