"""What a run does.

Made by client/words.py of the published JSON Schemas: not to be edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from cronclave.jobs.word import Condition, Duration, Named, Word


@dataclass
class Again(Word):
    """How often something is tried again, and after which waits."""

    _: KW_ONLY
    backoff: Literal["constant", "exponential"] | None = None  #: whether the waits grow
    cap: Duration | None = None  #: longest wait
    #: the wait before each retry; the last one stands for all that follow
    delays: Sequence[Duration] | None = None
    first: Duration | None = None  #: wait before the first retry
    max: int | None = None  #: retries after the first one; as many as delays


@dataclass
class Approval(Word):
    """Approval."""

    _: KW_ONLY
    #: names of the tokens that may answer; each needs the role approver in the job's namespace too. Empty:
    #: whoever has that
    by: Sequence[str] | None = None
    expires: Duration | None = None  #: after so long without an answer the task has expired
    #: who asked for the run may not answer; of one that no person asked for, who wrote that revision of its
    #: job
    four_eyes: bool | None = None
    text: str | None = None  #: what is asked


@dataclass
class Async(Word):
    """Async."""

    _: KW_ONLY
    timeout: Duration  #: from the start of an attempt; what nobody has completed by then has timed out


@dataclass
class Autonomy(Word):
    """Autonomy."""

    _: KW_ONLY
    window: Duration  #: so far ahead an agent has its ticks; 1m to 1d


@dataclass
class Call(Word):
    """Call."""

    _: KW_ONLY
    call: str  #: MODULE:FUNCTION, called without arguments
    interpreter: str | None = None  #: of the agent's host


@dataclass
class Custom(Word):
    """Custom."""

    _: KW_ONLY
    kind: str  #: the name of its entry point
    with_: Mapping[str, Any] | None = None  #: what the executor gets, and alone knows how to read


@dataclass
class ExitClasses(Word):
    """What exit codes mean. One that stands nowhere fails."""

    _: KW_ONLY
    ok: Sequence[int | str] | None = None  #: a good end
    retry: Sequence[int | str] | None = None  #: tried again, as often as retry says; at last it fails
    skip: Sequence[int | str] | None = None  #: the task is skipped, as by its rule
    warn: Sequence[int | str] | None = None  #: a good end, and the run is marked as warned


@dataclass
class Fanout(Word):
    """Its members are fixed when the task becomes ready; each has its own attempts and retries."""

    _: KW_ONLY
    #: a member for each agent that it means (on): all that are known, or those that are connected when it
    #: begins
    all: Literal["registered", "connected"] | None = None
    #: a member for each item of a list, or of "{params.NAME}" or "{tasks.NAME.outputs.KEY}"
    foreach: Sequence[str | float | bool] | str | None = None
    max_failures: int | None = None  #: that are borne; one more, and it fails
    max_parallel: int | None = None  #: members at a time
    max_per_agent: int | None = None  #: members at a time that one agent has; of all each has one
    n: int | None = None  #: so many members
    #: what becomes of the members that are away then; default: fail
    offline: Literal["fail", "skip"] | None = None
    stagger: Duration | None = None  #: from one member to the next
    ttl: Duration | None = None  #: how long agents are waited for that are away; default: without end


@dataclass
class Group(Word):
    """A box of the graph that holds a graph of its own."""

    _: KW_ONLY
    tasks: Sequence[Named]  #: that it consists of: inside, needs name tasks of the group alone
    #: when its tasks may start: windows of the week; outside of them they wait
    admission: GroupAdmission | None = None
    #: tasks that begin when it failed for good; where they succeed, so does the group
    catch: Sequence[Named] | None = None
    #: resources of which it takes one, or an amount, before it starts: all of them or none
    locks: Sequence[str | Lock] | None = None
    max_parallel: int | None = None  #: tasks of it that agents have at once, those of catch too
    needs: Sequence[Named] | None = None  #: as those of a task
    repeat: Repeat | None = None  #: all its tasks again until a condition holds
    retry: Again | None = None  #: all its tasks again when it failed; what a round lost: on_lost says
    #: what it makes of the ends of its needs; n_of: so many of them succeeded
    rule: Literal["all_success", "none_failed", "all_done", "any_failed", "any_success"] | NOf | None = None
    sticky: bool | None = None  #: all its tasks of one round go to one agent, which the first of them finds
    when: Condition | None = None  #: a condition, as that of a task


@dataclass
class GroupAdmission(Word):
    """When tasks of a group may start. None is skipped for it: whatever needs the group would be too."""

    _: KW_ONLY
    windows: Sequence[str]  #: such as `Mon-Fri 20:00-06:00`, by the wall
    #: terminate: a round that has begun ends as timed_out when the window does
    at_end: Literal["let_run", "terminate"] | None = None
    outside: Literal["wait"] | None = None  #: its tasks wait for the next window
    tz: str | None = None  #: IANA zone of cron, iso8601 or at_least; default UTC


@dataclass
class Http(Word):
    """Http."""

    _: KW_ONLY
    url: str  #: where to; ${NAME} is a variable of the task, percent-encoded but at the beginning
    body: str | None = None  #: text to send, with variables
    expect: Sequence[str] | None = None  #: status of an answer that is a success
    headers: Mapping[str, str] | None = None  #: beside the usual ones; with variables, secrets too
    json: Any | None = None  #: sent as JSON in place of `body`; variables in its texts
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] | None = None
    redirects: int | None = None  #: followed at most; none to http from https
    silence: Duration | None = None  #: of the other side, after which it is given up


@dataclass
class Limits(Word):
    """Limits."""

    _: KW_ONLY
    cpu_time: Duration | None = None  #: of a processor, that a process may use; whole seconds
    memory: str | None = None  #: that a process may write to, but for what it shares
    open_files: int | None = None  #: that a process may have, sockets too


@dataclass
class Lock(Word):
    """Lock."""

    _: KW_ONLY
    resource: str  #: NAME, or NAMESPACE/NAME of another namespace
    amount: int | None = None


@dataclass
class NOf(Word):
    """NOf."""

    _: KW_ONLY
    n_of: int


@dataclass
class Nested(Word):
    """Nested."""

    _: KW_ONLY
    name: str  #: a job: a name, or namespace/name
    #: that the run is given, of those that its job declares
    params: Mapping[str, str | bool | int | float | Sequence[Any] | Mapping[str, Any]] | None = None
    wait: bool | None = None  #: whether the task waits for its end, and ends as it does


@dataclass
class Param(Word):
    """Param."""

    _: KW_ONLY
    #: what its values are
    type: Literal[
        "string", "integer", "number", "boolean", "enum", "date", "datetime", "duration", "list", "map"
    ]
    #: its value, where a run is given none
    default: str | bool | int | float | Sequence[Any] | Mapping[str, Any] | None = None
    description: str | None = None  #: for whoever starts a run
    enum: Sequence[str | bool | int | float] | None = None  #: the values that it may have
    required: bool | None = None  #: true: whoever starts a run gives it, each trigger too


@dataclass
class Placement(Word):
    """Which agents may run the task."""

    _: KW_ONLY
    labels: Mapping[str, str] | None = None  #: labels that the agent has to have
    #: labels that fit patterns: globs, or regex:…; host: its name too
    match: Mapping[str, str] | None = None
    not_: Mapping[str, str] | None = None  #: no label of the agent fits its pattern
    pool: str | None = None  #: the pool of the agents
    same_as: str | None = None  #: the agent that had this task's last attempt, and no other
    #: which of them: that with the smallest share of its slots taken (default), each in turn, or the first
    #: by its label `priority`
    strategy: Literal["least_loaded", "round_robin", "fixed_priority"] | None = None
    #: only in this zone; spread: over all zones evenly; {prefer: NAME}: there first
    zone: str | Mapping[str, Any] | None = None


@dataclass
class Posted(Word):
    """Posted."""

    _: KW_ONLY
    board: str  #: a board: a name, or namespace/name
    key: str  #: of the notice; plan_date: the plan date of its run
    expires: Duration | None = None  #: how long it stays; else as its board says


@dataclass
class Repeat(Word):
    """A group is begun anew until something holds."""

    _: KW_ONLY
    max: int  #: rounds; after the last one it fails
    until: Condition  #: a condition, judged after each round that ended well; unknown is not true
    pause: Duration | None = None  #: between two rounds


@dataclass
class Retry(Word):
    """Retry."""

    _: KW_ONLY
    backoff: Literal["constant", "exponential"] | None = None  #: whether the waits grow
    cap: Duration | None = None  #: longest wait
    #: the wait before each retry; the last one stands for all that follow
    delays: Sequence[Duration] | None = None
    first: Duration | None = None  #: wait before the first retry
    max: int | None = None  #: retries after the first one; as many as delays
    #: which ends are tried again: exit codes, failed, timed_out, lost; default all
    on: Sequence[int | str] | None = None


@dataclass
class Script(Word):
    """Script."""

    _: KW_ONLY
    text: str  #: the script itself
    files: Mapping[str, str] | None = None  #: name and text of what lies beside it, in $CRONCLAVE_FILES
    #: a program and its arguments; else the #! line of the text, or /bin/sh
    interpreter: Sequence[str] | None = None


@dataclass
class SecretUse(Word):
    """SecretUse."""

    _: KW_ONLY
    name: str  #: NAME, or NAMESPACE/NAME of another namespace
    as_: str | None = None  #: the variable that it comes in; without one, that of its name
    file: bool | None = None  #: the variable holds the path of a file with the value


@dataclass
class Task(Word):
    """Task."""

    _: KW_ONLY
    allow_failure: bool | None = None  #: true: its failure does not fail the run
    approval: Approval | None = None  #: a person's yes or no: it holds no slot
    #: its command hands work on: when it has ended well, somebody outside completes the task, with the
    #: token in $CRONCLAVE_CALLBACK_TOKEN
    async_: Async | None = None
    custom: Custom | None = None  #: work of an executor that was installed on agents
    cwd: str | None = None  #: the folder in which it runs, on the agent's host
    env: Mapping[str, str] | None = None  #: variables of its environment, beside those that it is given
    exec: Sequence[str] | None = None  #: a program and its arguments, without a shell
    exit: ExitClasses | None = None  #: what exit codes mean; default: 0 is good
    fanout: Fanout | None = None  #: divides it over many members
    #: the end of the run, so: what of it is still open is cancelled
    finish: Literal["succeeded", "failed"] | None = None
    grace: Duration | None = None  #: from SIGTERM to SIGKILL
    http: str | Http | None = None  #: a request over HTTP
    job: Nested | None = None  #: a run of another job
    #: how many members have to succeed: all (default), any, a number, a share, which rounds up
    join: Literal["all", "any"] | str | int | None = None
    limits: Limits | None = None  #: of each of its processes
    #: resources of which it takes one, or an amount, before it starts: all of them or none
    locks: Sequence[str | Lock] | None = None
    needs: Sequence[Named] | None = None  #: tasks that have to end first
    nice: int | None = None  #: its niceness, else the agent's
    noop: Literal[True] | None = None  #: no work at all
    on: Placement | None = None  #: which agents may run it
    output_limit: str | None = None  #: kept of its output; the rest is discarded, it goes on
    #: names of values that its command writes to $CRONCLAVE_OUTPUT, for the tasks after it
    outputs: Sequence[str] | None = None
    post: Posted | None = None  #: a notice on a board
    python: str | Call | None = None  #: a function of a Python module, in an interpreter of its own
    retry: Retry | None = None  #: whether, when and how often it is tried again
    #: what it makes of the ends of its needs; n_of: so many of them succeeded
    rule: Literal["all_success", "none_failed", "all_done", "any_failed", "any_success"] | NOf | None = None
    run: str | None = None  #: a shell command
    run_as: str | None = None  #: a user of its host, else the agent's own
    script: str | Script | None = None  #: a text that is shipped with the job, for an interpreter
    #: secrets that it is given, each as a variable, or as a file
    secrets: Sequence[str | SecretUse] | None = None
    #: a path on the agent's host, or an object such as s3://bucket/key, that it makes; where it is there,
    #: nothing is run
    skip_if_exists: str | None = None
    sleep: Duration | None = None  #: nothing, for so long: it holds no slot
    ssh: Mapping[str, Any] | None = None  #: a command on a host without an agent
    #: what it means that something was written there, however it exits; default ignore
    stderr: Literal["ignore", "warn", "fail"] | None = None
    stdin: str | None = None  #: what it reads from its standard input; default: nothing
    timeout: Duration | None = None  #: of one attempt
    umask: str | None = None  #: else the one that the agent was started with
    #: a condition, judged when all that it needs and asks has ended; where it is not true, the task is
    #: skipped: TASK.succeeded, .failed, .skipped, .warned, .ended, .exit_code, .outputs.NAME, params.NAME,
    #: vars.NAME, plan_date, tick; and, or, not, comparisons, in, parentheses
    when: Condition | None = None
