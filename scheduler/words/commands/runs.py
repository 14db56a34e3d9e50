"""Runs: begun by a person, stopped, given up by their deadlines, gone on with, dropped."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, Keyed, command

CONTINUE_RUNS_MAX = 100


@command(5, grows=True)
class RunJob(ByPerson, Keyed):
    """Run now. `due_ms` is the proposer's clock."""

    namespace: str
    name: str
    params: bytes  #: canonical JSON object of the parameters, defaults filled in
    due_ms: int
    actor: Actor = NOBODY
    key: str = ""
    body: bytes = b""
    agent: int = 0  #: suggested for the first task; taken if it can take it; 0: queue it
    plan_day: int | None = None  #: its plan date (`ticks.plan_days`); None: the one that goes on
    held: bool = False  #: it waits until a person releases it
    reason: str = ""  #: why it is held
    ignore_admission: bool = False  #: it waits for no window, and no window's end concerns it
    closed: bool = False  #: also for a plan date that is closed


@command(150, grows=True)
class RerunRun(ByPerson, Keyed):
    """Repeat a run that has ended: a new run of the same tick and plan date. `due_ms` is the proposer's
    clock."""

    run: int
    params: bytes  #: canonical JSON object of all parameters
    due_ms: int
    revision: int = 0  #: of the job, with the vars of now; 0: that of the run, with the vars that it had
    from_failed: bool = False  #: what ended well is taken over
    from_task: str = ""  #: this one is made anew, and what comes after it; what ended well else is taken over
    until_task: str = ""  #: what does not come before this one is left out
    heard: bool = False  #: jobs that wait for its end (`after`) hear of it
    held: bool = False  #: it waits until a person releases it
    reason: str = ""  #: why it is repeated; of one that is held, why it is
    actor: Actor = NOBODY
    key: str = ""
    body: bytes = b""


@command(6)
class CancelRun(ByPerson):
    run: int
    actor: Actor = NOBODY


@command(7)
class ResolveRun(ByPerson):
    """A person declares the unreachable attempts of a run lost."""

    run: int
    actor: Actor = NOBODY


@command(47)
class ExpireRun(ByPlanner):
    """The start deadline passed before any start."""

    run: int


@command(48)
class StopRun(ByPlanner):
    """The run's own timeout passed: cancel what is left, the run ends timed_out."""

    run: int


@command(56)
class Continue(ByPlanner):
    """Go on with what earlier commands left to do (`steps.walking`): attempts that are lost, then what these
    runs, CONTINUE_RUNS_MAX at most, need."""

    runs: tuple[int, ...]


@command(98)
class AdmitRuns(ByPlanner):
    """Runs that wait until their namespace may have one more go on, as many as it may."""

    namespace: str


@command(181)
class Rejudge(ByPlanner):
    """The instant of a run has come (`tables.run_waits`): of a window, or the end of a delay or a wait."""

    run: int


@command(117)
class RejudgeGroup(ByPlanner):
    """A window of a group that goes on opens, or ends."""

    task: int


@command(182)
class RejudgeRequired(ByPlanner):
    """Something came of a job or a board that runs wait for: these are judged again."""

    parent: str  #: `model.required`


@command(50)
class Purge(ByPlanner):
    """Drop at most `limit` finished runs of a job with ids up to `through`. The ledger stays."""

    job: int
    through: int
    limit: int
