"""What runs while things break: jobs on a schedule under each policy, changes, manual and long runs, pauses,
deliveries to a hook.

Rules:
1. Every request is in the history before it is sent, and once more with its end. What may have happened
   although no success was told (a lost connection, 5xx, 429) is `info`; only what surely did not happen is
   `fail`.
2. Payloads write their own lines outside the product: one append of less than a page, to a file per agent
   host. They read the harness's clock from /proc/uptime; on other machines (a drill) their wall clock.
3. Every written job carries a uid of its own, every manual run a word and an Idempotency-Key.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from chaos import (
    appliers,
    approvals,
    arrivals,
    clocks,
    completions,
    days,
    graphs,
    hands,
    instants,
    leaks,
    licences,
    many,
    needs,
    senders,
    windows,
    workflows,
)
from chaos.askers import Runner, Writer
from chaos.case import Declared
from chaos.client import ANSWER_S, Api
from chaos.history import History
from chaos.narrow import Narrow
from chaos.narrow import people as narrow_people
from chaos.nemesis import NemesisError
from chaos.operators import RESUMED_S, Operator, targets
from chaos.programs import DeadlineError

KEPT = 100_000
REGISTERS = ("register-1", "register-2")
WRITERS = 2  #: for each register
MANUAL, LONG, BOOT = "manual", "long", "boot"
KEYED, KEY = "keyed", "k-{params.whose}"
LONG_S = 5
WAIT_S = {licences.LICENSED: 0.5, licences.EXCLUSIVE: 2.5}  #: from one run that takes to the next
DECLARE_S = 30.0
EXIT_CODE = 3  #: of the payload that fails
SLEEP_MS = 1_500

UNMADE = "/nonexistent/made"  #: the home of nobody, by Debian's policy: it is never there
#: How a payload learns the time: the harness's own clock, without a process; or another host's wall clock.
CLOCKS = {"host": 'IFS=" " read -r up rest < /proc/uptime', "wall": 'up="@$(date +%s.%N)"'}
_LINE = (
    '{clock}; printf "%s\\n" "{what}|$CRONCLAVE_JOB|$CRONCLAVE_RUN|'
    "$CRONCLAVE_ATTEMPT|$CRONCLAVE_FENCE|${{CRONCLAVE_TICK:--}}|$CRONCLAVE_AGENT|$up|"
    "${{CRONCLAVE_PARAM_WORD:--}}|{given}|$CRONCLAVE_TASK${{CRONCLAVE_MEMBER:+/$CRONCLAVE_MEMBER}}|"
    '$CRONCLAVE_ROUND" >> {folder}/"$CRONCLAVE_AGENT"'
)


def payload(
    folder: Path, *, sleep_s: float = 0, beats: int = 0, clock: str = "host", exit_code: int = 0,
    given: str = "-", work: str = "", leave: str = "",
) -> str:  # fmt: skip
    """A shell line that writes its start, signs of life (`beats`, half a second apart), and its end. `given`:
    what else it writes. `work`: what it does between, `leave`: how it goes behind its end."""

    def line(what: str) -> str:
        return _LINE.format(clock=CLOCKS[clock], what=what, folder=shlex.quote(str(folder)), given=given)

    middle = f"sleep {sleep_s:g}\n" if sleep_s else ""
    if beats:
        middle += f"n=0; while [ $n -lt {beats} ]; do sleep 0.5; {line('B')}; n=$((n+1)); done\n"
    last = f"exit {exit_code}\n" if exit_code else ""
    return f"{line('S')}\n{middle}{work}{line('E')}\n{leave}{last}"


def schedule_jobs(load: str) -> list[tuple[Declared, float, int]]:
    """What is due each second or so: the job, how long its work sleeps, how many beats it has."""
    allow = {"overlap": "allow"}
    jobs: list[tuple[Declared, float, int]] = [
        (Declared("pulse", 1_000, policies=allow), 0, 0),
        (Declared("cron", cron="*/2 * * * * *", policies=allow), 0, 0),
        (Declared("skip", 1_000, 100, policies={"overlap": "skip"}), 1.3, 0),
        (Declared("queue-one", 1_000, 200, policies={"overlap": "queue_one"}), 0.6, 0),
        (Declared("queue-all", 2_000, 300, policies={"overlap": "queue_all"}), 0.3, 0),
        (Declared("cancel", 2_000, 400, policies={"overlap": "cancel_running"}), 2.5, 0),
        (Declared("terminate", 2_000, 450, policies={"overlap": "terminate_running"}), 2.5, 0),
        (Declared(KEYED, 2_000, 350, policies={"overlap": {"key": KEY, "then": "queue_all"}}), 0.3, 0),
        (Declared("none", 1_000, 500, policies={**allow, "catchup": {"mode": "none", "grace": "3s"}}), 0, 0),
        (
            Declared("latest", 1_000, 600, policies={**allow, "catchup": {"mode": "latest", "grace": "3s"}}),
            0,
            0,
        ),
        (Declared("all", 1_000, 700, policies={**allow, "catchup": {"mode": "all", "grace": "3s"}}), 0, 0),
        (
            Declared(
                "all-one", 2_000, 750, policies={"overlap": "skip", "catchup": {"mode": "all", "grace": "3s"}}
            ),
            0.1,
            0,
        ),
        (Declared("deadline", 2_000, 800, policies={**allow, "start_deadline": "4s"}), 0, 0),
        (Declared("lost-fail", 3_000, 900, policies={"overlap": "allow", "on_lost": "fail"}), 0, 4),
        (
            Declared(
                "lost-retry",
                3_000,
                950,
                policies={**allow, "on_lost": "retry", "idempotent": True},
                attempts_max=2,
            ),
            0,
            4,
        ),
        (Declared("sleep", 2_000, 850, policies=allow, sleep_ms=SLEEP_MS), 0, 0),
        (Declared(leaks.JOB, 3_000, 350, policies=allow), 0, 0),
        (Declared("failing", 3_000, 250, policies=allow, exit_code=EXIT_CODE), 0, 0),
        (Declared("warned", 3_000, 150, policies=allow, exit_code=4, exit={"warn": ["2-3", 4]}), 0, 0),
        (Declared("nothing-new", 3_000, 650, policies=allow, exit_code=99, exit={"skip": [99]}), 0, 0),
        (Declared("complains", 3_000, 550, policies=allow, complains=True), 0, 0),
        (Declared("unmade", 3_000, 850, policies=allow, unmade=True), 0, 0),
        (Declared(appliers.JOB, 1_000, 450, policies=allow, sleep_ms=SLEEP_MS), 0, 1),
        (Declared(clocks.JOB, 2_000, policies=allow), 0, 0),
        *((Declared(name, policies=allow), 0, 0) for name in instants.JOBS),
    ]
    if load == "lease":  # work that outlives its lease, where its agent is gone
        policies = {**allow, "on_lost": "retry", "idempotent": True}
        jobs[2:] = [(Declared("lease", 2_000, 900, policies=policies, attempts_max=2), 0, 110)]
    return jobs if load != "light" else [job for job in jobs if job[0].name in ("pulse", "skip", "all")]


class Workload:
    """Starts all of it; `stop` ends the requests, `pause` the schedules."""

    def __init__(
        self,
        urls: Sequence[str],
        token: str,
        history: History,
        evidence: Path,
        *,
        agents: Sequence[str],
        hook: str,
        seed: int,
        load: str,
        clock: str = "host",
    ) -> None:
        self._urls, self._token = list(urls), token
        self._agents, self._hook, self._load = list(agents), hook, load
        self._history, self._evidence, self._seed = history, evidence, seed
        self._tokens = completions.folder_of(evidence)
        # A staging cluster may have no key for secrets, and its files and objects are not ours.
        foreign = () if clock == "host" else (leaks.JOB, appliers.JOB, clocks.JOB, *instants.DATED)
        self.jobs = [each for each in schedule_jobs(load) if each[0].name not in foreign]
        self._inventory: appliers.Inventory | None = None
        self._narrow = Narrow() if clock == "host" and load != "light" else None
        self._clock = clock
        self._delivers = clock == "host" and load != "light"
        self._days = days.Days(time.time())
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def applies(self) -> bool:
        return self._inventory is not None

    @property
    def arrives(self) -> bool:
        """Things come that jobs wait for."""
        return self._delivers

    @property
    def narrows(self) -> bool:
        """Runs are started in a namespace with quotas of them."""
        return self._narrow is not None

    def _make(self, name: str) -> Api:
        return Api(name, self._urls, self._token, self._history, self._seed)

    def declare(self) -> None:
        """Put every job; each must be acknowledged before anything breaks."""
        self._evidence.mkdir(parents=True, exist_ok=True)
        self._put_zoned()
        api = self._make("declarer")
        if any(job.name == leaks.JOB for job, _, _ in self.jobs):
            self._put_secret(api)
        dated_ms = time.time() * 1000  # of those that have one calendar: of one day
        for known, sleep_s, beats in self.jobs:
            if known.name == clocks.JOB:
                continue  # it came first
            job = instants.timed(known, dated_ms if known.name in instants.DATED else time.time() * 1000)
            if job.name == instants.WORKDAY:
                path, days = f"/v1/calendars/{instants.CALENDAR}", instants.calendar_of(job)
                self._surely(api, "calendar", path, days, {"calendar": instants.CALENDAR})
            self._history.write("declared", **_facts(job))
            trigger: Any = instants.triggers(job) if job.times else {"cron": job.cron}
            if job.every_ms:
                start = f"1970-01-01T00:00:00.{job.offset_ms:03d}Z"
                trigger = {"every": f"{job.every_ms}ms", "start": start}
                if job.every_ms > 1_000:  # the same instants by another kind of trigger
                    trigger = {"iso8601": f"R/{start}/PT{job.every_ms // 1_000}S"}
            body = _job(job.name, job.policies, self._payload(sleep_s, beats, job.exit_code))
            if job.attempts_max > 1:
                body["retry"] = {"max": job.attempts_max - 1, "first": "1s"}
            if job.name == leaks.JOB:
                body["run"] = leaks.line_of(self._seed) + body["run"]
                body["secrets"] = [leaks.NAME]
            if job.name == appliers.JOB:
                body["run"] = self._payload(sleep_s, beats, given=appliers.GIVEN)
            if job.name == KEYED:
                day = {"type": "date", "default": "plan_date - 1 day"}
                body["params"] = {"whose": {"type": "string", "default": "one"}, "before": day}
            if job.sleep_ms:
                work = {"run": body.pop("run"), "needs": ["first"]}
                body["tasks"] = {"first": {"sleep": f"{job.sleep_ms}ms"}, "then": work}
            if job.unmade:
                body["skip_if_exists"] = UNMADE
            if job.exit:
                body["exit"] = dict(job.exit)
            if job.complains:
                body["run"], body["stderr"] = f"echo so >&2\n{body['run']}", "warn"
            if job.exit_code and not job.ends:
                body["notify"] = [{"on": ["failed"], "webhook": self._hook}]
            if job.name == appliers.JOB:
                self._inventory = appliers.Inventory({**body, "triggers": {**trigger, "id": "each"}})
                first = partial(appliers.declare, inventory=self._inventory)
                self._until_declared(api, first, "the objects")
                continue
            tells = {"tells": True} if job.exit_code and not job.ends else {}
            self._must(api, job.name, {**body, "triggers": trigger}, **tells)
        if self._narrow is not None:
            self._until_declared(api, self._narrow.declare, "the namespace")
        if self._delivers:
            self._until_declared(api, needs.declare, "what needs notices")
            self._until_declared(api, arrivals.declare, "what waits for notices")
        words = {"params": {"word": {"type": "string"}}}
        for name, beats in ((MANUAL, 0), (LONG, 2 * LONG_S)):
            self._must(api, name, {**_job(name, {}, self._payload(0, beats)), **words})
        if self._load != "light":
            boot = {**_job(BOOT, {}, self._payload(0, 0)), "triggers": {"startup": {}}}
            self._must(api, BOOT, boot, boots=True)
        if self._delivers:
            self._put_hook(api)
            self._must(api, senders.JOB, senders.job_of(_job(senders.JOB, {}, self._payload(0, 0))))
            self._put_licences(api, words)
            graph = graphs.job_of(_job(graphs.JOB, {}, ""))
            self._surely(api, "graph", f"/v1/jobs/{graphs.JOB}", graph, {"graph": graphs.JOB})
            self._put_workflows(api)
            divided = many.body_of(_beside(many.JOB), partial(payload, self._evidence, clock=self._clock))
            self._surely(api, "divided", f"/v1/jobs/{many.JOB}", divided, {"divided": many.JOB})
            pays = partial(payload, self._evidence, clock=self._clock)
            asks = approvals.body_of(_beside(approvals.JOB), pays)
            self._surely(api, "asks", f"/v1/jobs/{approvals.JOB}", asks, {"asks": approvals.JOB})
            self._tokens.mkdir()
            hands_on = completions.body_of(_beside(completions.JOB), pays, self._tokens)
            self._surely(
                api, "hands-on", f"/v1/jobs/{completions.JOB}", hands_on, {"hands_on": completions.JOB}
            )
            for path, body in self._days.declared(pays):
                self._surely(api, "days", path, body, {"path": path})
            windowed = windows.body_of(_beside(windows.JOB), pays, time.time())
            self._surely(api, "windowed", f"/v1/jobs/{windows.JOB}", windowed, {"windowed": windows.JOB})
        api.close()

    def _put_zoned(self) -> None:
        """To a node with the zone data of everybody else, before anything with a zone is put."""
        for job, sleep_s, beats in self.jobs:
            if job.name == clocks.JOB:
                api = Api("declarer-zoned", self._urls[:1], self._token, self._history, self._seed)
                self._history.write("declared", **_facts(job))
                body = _job(job.name, job.policies, self._payload(sleep_s, beats))
                self._must(api, job.name, {**body, "triggers": clocks.trigger()})
                api.close()

    def _put_licences(self, api: Api, words: Mapping[str, Any]) -> None:
        named = (licences.RESOURCES, many.RESOURCES, approvals.RESOURCES, completions.RESOURCES)
        for name, document in (each for resources in named for each in resources.items()):
            self._surely(api, "resource", f"/v1/resources/{name}", document, {"resource": name})
        work = {name: _job(name, {}, self._payload(licences.WORK_S, 0)) for name in licences.LIMITS}
        for name, body in licences.jobs_of(work).items():
            self._must(api, name, {**body, **words})

    def _put_workflows(self, api: Api) -> None:
        write = partial(payload, self._evidence, clock=self._clock)
        bodies = workflows.bodies_of(_beside, write)
        self._must(api, workflows.NESTED, bodies.pop(workflows.NESTED))
        bodies[hands.JOB] = hands.body_of(_beside(hands.JOB), write)
        for name, body in bodies.items():
            self._surely(api, "workflows", f"/v1/jobs/{name}", body, {"workflows": name})

    def _put_hook(self, api: Api) -> None:
        secret = {"value": senders.secret_of(self._seed)}
        self._surely(api, "secret", f"/v1/secrets/{senders.SECRET}", secret, {"secret": senders.SECRET})
        hook = {"secret": senders.SECRET}
        self._surely(api, "hook", f"/v1/hooks/{senders.HOOK}", hook, {"hook": senders.HOOK})

    def _surely(
        self, api: Api, op: str, path: str, document: Mapping[str, Any], told: Mapping[str, Any]
    ) -> None:
        self._tell_tries(document)
        for _ in range(round(DECLARE_S / ANSWER_S) * 4):
            if api.call(op, "PUT", path, told=told, body=document)[0] == "ok":
                return
            self._over.wait(0.25)
        raise DeadlineError(f"{path} could not be put within {DECLARE_S:g} s")

    def _until_declared(self, api: Api, declare: Callable[[Api], bool], what: str) -> None:
        for _ in range(round(DECLARE_S / ANSWER_S) * 4):
            if declare(api):
                return
            self._over.wait(0.25)
        raise DeadlineError(f"{what} could not be declared within {DECLARE_S:g} s")

    def _put_secret(self, api: Api) -> None:
        document = {"value": leaks.value_of(self._seed), "grants": [leaks.JOB]}
        self._surely(api, "secret", f"/v1/secrets/{leaks.NAME}", document, {"secret": leaks.NAME})

    def _payload(self, sleep_s: float, beats: int, exit_code: int = 0, given: str = "-") -> str:
        return payload(
            self._evidence, sleep_s=sleep_s, beats=beats, clock=self._clock, exit_code=exit_code, given=given
        )

    def _must(self, api: Api, job: str, body: Mapping[str, Any], **facts: bool) -> None:
        told = {"job": job, **facts}
        self._tell_tries(body)
        for _ in range(round(DECLARE_S / ANSWER_S) * 4):
            outcome, status, _ = api.call("declare", "PUT", f"/v1/jobs/{job}", told=told, body=body)
            if outcome == "ok":
                return
            if 400 <= status < 500:
                raise NemesisError(f"the cluster refuses the harness's job {job} ({status})")
            self._over.wait(0.25)
        raise DeadlineError(f"job {job} could not be put within {DECLARE_S:g} s")

    def _tell_tries(self, document: Mapping[str, Any]) -> None:
        if tasks := tries_in(document):
            self._history.write("retried", job=document["job"], tasks=tasks)

    def start(self) -> None:
        loops: list[tuple[str, Callable[[Api], None], float]] = [
            (f"writer-{register}-{n}", Writer(register, self._seed, n), 0.25)
            for register in REGISTERS
            for n in range(WRITERS)
        ]
        loops += [
            ("runner", Runner(MANUAL, self._seed), 0.4),
            ("long-runner", Runner(LONG, self._seed), 2.5),
        ]
        if self._delivers:
            loops += [("sender", senders.Sender(self._seed), 0.6), ("grapher", graphs.ask, 2.0)]
            approver = approvals.Approver(self._seed, self._over)
            loops += [("hands-on", completions.ask, 4.0)]
            for name, rival in (("outsider", False), ("rival", True)):
                outsider = completions.Outsider(self._seed, self._tokens, self._over, rival=rival)
                loops.append((name, outsider, 0.2))
            loops += [("divider", many.ask, 4.0), ("approver", approver, 1.0), ("windower", windows.ask, 4.0)]
            person = hands.Hands(self._seed, self._over, [job.name for job, _, _ in self.jobs])
            loops += [("asker", workflows.Asker(), 2.4), ("hands", person, 0.3)]
            loops += [(f"takes-{name}", Runner(name, self._seed), WAIT_S[name]) for name in licences.LIMITS]
        if self._inventory is not None:
            loops += appliers.people(self._inventory, self._over)
        if self._delivers:
            loops += [*needs.people(), *arrivals.people(self._over)]
        if self._narrow is not None:
            loops += narrow_people(self._narrow)
        for name, act, pause_s in loops:
            self._begin(name, self._loop, name, act, pause_s)
        if self._delivers:
            for name, each in self._days.people(self._over).items():
                self._begin(name, self._operate, name, each)
        scheduled = [job.name for job, _, _ in self.jobs]
        for number, held in enumerate(targets(self._load, scheduled, self._agents)):
            self._begin(f"operator-{number}", self._operate, f"operator-{number}", Operator(held, self._over))

    def _begin(self, name: str, act: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=act, args=arguments, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _operate(self, name: str, operator: Operator | days.Person) -> None:
        api = self._make(name)
        operator.work(api)
        api.close()

    def _loop(self, name: str, act: Callable[[Api], None], pause_s: float) -> None:
        api = self._make(name)
        while not self._over.wait(pause_s * api.dice.uniform(0.5, 1.5)):
            act(api)
        api.close()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(RESUMED_S + 3 * ANSWER_S)


def tries_in(document: Mapping[str, Any]) -> dict[str, int]:
    """How often each task of a job may be tried, of those that say it; nothing of other objects."""
    tasks = document.get("tasks") or {"main": document}
    retries = {name: task["retry"] for name, task in tasks.items() if "retry" in task and "tasks" not in task}
    return {name: 1 + int(each.get("max", len(each.get("delays", ())))) for name, each in retries.items()}


def _facts(job: Declared) -> dict[str, Any]:
    return {
        "name": job.name,
        "every_ms": job.every_ms,
        "offset_ms": job.offset_ms,
        "cron": job.cron,
        "policies": dict(job.policies),
        "attempts_max": job.attempts_max,
        "sleep_ms": job.sleep_ms,
        "exit_code": job.exit_code,
        "exit": dict(job.exit),
        "complains": job.complains,
        "times": list(job.times),
        "unmade": job.unmade,
    }


def _job(name: str, policies: Mapping[str, Any], run: str) -> dict[str, Any]:
    return {"job": name, "policies": {**policies, "retention": {"runs": KEPT}}, "run": run}


def _beside(name: str) -> dict[str, Any]:
    """Of a job of several tasks, whose runs go on beside each other."""
    return {"job": name, "policies": {"overlap": "allow", "retention": {"runs": KEPT}}}
