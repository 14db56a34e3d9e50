"""What the golden logs of the newest format tell. A new command belongs into `every_command`, accepted."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from scheduler import formats
from scheduler.model import parse_job, prepare
from scheduler.store.tables import listeners, secrets, triggers
from scheduler.words import causes, codec
from scheduler.words import commands as c
from scheduler.words.lifecycle import RUN_ENDS
from tests.golden.arriving import arriving
from tests.golden.asking import asking
from tests.golden.calendars import dates_change, delays_pass, schedules_change, zones_change
from tests.golden.dates import dates
from tests.golden.expected import expected
from tests.golden.fanouts import divided
from tests.golden.groups import groups
from tests.golden.hands import hands
from tests.golden.held import held
from tests.golden.inside import inside
from tests.golden.log import Recorder
from tests.golden.outside import outside
from tests.golden.overlaps import overlaps
from tests.golden.plans import fills, plans
from tests.golden.reservations import reservations
from tests.golden.routes import routing
from tests.golden.sources import owned
from tests.golden.templates import templates_change
from tests.golden.windows import windows
from tests.scheduler.machine.test_replay import LOCKS, OVERLAPS, REASONS, WEIGHTS, command
from tests.scheduler.story import START_MS, job

FOREVER = 1 << 61
ADA = c.Actor("ada", "10.0.0.7")
BEN = c.Actor("ben", "10.0.0.9", by_session=True)


def every_command(story: Recorder) -> None:
    """Each command of the union, accepted; most of them refused once too."""
    story.lead()
    story.tell_ok(c.Barrier(), c.Compare(b""), c.PutToken("bootstrap", bytes(32), "admin"))
    story.tell(c.PutToken("bootstrap", b"x" * 32, "admin"), c.Lead("node-b", "zone-b", 0))
    _joining(story)
    _jobs(story)
    _objects(story)
    _secrets(story)
    _a_second_of_ticks(story)
    _a_gap(story)
    _overload(story)
    _boots(story)
    _dependents(story)
    _conditions(story)
    _deliveries(story)
    _notices(story)
    _together(story)
    _slices(story)
    _lost_and_found(story)
    _deadlines(story)
    owned(story)
    hands(story)
    inside(story)
    asking(story)
    outside(story)
    groups(story)
    divided(story)
    _effects(story)
    routing(story)
    _upkeep(story)
    _other_values(story)
    _format(story)
    _stages(story)
    _quotas(story)
    windows(story)
    plans(story)
    fills(story)
    overlaps(story)
    arriving(story)
    dates(story)
    templates_change(story)
    dates_change(story)
    schedules_change(story)
    zones_change(story)
    delays_pass(story)
    _exits(story)
    _locks(story)
    held(story)
    expected(story)
    reservations(story)


def _locks(story: Recorder) -> None:
    """Taken by a run and by its tasks, waited for, spent, given back."""
    tasks = {"a": {"noop": True}, "b": {"noop": True, "locks": ["pool"]}, "c": {"noop": True, "needs": ["b"]}}
    holds = {"locks": ["lock", "calls"], "start_deadline": "3s"}
    jobs = job("locked", tasks=tasks, policies=holds), job("one", locks=["lock", "pool"])
    assert story.apply(*LOCKS, *jobs).ok
    runs = [story.value(c.RunJob("default", name, b"{}", story.now_ms), "run") for name in ("locked", "one")]
    story.tell_ok(c.RunJob("default", "locked", b"{}", story.now_ms))
    story.plan_and_apply()
    attempt = story.attempt(story.machine.state.last_attempt)
    assert attempt.run == runs[0]
    story.tell_ok(c.Revoke(story.epoch, attempt.id, "unclaimed"))
    story.tell(*story.plan())  # its other task had been told that the run has locks: refused, and set right
    story.now_ms += 2_000
    story.plan_and_apply()
    assert story.claim(story.machine.state.last_attempt).ok
    story.now_ms += 2_000
    story.plan_and_apply()  # the deadline of the one that waits is counted anew
    story.settle()
    story.now_ms += 10_000
    story.settle()
    assert {story.run(run).state for run in runs} == {"succeeded"}


def _conditions(story: Recorder) -> None:
    """Branches that are taken or not, and meet again; a run of which nothing is to be done."""
    document = job(
        "either",
        params={"region": {"type": "string", "default": "eu"}},
        tasks={
            "a": {"noop": True},
            "b": {"noop": True, "needs": ["a"], "when": "a.succeeded and params.region == 'eu'"},
            "c": {"noop": True, "needs": ["a"], "when": "params.region != 'eu'"},
            "d": {"noop": True, "needs": ["b", "c"], "rule": "none_failed", "when": "a.exit_code == 0"},
            "e": {"noop": True, "needs": ["b", "c"], "rule": {"n_of": 1}},
            "f": {"noop": True, "when": "params.region == 'us'"},
        },
    )
    story.put(document, job("never", noop=True, when="plan_date == '2020-01-01'", trigger={"every": "1s"}))
    story.now_ms += 1_000
    for region in (b"eu", b"us"):
        story.tell_ok(c.RunJob("default", "either", b'{"region":"%s"}' % region, story.now_ms))
    story.settle()
    _outputs(story)
    story.tell_ok(c.DeleteJob("default", "either"), c.DeleteJob("default", "never"))
    story.tell_ok(c.DeleteJob("default", "gives"))


def _outputs(story: Recorder) -> None:
    """What one task writes another asks for; of two runs one writes what nobody declared."""
    tasks = {
        "extract": {"run": "./extract.sh", "outputs": ["rows", "path"]},
        "load": {"run": "./load.sh", "needs": ["extract"], "when": "extract.outputs.rows > 10"},
    }
    story.put(job("gives", tasks=tasks))
    for written in (b'{"rows":"42","path":"/data"}', b'{"rows":9}', b'{"rwos":9}'):
        story.tell_ok(c.RunJob("default", "gives", b"{}", story.now_ms))
        story.plan_and_apply()
        attempt = story.store.value("SELECT max(id) FROM attempts WHERE state = 'assigned'")
        story.claim(attempt)
        story.finish(attempt, outputs=written)
    story.settle()


def _exits(story: Recorder) -> None:
    """Ends by exit code and stderr: tried again, warned, skipped, failed."""
    story.connect("exits", slots=9, pool="exits")
    task = {
        "run": "x", "on": {"pool": "exits"}, "exit": {"warn": [4], "skip": [99], "retry": ["75-76"]},
        "retry": {"delays": ["1s"], "on": ["timed_out"]}, "stderr": "fail",
    }  # fmt: skip
    hears = job("hears", trigger=[{"after": "exits.warned"}, {"after": "exits.warned and exits.failed"}])
    where = {"pool": "exits", "same_as": "a", "match": {"host": "ex*"}, "not": {"tier": "regex:t.*"}}
    then = {"noop": True, "needs": ["a"], "on": where}
    story.put(job("exits", tasks={"a": task, "b": then}), hears)
    ends: list[tuple[int, bool | None]] = [(75, False), (4, False), (99, None), (0, None)]
    run, assigned = 0, "SELECT max(id) FROM attempts WHERE run = ? AND state = 'assigned'"
    for exit_code, wrote in [*ends, (0, True), (3, False)]:
        if not run or story.run(run).state in RUN_ENDS:
            run = story.value(c.RunJob("default", "exits", b"{}", story.now_ms), "run")
        story.now_ms += 1_000
        for _ in range(3):
            story.plan_and_apply()
        attempt = story.store.value(assigned, (run,))
        assert story.claim(attempt).ok
        story.finish(attempt, exit_code=exit_code, wrote_stderr=wrote)
        story.settle()
    for reason in ("exists", "unmet"):
        run = story.value(c.RunJob("default", "exits", b"{}", story.now_ms), "run")
        for _ in range(3):
            story.plan_and_apply()
        attempt = story.store.value(assigned, (run,))
        assert story.claim(attempt).ok
        story.finish(attempt, exit_code=0 if reason == "unmet" else None, reason=reason, wrote_stderr=False)
        story.settle()
    story.tell_ok(c.DeleteJob("default", "hears"), c.DeleteJob("default", "exits"))


def _namespaces(story: Recorder) -> None:
    for name, pools in (("finance", ("etl", "web")), ("web", ())):
        spec = b'{"namespace":"%s"}' % name.encode()
        story.tell_ok(c.PutNamespace(name, spec, pools, len(name), users=pools[:1], before=name))
    story.tell_ok(c.PutNamespace("web", b'{"namespace":"web","owner":"ann"}', (), 1, 1))
    story.tell(c.PutNamespace("web", b"{}", if_revision=7), c.DeleteNamespace("kitchen"))
    story.tell_ok(c.PutNamespace("gone", b"{}"), c.DeleteNamespace("gone"))


def _quotas(story: Recorder) -> None:
    """Two plan dates, one run at a time: the second waits, and goes on when the first has ended."""
    days = ((START_MS - 6 * 3_600_000, 20_833), (START_MS + 25 * 3_600_000, 20_835))
    planned = c.PutNamespace("small", b"{}", plan_days=days, plan_tz="UTC", plan_begin="05:30")
    story.tell_ok(msgspec.structs.replace(planned, active_max=1, starts_max=5))
    story.tell_ok(
        c.PutJobs((prepare(parse_job({**job("one"), "namespace": "small"}), story.now_ms),), story.now_ms)
    )
    first = story.value(c.RunJob("small", "one", b"{}", story.now_ms), "run")
    story.tell_ok(c.RunJob("small", "one", b"{}", story.now_ms, plan_day=20_900))
    story.tell_ok(c.AdmitRuns(story.epoch, "small"), c.CancelRun(first))
    story.tell_ok(c.AdmitRuns(story.epoch, "small"), c.DeleteJob("small", "one"))
    _followed(story)


def _followed(story: Recorder) -> None:
    """A job follows the defaults of its namespace, and one that was put under others is followed up."""
    given = {"job": "two", "namespace": "small", "noop": True}
    story.tell_ok(c.PutJobs((prepare(parse_job(given), story.now_ms),), story.now_ms))
    story.tell_ok(c.PutNamespace("small", b'{"owner":"ann"}', defaults=b'{"policies":{"priority":9}}'))
    story.plan_and_apply()
    story.tell_ok(c.PutJobs((prepare(parse_job({**given, "job": "three"}), story.now_ms),), story.now_ms))
    story.plan_and_apply()
    story.tell_ok(c.DeleteJob("small", "two"), c.DeleteJob("small", "three"))


def _joining(story: Recorder) -> None:
    ends_ms = story.now_ms + 3_600_000
    story.tell_ok(c.PutToken("web", b"w" * 32, "join-agent", ends_ms, 1, "", "web"))
    roles = (c.Granted("finance", "operator"), c.Granted("web", "viewer"))
    for name in ("ann", "bob"):
        story.tell_ok(c.PutToken(name, name.encode().ljust(32), "", roles=roles))
    story.tell(c.DeleteToken("bob", within=("finance",)), c.DeleteToken("bob", within=("finance", "web")))
    story.tell_ok(c.RedeemToken("web", "web-1", b"1" * 32, "web"))
    story.tell(c.RedeemToken("web", "web-2", b"2" * 32, "web"))
    _namespaces(story)
    for letter in (b"s", b"t"):
        story.tell_ok(c.OpenSession("bootstrap", bytes(32), letter * 32))
    story.tell(
        c.OpenSession("bootstrap", b"x" * 32, b"u" * 32), c.OpenSession("nobody", bytes(32), b"u" * 32)
    )
    story.tell_ok(c.CloseSession(b"s" * 32))
    story.tell(c.CloseSession(b"s" * 32))
    story.tell_ok(c.DeleteToken("agent:web-1"))
    story.tell(c.DeleteToken("agent:web-1"))


def _jobs(story: Recorder) -> None:
    story.put(
        job("steady", trigger={"cron": "* * * * * *"}, policies={"overlap": "skip"}),
        job("zoned", trigger={"cron": "30 2 * * *", "tz": "Europe/Berlin"}, labels={"team": "ops"}),
        job(
            "graph",
            tasks={
                "a": {"noop": True, "retry": {"max": 1, "first": "2s"}},
                "b": {"noop": True, "needs": ["a"], "rule": "all_done"},
            },
        ),
        key="a key",
        body=b"1" * 32,
    )
    story.put(job("steady", trigger={"cron": "* * * * * *"}, policies={"overlap": "queue_all"}))
    story.tell_ok(c.PauseJob("default", "zoned", ADA), c.ResumeJob("default", "zoned", ADA))
    story.put(job("short-lived", trigger={"every": "1s"}))
    story.tell_ok(c.DeleteJob("default", "short-lived"))
    story.tell(c.DeleteJob("default", "short-lived"), c.PauseJob("default", "none"))


def _objects(story: Recorder) -> None:
    """What jobs refer to, put and deleted with them; runs that keep the vars that they began with."""
    given = {"vars": "dsn", "values": {"host": "db1"}, "labels": {"team": "ops"}}
    using = job("using", vars=["dsn", "elsewhere/more"])
    more = {"vars": "more", "namespace": "elsewhere", "values": {"n": 1}}
    assert story.apply(using, given, more, {**job("other", vars=["more"]), "namespace": "elsewhere"}).ok
    story.tell_ok(c.RunJob("default", "using", b"{}", story.now_ms))
    story.now_ms += 1
    assert story.apply({**given, "values": {"host": "db2"}}, actor=ADA, source="git").ok
    story.tell_ok(c.RunJob("default", "using", b"{}", story.now_ms))
    assert story.apply(given, gone=[("vars", "default", "none")]).code == "not_found"
    assert story.apply(gone=[("vars", "default", "dsn")]).code == "referred"
    assert story.apply(job("using", vars=["lost"])).code == "missing"
    time = {"from": "2027-01-01T00:00:00Z", "until": "2027-02-01T00:00:00Z"}
    ends = {"schedule": "month-end", "triggers": [{"cron": "0 0 L * *"}]}
    story.now_ms += 1
    january = {"schedule": "january", "substitute": "month-end", "valid": time}
    for _ in range(2):
        assert story.apply(ends, january, key="an apply", body=b"3" * 32).ok
    assert story.apply({"resource": "warehouse"}, gone=[("schedule", "default", "january")]).ok
    assert story.apply(job("unused"), gone=[("job", "default", "using"), ("vars", "default", "dsn")]).ok


def _secrets(story: Recorder) -> None:
    story.tell_ok(
        c.PutSecret("default", "PASSWORD", 1, "key-1", b"sealed", ("with-*",), ADA),
        c.PutSecret("web", "PASSWORD", 1, "key-1", b"sealed", (), BEN),
    )
    story.tell(
        c.PutSecret("default", "PASSWORD", 1, "key-1", b"late"), c.PutSecret("web", "KEY", 1, "key-2", b"s"),
        c.GrantSecret("web", "PASSWRD", ("*",), ()), c.GrantSecret("web", "PASSWORD", ("[a]",), ()),
        c.DeleteSecret("web", "PASSWRD"),
    )  # fmt: skip
    story.now_ms += 1_000
    story.tell_ok(c.GrantSecret("web", "PASSWORD", ("default/with-*",), ("none",), ADA))
    story.tell_ok(c.PutSecret("web", "KEY", 1, "key-1", b"of the web"))
    both = ["PASSWORD", {"name": "web/PASSWORD", "as": "WEB"}]
    story.put(job("with-secrets", tasks={"t": {"run": "x", "secrets": both}}))
    story.tell_ok(
        c.PutSecret("default", "PASSWORD", 2, "key-1", b"again"),
        c.ResealSecrets("key-2", (c.Resealed("web", "PASSWORD", 1, b"under the other key"),)),
        c.DeleteSecret("web", "KEY", ADA),
    )


def _a_second_of_ticks(story: Recorder) -> None:
    agent = story.connect("agent-1")
    story.now_ms += 1_000
    story.settle()
    trigger = story.triggers("steady")[0]
    due_ms = trigger.next_due_ms
    assert due_ms is not None
    gap = c.Account(story.epoch, trigger.id, due_ms, due_ms + 4_000, 5, due_ms + 5_000, "missed", "window")
    story.tell_ok(gap)
    story.tell(gap, c.Fire(story.epoch, trigger.id, due_ms, due_ms + 1_000))
    story.now_ms = due_ms + 5_000
    story.settle()
    story.tell_ok(c.RunJob("default", "graph", b"{}", story.now_ms, ADA, "run key", b"2" * 32))
    story.tell_ok(c.RunJob("default", "graph", b"{}", story.now_ms, ADA, "run key", b"2" * 32))
    story.plan_and_apply()
    attempt = story.machine.state.last_attempt
    story.tell_ok(c.Revoke(story.epoch, attempt, "unclaimed"))
    story.tell_ok(c.Place(story.epoch, story.machine.state.last_task - 1, agent))
    attempt = story.machine.state.last_attempt
    assert story.claim(attempt).ok
    story.tell_ok(c.ReportRunning(attempt, agent, story.now_ms))
    assert story.finish(attempt, exit_code=1, tail=b"no\n").ok
    story.now_ms += 2_500
    assert any(isinstance(planned, c.Wake) for planned in story.plan_and_apply())
    story.settle()
    naps = {"a": {"sleep": "1m"}, "b": {"noop": True, "needs": ["a"]}}
    story.put(job("sleeper", tasks=naps, policies={"timeout": "1h"}))
    story.tell_ok(*(c.RunJob("default", "sleeper", b"{}", story.now_ms) for _ in range(2)))
    story.tell_ok(c.CancelRun(story.machine.state.last_run, ADA))
    story.now_ms += 60_000
    story.tell(c.Wake(story.epoch, story.machine.state.last_task - 1, story.now_ms))
    story.settle()
    story.tell_ok(c.RunJob("default", "graph", b"{}", story.now_ms))
    story.tell_ok(c.CancelRun(story.machine.state.last_run, ADA))


def _a_gap(story: Recorder) -> None:
    """Missed ticks that are run one after the other, while jobs are edited, paused and deleted."""
    every = {"every": "2s", "id": "even"}
    policies = {"overlap": "skip", "catchup": {"mode": "all", "grace": "1s"}}
    names = ("gap", "gap-edited", "gap-paused", "gap-gone")
    story.put(*(job(name, trigger=every, policies=policies) for name in names))
    story.now_ms += 11_000
    assert any(isinstance(planned, c.SetAside) for planned in story.plan_and_apply())
    story.plan_and_apply()
    story.put(job("gap-edited", trigger={**every, "jitter": "1s"}, policies=policies))
    story.tell_ok(c.PauseJob("default", "gap-paused"), c.DeleteJob("default", "gap-gone"))
    story.settle()
    story.tell_ok(c.ResumeJob("default", "gap-paused"))
    _a_split_gap(story)
    story.tell_ok(*(c.DeleteJob("default", name) for name in names[:3]))
    story.settle()


def _a_split_gap(story: Recorder) -> None:
    """One that is put behind the present; told twice."""
    story.now_ms += 9_000
    (trigger,) = [each for each in story.triggers("gap-paused") if each.until_ms is None]
    assert trigger.next_due_ms is not None
    first_ms = trigger.next_due_ms
    told = (first_ms, first_ms + 3_000, first_ms + 4_000, first_ms)
    story.tell_ok(c.SplitGap(story.epoch, trigger.id, *told))
    story.tell(c.SplitGap(story.epoch, trigger.id, *told))
    story.settle()


def _differences(story: Recorder) -> None:
    """What the leader finds as it looks through the ledger; told twice, and gone."""
    found = c.TellProof(story.epoch, 2, "missing", story.job("shed-all").id, story.now_ms, "no outcome")
    story.tell_ok(found)
    story.tell(found)
    story.tell_ok(c.TellProof(story.epoch, 1, "chain", 0, story.now_ms + 1, "its hash does not follow"))
    story.tell_ok(c.TellProof(story.epoch, 0))
    story.tell(c.TellProof(story.epoch, 0))
    story.now_ms += 1_000
    story.tell_ok(found)
    story.tell_ok(c.TellProof(story.epoch, 0))


def _overload(story: Recorder) -> None:
    """More is due than can be started: what is too old ends without a run, whatever the policy but `all`."""
    for mode in ("latest", "none", "all"):
        story.put(job(f"shed-{mode}", trigger={"every": "1s"}, policies={"catchup": {"mode": mode}}))
    story.tell_ok(c.TellOverload(story.epoch, True, 4_000, 3))
    story.tell(c.TellOverload(story.epoch, True, 1, 1))
    story.now_ms += 7_000
    assert any(isinstance(planned, c.Account) for planned in story.plan_and_apply())
    story.settle()
    story.tell_ok(c.TellOverload(story.epoch, False))
    _differences(story)
    story.tell_ok(*(c.DeleteJob("default", f"shed-{mode}") for mode in ("latest", "none", "all")))
    story.settle()


def _boots(story: Recorder) -> None:
    """Hosts that boot, with a job for each, at once and later; one is paused by then."""
    here = {"startup": {"pool": "web"}, "id": "boot"}
    later = {"startup": {"pool": "web", "delay": "30s"}, "id": "boot"}
    on = {"pool": "web"}
    story.put(job("at-boot", trigger=here, on=on), job("after-boot", trigger=later, on=on))
    agents = [story.connect(f"web-{n}", pool="web", boot_id="boot-1") for n in (1, 2)]
    story.settle()
    story.disconnect(agents[0])
    story.connect("web-1", pool="web", session="s2", boot_id="boot-2")
    story.tell_ok(c.PauseJob("default", "after-boot"))
    story.tell(c.FireStartups(story.epoch, agents[1], "boot-0", 0))
    story.now_ms += 30_000
    assert any(isinstance(planned, c.FireStartups) for planned in story.plan_and_apply())
    story.settle()
    for agent in agents:
        story.disconnect(agent)
    story.tell_ok(*(c.DeleteJob("default", name) for name in ("at-boot", "after-boot")))


def _dependents(story: Recorder) -> None:
    """Runs that others wait for end: fired, held back and taken over by a newer end, skipped; an edit goes on
    with what was heard."""
    here, on = {"after": "first.succeeded or second.exit_code == 3", "id": "t"}, {"pool": "chain"}
    both = {"after": "first.ended and second.ended", "id": "t", "overlap": "queue_all"}
    story.put(job("first", on=on), job("second", on=on))
    round_ = {"after": "next.failed", "allow_cycle": True}
    story.put(job("next", trigger=here, on=on), job("both", trigger=both, on=on))
    story.put(job("first", trigger=round_, on=on), job("also", trigger={"after": "first.ended"}, on=on))
    many = [f"many-{number}" for number in range(listeners.PAGE + 1)]
    story.put(*(job(name, trigger={"after": "second.failed"}, on={"pool": "none"}) for name in many))
    story.connect("chain-1", pool="chain")

    def end(name: str, exit_code: int = 0) -> None:
        story.now_ms += 1
        run = story.value(c.RunJob("default", name, b"{}", story.now_ms, plan_day=20_000 + exit_code), "run")
        story.plan_and_apply()
        attempt = story.attempts(run)[0].id
        story.claim(attempt)
        story.finish(attempt, exit_code=exit_code)
        story.plan_and_apply()

    story.tell(c.FireDependents(story.epoch, 1), c.FirePostponed(story.epoch, 1, "t/1"))
    story.tell_ok(*(c.RunJob("default", name, b"{}", story.now_ms) for name in ("next", "also")))
    for _ in range(3):
        end("first")
    story.put(job("both", trigger={**both, "after": "second.ended and first.ended"}, on=on))
    end("second", 3)
    story.settle()
    story.tell_ok(c.PauseJob("default", "next"))
    end("first")
    story.settle()
    story.tell(c.DeleteJob("default", "first"))
    gone = ("next", "both", "also", "first", "second", *many)
    assert story.apply(gone=[("job", "default", name) for name in gone]).ok


def _deliveries(story: Recorder) -> None:
    """A hook takes deliveries: all of its jobs or none; one is sent again, one was seen otherwise."""
    key = secrets.key(story.store) or "key-1"
    story.tell_ok(c.PutSecret("default", "hook-key", 1, key, b"sealed", (), ADA))
    assert story.apply({"hook": "pushes", "secret": "hook-key"}, actor=ADA).ok
    trigger = {"webhook": "pushes", "id": "push"}
    story.put(
        job("on-push", trigger=trigger, params={"ref": {"type": "string"}}),
        job("one-push", trigger={**trigger, "overlap": "queue_one"}),
    )

    def deliver(name: str, **fields: Any) -> c.Deliver:
        ids = triggers.awaiting(story.store, causes.hooked("default", "pushes"), 10)
        rows = [row for each in ids if (row := triggers.firing(story.store, each)) is not None]
        firings = tuple(c.HookFiring(row.id, row.revision, b'{"ref":"main"}') for row in rows)
        values: dict[str, Any] = {
            "hook_revision": 1, "secret_namespace": "default", "secret": "hook-key",
            "secret_version": 1, "delivery": name,
            "signed_ms": story.now_ms, "safe_ms": story.now_ms + 300_000, "firings": firings,
            "actor": c.Actor("hook default/pushes", "10.0.0.9"), **fields,
        }  # fmt: skip
        return c.Deliver("default", "pushes", **values)

    story.tell_ok(deliver("d1"), deliver("d1"), deliver("d2"))
    assert not story.one(deliver("d3")).ok
    story.tell(deliver("d4", hook_revision=2), deliver("d4", secret_version=2), deliver("d4", firings=()))
    story.tell_ok(c.PauseJob("default", "one-push", ADA))
    story.tell_ok(deliver("d5"))
    story.settle()
    story.now_ms += 1
    foreign = {"hook": "merges", "namespace": "web", "secret": "default/hook-key"}
    assert not story.apply(foreign, actor=ADA).ok
    story.tell_ok(c.GrantSecret("default", "hook-key", ("web/merges",), (), ADA))
    assert story.apply(foreign, actor=ADA).ok
    story.tell_ok(msgspec.structs.replace(deliver("d1"), namespace="web", hook="merges", firings=()))
    assert story.apply(gone=[("job", "default", "on-push"), ("job", "default", "one-push")]).ok
    assert story.apply(gone=[("hook", "default", "pushes")]).ok


def _notices(story: Recorder) -> None:
    """Notices are posted, heard in their order, kept by a full queue and a pause, taken down, expired."""
    assert story.apply({"board": "stock"}, {"board": "goods", "namespace": "web"}, actor=ADA).ok
    asked = {"board": "stock", "key": "plan_date"}
    here = {"notice": asked, "id": "n"}
    one = {"notice": {"board": "stock"}, "id": "n", "overlap": "queue_one"}
    there = {"notice": {"board": "web/goods"}, "id": "n"}
    story.put(job("goods", trigger=there))
    story.tell_ok(c.PostNotice("web", "goods", "k", 60_000, actor=BEN))
    story.now_ms += 1
    story.put(job("at-notice", trigger=here), job("one-notice", trigger=one), job("goods", trigger=there))

    def post(notice: str, lasts_ms: int = 60_000, board: str = "stock", **fields: Any) -> c.PostNotice:
        namespace = "web" if board == "goods" else "default"
        return c.PostNotice(namespace, board, notice, lasts_ms, actor=ADA, **fields)

    story.tell_ok(post("plan_date", plan_day=20_001), post("other"), post("other"), post("k", board="goods"))
    story.tell(post("k", 0), post("k", board="nowhere"), c.DeleteNotice("default", "stock", 99, BEN))
    story.tell(c.FireNotices(story.epoch, 1, "default/stock", 1))
    story.settle()
    story.tell_ok(c.PauseJob("default", "one-notice", ADA))
    story.tell_ok(post("gone", key="once", body=b"x"), post("short", 1_000))
    story.plan_and_apply()
    story.tell_ok(c.DeleteNotice("default", "stock", 6, BEN))
    story.now_ms += 1_000
    story.put(job("one-notice", trigger={**one, "overlap": "skip"}, labels={"x": "y"}))
    story.tell_ok(c.ResumeJob("default", "one-notice", ADA))
    story.settle()
    names = ("at-notice", "one-notice", "goods")
    assert story.apply(gone=[("job", "default", name) for name in names]).ok
    assert story.apply(gone=[("board", "default", "stock")]).ok


def _together(story: Recorder) -> None:
    """Several things come for plan dates: all of them, too late, by a clock, into a full queue, edited."""
    assert story.apply({"board": "stock"}, actor=ADA).ok
    end = {"after": "feed.succeeded"}
    of = [end, {"notice": {"board": "stock", "key": "go"}}, {"at_least": "00:00"}]
    story.put(job("feed"))
    trigger = {"all_of": {"of": of, "within": "1m"}, "tz": "Europe/Berlin", "id": "g", "overlap": "queue_one"}
    story.put(job("fed", trigger=trigger, tasks={"main": {"sleep": "5s"}}))
    story.put(job("fed-too", trigger={"all_of": {"of": of[:2], "within": "2m"}, "id": "h"}))
    days = range(20_100, 20_105)
    for day in days:
        story.tell_ok(c.RunJob("default", "feed", b"{}", story.now_ms, plan_day=day))
        if day < days[-1]:
            story.tell_ok(c.PostNotice("default", "stock", "go", 60_000, plan_day=day, actor=BEN))
    story.settle()
    story.tell(c.FireGathered(story.epoch, 1, days[-1], 0))
    of.append({"after": "fed.ended"})
    story.now_ms += 1
    story.put(job("fed", trigger={**trigger, "allow_cycle": True}))
    story.now_ms += 60_000
    story.settle()
    story.settle()
    story.tell_ok(c.RunJob("default", "feed", b"{}", story.now_ms, plan_day=days[-1] + 1))
    story.settle()
    names = ("fed", "fed-too", "feed")
    assert story.apply(gone=[("job", "default", name) for name in names]).ok
    assert story.apply(gone=[("board", "default", "stock")]).ok


def _slices(story: Recorder) -> None:
    """More tasks than one frame has room for: made, told and cancelled by Continue."""
    story.put(job("wide", tasks={f"t{i}": {"noop": True, "needs": ["t0"] if i else []} for i in range(25)}))
    story.tell_ok(*(c.RunJob("default", "wide", b"{}", story.now_ms) for _ in range(24)))
    run = story.machine.state.last_run
    story.tell_ok(*(c.CancelRun(run - place) for place in range(22)))
    assert any(isinstance(planned, c.Continue) for planned in story.plan())
    story.settle(exit_code=1)


def _effects(story: Recorder) -> None:
    """Notices that are sent, tried again, given up, and decided of by a person."""
    notice = {"on": ["failed", "recovered"], "webhook": "https://hooks.example.org/a"}
    story.put(job("telling", notify=[notice]))
    for exit_code in (1, 1, 1, 0, 0):
        story.tell_ok(c.RunJob("default", "telling", b"{}", story.now_ms))
        story.settle(exit_code=exit_code)
    last = story.machine.state.last_effect
    first, second, third, fourth = range(last - 3, last + 1)
    story.tell_ok(c.ReportSent(first), c.ReportUnsent(second, 1, "it answered 500", False, 90_000))
    story.tell(c.ReportSent(first), c.ReportUnsent(second, 1, "again"), c.DropEffect(first))
    story.tell_ok(c.ReportUnsent(third, 1, "it answered 410", True), c.ResendEffect(third, ADA))
    story.tell_ok(c.ReportUnsent(third, 2, "it answered 410", True), c.DropEffect(fourth, ADA))


def _lost_and_found(story: Recorder) -> None:
    """Agents that go while they work, with each thing that may follow."""
    agent = story.connect("agent-1", session="s2")
    for session, fate in (("s3", "lose"), ("s4", "unreachable"), ("s5", "back")):
        story.put(job(f"long-{fate}", policies={"on_lost": "wait"}))
        story.tell_ok(c.RunJob("default", f"long-{fate}", b"{}", story.now_ms))
        story.plan_and_apply()
        attempt = story.machine.state.last_attempt
        assert story.claim(attempt).ok
        story.now_ms += 100
        if fate == "back":
            story.tell_ok(c.LoseNode(story.epoch, "node-a"))
        else:
            story.disconnect(agent)
        since_ms = story.now_ms
        story.now_ms += 30_000
        if fate == "lose":
            story.tell_ok(c.Lose(story.epoch, attempt, "lease", since_ms))
        elif fate == "unreachable":
            story.tell_ok(c.MarkUnreachable(story.epoch, attempt, since_ms))
            story.tell_ok(c.ResolveRun(story.attempt(attempt).run, ADA))
        held = ((attempt, "running"),) if fate == "back" else ()
        agent = story.connect("agent-1", session=session, held=held)
        story.settle()
    story.tell_ok(c.RunJob("default", "long-back", b"{}", story.now_ms))
    story.plan_and_apply()
    attempt = story.machine.state.last_attempt
    assert story.claim(attempt).ok
    story.connect("agent-1", session="s6", held=((attempt, "unstarted"),))
    story.settle()
    story.connect("agent-9", session="s1")
    meant = "installation of agent-9"
    story.tell_ok(c.DrainAgent("agent-9", "a new kernel", ADA), c.ResumeAgent("agent-9", ADA))
    story.tell(c.DrainAgent("nobody"), c.ResumeAgent("nobody"))
    story.tell_ok(c.ReleaseAgent("agent-9", meant, ADA))
    story.tell(c.ReleaseAgent("agent-9", meant, ADA))
    story.connect("agent-9", session="s1", installation="the replacement")
    story.disconnect(story.machine.state.last_agent)


def _deadlines(story: Recorder) -> None:
    story.put(
        job("late", on={"pool": "nowhere"}, policies={"start_deadline": "5s"}),
        job("endless", policies={"timeout": "5s"}),
    )
    story.tell_ok(c.RunJob("default", "late", b"{}", story.now_ms))
    story.tell_ok(c.RunJob("default", "endless", b"{}", story.now_ms))
    story.plan_and_apply()
    assert story.claim(story.machine.state.last_attempt).ok
    story.now_ms += 6_000
    planned = {type(each) for each in story.plan_and_apply()}
    assert {c.ExpireRun, c.StopRun} <= planned, planned
    story.settle()


def _stages(story: Recorder) -> None:
    """Of each end one, and what is refused meanwhile."""
    at = {"at": "2100-01-01T00:00:00Z", "id": "once"}
    documents = [job(f"staged-{place}", trigger=[at, {"every": "1h"}]) for place in range(3)]
    documents[0]["namespace"] = "other"
    new = tuple(prepare(parse_job(document), story.now_ms) for document in documents)
    changed = prepare(parse_job({**documents[1], "description": "changed"}), story.now_ms)
    gone = (c.Deletion("job", "other", "staged-0"),)
    board = c.PreparedObject("board", "default", "staged", b"{}")
    for stage, jobs, deletions, actor, source in (
        ("made", new[:2], (), ADA, "a folder"),
        ("changed", (changed, new[2]), gone, BEN, ""),
        ("missing", new[2:], (c.Deletion("job", "default", "none"),), BEN, ""),
        ("unwanted", new, (), BEN, ""),
        ("forgotten", new, (), BEN, ""),
    ):
        story.now_ms += 1_000
        staged = c.StageSlice(stage, 0, (), jobs, deletions, story.now_ms, actor, stage.encode(), source)
        story.tell_ok(staged)
        if stage in ("made", "changed", "missing"):
            story.tell_ok(c.CommitStage(stage, 1, actor))
            story.tell(c.PutJobs(new[:1], story.now_ms), c.CommitStage(stage, 2, ADA))
        _advance(story)
    one = c.StageSlice("", 0, (board,), (new[2],), (), story.now_ms, ADA, b"0", "a folder")
    for stage, fields in (
        ("tried", {"dry_run": True, "prune": True, "prune_in": ("default", "other")}),
        ("slip", {"prune": True, "prune_max": 0}),
        ("pruned", {"prune": True}),
    ):
        story.tell_ok(msgspec.structs.replace(one, stage=stage), c.CommitStage(stage, 1, ADA, **fields))
        _advance(story)
    story.tell_ok(c.StageSlice("forgotten", 1, (board,), (), (), story.now_ms, BEN, b"1"))
    story.tell_ok(c.DropStage("unwanted", BEN))
    for _ in range(2):
        story.now_ms += 3_600_000
        _advance(story)


def _advance(story: Recorder) -> None:
    """All that the plan says of stages, and nothing else of it."""
    while commands := [each for each in story.plan() if isinstance(each, c.AdvanceStage)]:
        story.tell_ok(*commands)


def _upkeep(story: Recorder) -> None:
    job_id = story.job("steady").id
    assert story.value(c.Purge(story.epoch, job_id, story.machine.state.last_run, 5), "runs") > 0
    assert story.value(c.Sweep(story.epoch, story.now_ms - 1_000, 100), "keys") > 0
    story.tell_ok(c.Lead("node-b", "zone-b", story.epoch + 1, "2026b"))
    story.tell(c.Purge(story.epoch - 1, job_id, FOREVER, 5), c.Sweep(story.epoch - 1, FOREVER, 5))


def _other_values(story: Recorder) -> None:
    """What the rest of the story leaves at one value, so that every column is seen to be written."""
    story.term = 2
    story.tell_ok(c.Lead("node-b", "zone-b", story.epoch + 1, "2026b"))
    story.enter(codec.encode_frame(codec.Frame("another front", 1, 1, ())))
    agent = story.connect(
        "gpu-1", zone="zone-b", pool="gpu", labels=b'{"rack":"7"}', version="2", cloud_id="i-7", slots=2
    )
    gpu = {"noop": True, "on": {"pool": "gpu"}}
    story.put(
        job(
            "joined", trigger={"cron": "* * * * * *"}, namespace="other", params={"day": {"type": "string"}},
            policies={"retention": {"runs": 7}},
            tasks={"a": gpu, "b": gpu, "c": {**gpu, "needs": ["a", "b"]}},
        ),
        actor=ADA,
        source="a folder",
    )  # fmt: skip
    story.tell_ok(c.RunJob("other", "joined", b'{"day":"monday"}', story.now_ms, BEN))
    story.plan_and_apply()
    run = story.machine.state.last_run
    for attempt in story.attempts(run):
        assert story.claim(attempt.id).ok
        story.tell_ok(c.Finish(attempt.id, agent, story.now_ms, story.now_ms, 0, "exit"))
    story.now_ms += 1_000
    story.plan_and_apply()
    last = story.attempts(run)[-1].id
    assert story.claim(last).ok
    story.tell_ok(c.Finish(last, agent, story.now_ms, story.now_ms, None, "exit", 9))
    story.settle()
    for name, reason in (("too-slow", "timeout"), ("called-off", "cancelled")):
        story.put(job(name))
        run = story.value(c.RunJob("default", name, b"{}", story.now_ms), "run")
        story.plan_and_apply()
        last = story.machine.state.last_attempt
        assert story.claim(last).ok
        if reason == "cancelled":
            story.tell_ok(c.CancelRun(run))
        assert story.finish(last, exit_code=None, reason=reason).ok
    story.tell_ok(c.PutToken("spot", b"p" * 32, "agent", 0, 0, "", "spot"))
    story.tell_ok(c.OpenSession("spot", b"p" * 32, b"v" * 32))
    story.tell_ok(c.DrainAgent("gpu-1", "a new kernel", ADA, story.now_ms + 1_000))
    story.now_ms += 1_000
    assert any(isinstance(planned, c.EndDrain) for planned in story.plan_and_apply())
    story.tell_ok(c.DrainAgent("gpu-1", "a new kernel", ADA, FOREVER))


def _format(story: Recorder) -> None:
    """At the oldest format there is nothing to migrate, so Migrate can only be refused."""
    newest = formats.newest()
    seen = tuple((name, 1, newest) for name in ("node-a", "node-b", "node-c"))
    story.tell_ok(c.LimitTicks(200, 3_000, 6_000, ADA))
    story.tell_ok(c.Note("add", "node-9", None, "127.0.0.1:9", ADA))
    story.tell_ok(c.Note("remove", "node-9", None, None, ADA))
    story.tell(c.Note("forget", "node-9"))
    story.tell(c.LimitTicks(0, 1, 1))
    story.tell_ok(c.Pause("", "the database is moved", story.now_ms + 5_000, ADA))
    story.tell(c.Pause("", ""), c.Pause("nobody", "why"), c.EndPause(story.epoch, "", story.now_ms))
    story.now_ms += 5_000
    assert c.EndPause in {type(each) for each in story.plan_and_apply()}
    story.tell_ok(c.Pause("default", "again", None, BEN), c.Resume("default", BEN), c.Resume("", BEN))
    story.tell_ok(c.Activate(newest, seen, ADA))
    story.tell(c.Activate(newest + 1, seen), c.Activate(newest + 1, seen[1:]), c.Activate(0, ()))
    story.tell(c.Migrate(story.epoch, "", 1))
    story.members = "node-a,node-b,node-d"
    story.tell(c.Activate(newest + 1, tuple((name, 1, newest + 1) for name, _, _ in seen)))


def restored(story: Recorder) -> None:
    """A backup becomes a new cluster: what its agents tell is adopted, what nobody tells of is given up."""
    story.lead()
    agent = story.connect("agent-1")
    story.put(
        job("steady", trigger={"cron": "* * * * * *"}),
        job("manual", policies={"overlap": "allow"}),
        job("nowhere", on={"pool": "gpu"}),
        job("at-boot", trigger={"startup": {"pool": "default", "delay": "1s"}}),
        job("follows", trigger={"after": "manual.ended"}),
    )
    story.now_ms += 3_000
    story.settle()
    story.tell_ok(*(c.RunJob("default", name, b"{}", story.now_ms) for name in ("manual", "nowhere")))
    story.plan_and_apply()
    live = story.attempt(story.machine.state.last_attempt)
    assert story.claim(live.id).ok
    restore = story.renew(1, hold_ms=10_000)
    story.now_ms += 5_000
    story.lead()
    assert story.plan() == []  # all of it is held
    end_ms = story.now_ms
    known = c.RanAttempt(
        live.id, live.run, "default", "manual", "main", "", 0, 1, None, live.due_ms, True, live.due_ms,
        end_ms, 0, "exit",
    )  # fmt: skip
    tick_ms = START_MS + 5_000
    orphan = c.RanAttempt(
        restore.attempt_floor + 7, restore.run_floor + 7, "default", "steady", "main", "", 0, 1, tick_ms,
        tick_ms, True, tick_ms, tick_ms + 50, 3, "exit",
    )  # fmt: skip
    told = ("installation of agent-1", "agent-1", "zone-a", "default", (known, orphan), True)
    story.tell(c.Adopt(2, *told))
    assert story.value(c.Adopt(1, *told), "agent") == agent
    story.connect("agent-1", session="s2", boot_id="boot-2")
    story.tell(c.EndRestore(story.epoch, 1), c.EndHold(story.epoch - 1, 1))
    story.now_ms += 10_000
    planned: dict[type[Any], None] = {}
    while planned.keys() < {c.EndHold, c.GiveUpRun, c.EndRestore}:
        planned |= {type(command): None for command in story.plan_and_apply()}
    story.settle()
    story.now_ms += 2_000
    story.settle()


def long_story(story: Recorder, seed: int) -> None:
    """What meets by chance; the same kind of story as the test of replays tells."""
    rng = random.Random(seed)
    story.lead()
    story.connect("agent-0", session="s0", node="node-0", installation="agent-0-0", slots=3)
    assert story.apply(*LOCKS).ok
    weights = {kind: weight for kind, weight in WEIGHTS.items() if kind != "stage"}  # told by every_command
    for kind in ["put", "put", *rng.choices(list(weights), list(weights.values()), k=300)]:
        values: list[Any] = [rng.randrange(8), rng.randrange(8), rng.randrange(8)]
        if kind == "put":
            values = [values[0], rng.choice(OVERLAPS), rng.random() < 0.5]
        elif kind == "finish":
            values = [values[0], rng.choice((*REASONS, "exit", "exit")), rng.choice((0, 0, 1))]
        elif kind == "plan":
            values = [rng.choice((0, 0, 1, 2, 6, 90))]
        commands = command(story, (kind, *values))
        if commands:
            story.tell(*commands)


STORIES = {
    "every-command": every_command,
    "restored": restored,
    "long-1": lambda story: long_story(story, 9),  # of 1 a namespace refuses all jobs
    "long-2": lambda story: long_story(story, 2),
}

__all__ = ["START_MS", "STORIES"]
