"""Tells a story to the real machine, planner and store, and writes down what comes of each line.

Rules: nothing is random and no clock is read, so a text is the same in every process. An event is its name
and its facts; instants are of the story's day; what only counts rows (jobs, triggers, entries) is left out.
"""

from __future__ import annotations

import datetime
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from scheduler.model.documents import load_yaml
from scheduler.model.quantities import parse_duration_ms
from scheduler.plan import cut_off
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import deliveries, objects, restores, secrets, triggers
from scheduler.ticks import plan_days
from scheduler.words import causes
from scheduler.words import commands as c
from scheduler.words.events import Event
from scheduler.words.outcomes import Outcome
from tests.scheduler.machine import test_restores
from tests.scheduler.story import Story

UNTOLD = {"seq", "job", "namespace", "trigger", "task", "agent", "fence", "due_ms"}
QUIET = {"run", "round", "warned"}  #: told unless there is none
ROUNDS_MAX = 100
DAY_MS = 86_400_000
MARK = "----"


def clock(instant_ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(instant_ms / 1_000, datetime.UTC)
    return moment.strftime("%H:%M:%S") + (f".{instant_ms % 1_000:03}" if instant_ms % 1_000 else "")


def words_of(event: Event) -> str:
    """Its name in words and its facts."""
    name = re.sub(r"(?<!^)(?=[A-Z])", " ", type(event).__name__).lower()
    facts = msgspec.structs.asdict(event)
    if facts.get("count") == 1:
        at_ms, _last = facts.pop("first_ms"), facts.pop("last_ms")
        facts = {"name": facts.pop("name"), "at_ms": at_ms, **facts, "count": None}
    told = [
        f"{fact.removesuffix('_ms')}={clock(value) if fact.endswith('_ms') else value}"
        for fact, value in facts.items()
        if fact not in UNTOLD and value not in (None, "", ()) and (value or fact not in QUIET)
    ]
    return " ".join([f"{name}:", *told])


class Teller:
    def __init__(self, path: Path) -> None:
        self.story = Story(path)
        self.story.lead()
        self.agents: dict[str, int] = {}
        self.said: list[str] = []

    def block(self, lines: list[str]) -> list[str]:
        """What comes of these lines."""
        self.said = []
        for line, document in _commands(lines):
            word, *rest = shlex.split(line)
            plain = [part for part in rest if "=" not in part]
            named = dict(part.split("=", 1) for part in rest if "=" in part)
            WORDS[word](self, document, *plain, **named)
        return self.said

    def close(self) -> None:
        self.story.close()

    # -- how it is written down

    def _tell(self, *commands: c.Command) -> list[Outcome]:
        outcomes = self.story.tell(*commands)
        self.said += [f"  {clock(self.story.now_ms)} {words_of(event)}" for event in self.story.events]
        self.said += [
            f"  {clock(self.story.now_ms)} refused: {outcome.code}: {outcome.detail}"
            for outcome in outcomes
            if not outcome.ok
        ]
        return outcomes

    # -- what can be told

    def put(self, document: str) -> None:
        for found in load_yaml(document, "a story"):
            before = len(self.story.frames)
            self.story.put(found.data)
            assert len(self.story.frames) - before in (1, 2), "its zone data may come first"
            self.said += [f"  {clock(self.story.now_ms)} {words_of(event)}" for event in self.story.events]

    def agent(self, _: str, name: str, slots: str = "4", session: str = "s1", holds: str = "") -> None:
        """It connects. `holds`: the attempts that it tells of, such as 1:running,2:gone."""
        pairs = (each.split(":") for each in holds.split(",") if each)
        held = tuple((int(attempt), state) for attempt, state in pairs)
        self.agents[name] = self.story.connect(name, slots=int(slots), session=session, held=held)
        self.said += [f"  {clock(self.story.now_ms)} {words_of(event)}" for event in self.story.events]

    def gone(self, _: str, name: str) -> None:
        agent = self.agents[name]
        self._tell(c.DisconnectAgent(agent, self.story.sessions[agent], "node-a"))

    def lead(self, _: str, node: str) -> None:
        """It takes office."""
        self._tell(c.Lead(node, "zone-b", self.story.epoch + 1, "2026a"))

    def passes(self, _: str, duration: str) -> None:
        self.story.now_ms += parse_duration_ms(duration)

    def plan(self, _: str, leases: str = "") -> None:
        """All that the leader decides at this instant. leases=over: those of agents that went have ended."""
        for _round in range(ROUNDS_MAX):
            lost = {(o.id, o.since_ms) for o in cut_off(self.story.store)} if leases == "over" else set()
            commands = self.story.plan(leases=lost)
            if not commands:
                return
            self._tell(*commands)
        raise AssertionError("the plan never comes to rest")

    def run(self, _: str, job: str) -> None:
        self._tell(c.RunJob("default", job, b"{}", self.story.now_ms, c.Actor("ada")))

    def object(self, document: str) -> None:
        for found in load_yaml(document, "a story"):
            assert self.story.apply(found.data).ok
            self.said += [f"  {clock(self.story.now_ms)} {words_of(event)}" for event in self.story.events]

    def secret(self, _: str, name: str) -> None:
        self._tell(c.PutSecret("default", name, 1, "key-1", b"sealed", ()))

    def deliver(self, _: str, hook: str, delivery: str, signed: str = "") -> None:
        """As a front sends it that has seen all there is. signed: how long ago."""
        store, now_ms = self.story.store, self.story.now_ms
        ids = triggers.awaiting(store, causes.hooked("default", hook), 20)
        found = [row for each in ids if (row := triggers.firing(store, each)) is not None]
        firings = tuple(c.HookFiring(row.id, row.revision, b"{}") for row in found)
        signed_ms = now_ms - parse_duration_ms(signed) if signed else None
        spec = objects.find(store, "hook", "default", hook)
        secret = secrets.find(store, "default", "key")
        assert spec is not None
        assert secret is not None
        actor = c.Actor(f"hook default/{hook}", "10.0.0.9")
        (outcome,) = self._tell(
            c.Deliver(
                "default", hook, spec.revision, "default", "key", secret.version, delivery, signed_ms,
                now_ms + 300_000, firings, actor,
            )
        )  # fmt: skip
        if outcome.ok and outcome.value is not None:
            repeated = " again" if outcome.value["repeated"] else ""
            told = deliveries.firings_of(str(outcome.value["firings"]))
            said = [f"{each.name}: {each.outcome or 'run'} {each.reason or each.run}" for each in told]
            self.said.append(f"  {clock(now_ms)} its sender is told{repeated}: {', '.join(said)}")

    def post(self, _: str, board: str, key: str, lasts: str = "1h", date: str = "") -> None:
        """A notice."""
        day = plan_days.parse(date) if date else None
        self._tell(c.PostNotice("default", board, key, parse_duration_ms(lasts), day, c.Actor("ada")))

    def cancel(self, _: str, run: str) -> None:
        self._tell(c.CancelRun(int(run)))

    def pause(self, _: str, job: str, lasts: str = "") -> None:
        """lasts: it ends by itself after that."""
        until_ms = self.story.now_ms + parse_duration_ms(lasts) if lasts else None
        reason = "a story" if lasts else ""
        self._tell(c.PauseJob("default", job, c.Actor("ada"), reason=reason, until_ms=until_ms))

    def resume(self, _: str, job: str) -> None:
        self._tell(c.ResumeJob("default", job, c.Actor("ada")))

    def date(self, _: str, act: str, day: str) -> None:
        """close or open a plan date."""
        if act == "close":
            self._tell(c.ClosePlan("default", plan_days.parse(day), "a story", c.Actor("ada")))
        else:
            self._tell(c.OpenPlan("default", plan_days.parse(day), c.Actor("ada")))

    def namespace(self, _: str, auto_close: str = "") -> None:
        """`default` is declared: its plan dates close so long after their end."""
        after_ms = parse_duration_ms(auto_close) if auto_close else None
        spec = b"%d" % self.story.seq
        self._tell(c.PutNamespace("default", spec, close_after_ms=after_ms, actor=c.Actor("ada")))

    def tick(self, _: str, act: str, job: str, trigger: str, at: str, to: str = "") -> None:
        """Something is said of one coming tick of today."""
        day_ms = self.story.now_ms // DAY_MS * DAY_MS
        to_ms = day_ms + _of_day(to) if to else None
        at_ms, ada = day_ms + _of_day(at), c.Actor("ada")
        self._tell(c.ChangeTick("default", job, trigger, at_ms, act, "a story", to_ms, actor=ada))

    def hand(self, _: str, name: str, run: str, task: str = "") -> None:
        """A person's hand on a run, or on a task of it."""
        actor = c.Actor("ada")
        if task:
            self._tell(TASK_HANDS[name](int(run), task, "a story", actor=actor))
        else:
            self._tell(HANDS[name](int(run), "a story", actor))

    def override(self, _: str, run: str, verdict: str) -> None:
        self._tell(c.OverrideRun(int(run), verdict, "a story", c.Actor("ada")))

    def rerun(self, _: str, run: str, part: str = "all", until: str = "", after: str = "no") -> None:
        """part: all, failed, or the task from which on."""
        is_failed = part == "failed"
        from_task = "" if part in ("all", "failed") else part
        self._tell(
            c.RerunRun(
                int(run), b"{}", self.story.now_ms, 0, is_failed, from_task, until, after == "yes",
                actor=c.Actor("ada"),
            )
        )  # fmt: skip

    def claim(self, _: str, attempt: str) -> None:
        row = self.story.attempt(int(attempt))
        session = self.story.sessions[row.agent]
        self._tell(c.Grant(row.id, row.agent, session, f"claim {attempt}"))

    def finish(
        self, _: str, attempt: str, exit: str = "0", reason: str = "exit", stderr: str = "no"
    ) -> None:
        row = self.story.attempt(int(attempt))
        now_ms = self.story.now_ms
        code = int(exit) if reason in ("exit", "unmet") else None
        wrote = stderr == "yes"
        self._tell(c.Finish(row.id, row.agent, now_ms, now_ms, code, reason, wrote_stderr=wrote))

    def complete(
        self, _: str, attempt: str, outcome: str, message: str = "", by: str = "", outputs: str = ""
    ) -> None:
        """Somebody outside says how an attempt ended, with its token, or by a name."""
        row = self.story.attempt(int(attempt))
        task = self.story.store.value("SELECT name FROM tasks WHERE id = ?", (row.task,))
        self._tell(
            c.CompleteTask(row.run, task, outcome, message, outputs.encode(), row.id, actor=c.Actor(by))
        )

    def answer(self, _: str, answer: str, run: str, task: str, by: str, reason: str = "") -> None:
        """approved or rejected: a person's word to what the task asks."""
        self._tell(c.AnswerApproval(int(run), task, answer, reason, actor=c.Actor(by)))

    def progress(self, _: str, attempt: str, percent: str, text: str = "") -> None:
        row = self.story.attempt(int(attempt))
        self._tell(c.ReportProgress(row.run, row.id, int(percent), text))

    def restore(self, _: str, hold: str, catchup: str = "no") -> None:
        """The state as it is becomes the backup that a new cluster begins with."""
        test_restores.restore(self.story, catchup=catchup == "yes", lead=False)
        assert parse_duration_ms(hold) == test_restores.HOLD_MS
        self._tell(c.Lead("node-a", "zone-a", self.story.epoch + 1, "2026a"))

    def journal(
        self, _: str, agent: str, attempt: str, run: str, *, tick: str = "", ended: str = "yes",
        more: str = "no", running: str = "",
    ) -> None:  # fmt: skip
        """What the agent's journal tells of an attempt of job j that the backup does not know. The last page
        says which attempts still run."""
        tick_ms = self.story.now_ms // DAY_MS * DAY_MS + _of_day(tick) if tick else None
        told = test_restores.ran(int(attempt), int(run), tick_ms=tick_ms)
        if ended == "no":
            told = msgspec.structs.replace(told, ended=False, exit_code=None, reason="")
        still = tuple(map(int, running.split(","))) if running else ()
        number, installation = self.story.machine.state.restores, f"installation of {agent}"
        self._tell(
            c.Adopt(number, installation, agent, "zone-a", "default", (told,), more == "no", still)
        )

    def show(self, _: str, what: str) -> None:
        """runs, tasks, ledger, due or restore: rows as they are."""
        store = self.story.store
        if what == "tasks":
            self.said += [
                f"  {run}/{name} {state}{f' taken from {taken}' if taken else ''}"
                for run, name, state, taken in store.rows(
                    "SELECT t.run, t.name, t.state, k.run FROM tasks t"
                    " LEFT JOIN taken_tasks k ON k.task = t.id"
                    " ORDER BY t.id"
                )
            ]
            return
        if what == "runs":
            for number, cause, state, tick_ms in store.rows(
                "SELECT id, cause, state || iif(warned, ' (warned)', ''), tick_ms FROM runs ORDER BY id"
            ):
                tick = "" if tick_ms is None else f" tick={clock(tick_ms)}"
                self.said.append(f"  run {number} {cause} {state}{tick}")
        elif what == "ledger":
            names: dict[int, str] = dict(store.rows("SELECT id, name FROM jobs ORDER BY id"))
            for entry, _index in ledger_reads.after(store, 0, limit=1_000):
                last = "" if entry.ticks == 1 else f"-{clock(entry.last_ms)} ({entry.ticks})"
                said = [f"  {names[entry.job]} {clock(entry.first_ms)}{last}", entry.outcome, entry.reason]
                self.said.append(" ".join(part for part in said if part))
        elif what == "due":
            for row in store.rows("SELECT id FROM triggers ORDER BY id"):
                trigger = triggers.get(store, row[0])
                assert trigger is not None
                due = trigger.next_due_ms
                self.said.append(f"  next due {'never' if due is None else clock(due)}")
        else:
            assert what == "restore", what
            found = restores.latest(store)
            assert found is not None
            self.said.append(f"  restore {found.phase}")


HANDS: dict[str, Callable[..., c.Command]] = {
    "suspend": c.SuspendRun, "resume": c.ResumeRun, "release": c.ReleaseRun,
}  # fmt: skip
TASK_HANDS: dict[str, Callable[..., c.Command]] = {
    "hold": c.HoldTask, "release": c.ReleaseTask, "skip": c.SkipTask, "retry": c.RetryTask,
    "stop": c.StopTask,
}  # fmt: skip
WORDS: dict[str, Callable[..., None]] = {
    "put": Teller.put, "agent": Teller.agent, "gone": Teller.gone, "pass": Teller.passes, "plan": Teller.plan,
    "run": Teller.run, "cancel": Teller.cancel, "pause": Teller.pause, "resume": Teller.resume,
    "claim": Teller.claim, "finish": Teller.finish, "restore": Teller.restore, "journal": Teller.journal,
    "lead": Teller.lead, "show": Teller.show, "object": Teller.object, "secret": Teller.secret,
    "deliver": Teller.deliver, "post": Teller.post, "hand": Teller.hand, "override": Teller.override,
    "rerun": Teller.rerun, "date": Teller.date, "namespace": Teller.namespace, "tick": Teller.tick,
    "complete": Teller.complete, "progress": Teller.progress,
    "answer": Teller.answer,
}  # fmt: skip


def _of_day(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000


def _commands(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Each command with the document below it."""
    place = 0
    while place < len(lines):
        line, document = lines[place], list[str]()
        place += 1
        while place < len(lines) and lines[place].startswith(" "):
            document.append(lines[place])
            place += 1
        if not line.startswith("#"):
            yield line, "\n".join(each.removeprefix("    ") for each in document)


def told(text: str, path: Path) -> str:
    """The story with what comes of it now. `path`: where its state may be."""
    teller = Teller(path)
    try:
        blocks = []
        for block in text.strip().split("\n\n"):
            lines = block.split("\n")
            if MARK in lines:
                lines = lines[: lines.index(MARK)]
            elif all(line.startswith("#") for line in lines):
                blocks.append("\n".join(lines))
                continue
            blocks.append("\n".join([*lines, MARK, *teller.block(lines)]))
        return "\n\n".join(blocks) + "\n"
    finally:
        teller.close()
