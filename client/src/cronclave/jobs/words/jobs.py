"""Jobs, as the schema has them; `cronclave.jobs.Job` adds what is handy.

Made by client/words.py of the published JSON Schemas: not to be edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from cronclave.jobs.word import Condition, Document, Duration, Named
from cronclave.jobs.words.policies import (
    Expect,
    Notice,
    Policies,
    Requirement,
    RequiresPolicy,
)
from cronclave.jobs.words.tasks import (
    Approval,
    Async,
    Call,
    Custom,
    ExitClasses,
    Fanout,
    Group,
    Http,
    Limits,
    Lock,
    NOf,
    Param,
    Placement,
    Posted,
    Retry,
    Script,
    SecretUse,
    Task,
)
from cronclave.jobs.words.triggers import (
    Trigger,
)


@dataclass
class JobWords(Document):
    """A definition: triggers, policies and a graph of tasks."""

    job: str
    _: KW_ONLY
    allow_failure: bool | None = None  #: true: its failure does not fail the run
    approval: Approval | None = None  #: a person's yes or no: it holds no slot
    #: its command hands work on: when it has ended well, somebody outside completes the task, with the
    #: token in $CRONCLAVE_CALLBACK_TOKEN
    async_: Async | None = None
    #: how bad it is where it fails: lists and notices choose by it
    criticality: Literal["minor", "normal", "major", "critical"] | None = None
    custom: Custom | None = None  #: work of an executor that was installed on agents
    cwd: str | None = None  #: the folder in which it runs, on the agent's host
    description: str | None = None  #: for people
    enabled: bool | None = None  #: false: it has no ticks, and runs when asked
    env: Mapping[str, str] | None = None  #: variables of its environment, beside those that it is given
    exec: Sequence[str] | None = None  #: a program and its arguments, without a shell
    exit: ExitClasses | None = None  #: what exit codes mean; default: 0 is good
    expect: Expect | None = None  #: what is told where it does not hold; nothing is stopped for it
    extends: str | None = None  #: a template that gives what the job does not say itself
    fanout: Fanout | None = None  #: divides it over many members
    #: names of tasks that begin once all others have ended, however
    finally_: Sequence[Named] | None = None
    #: the end of the run, so: what of it is still open is cancelled
    finish: Literal["succeeded", "failed"] | None = None
    grace: Duration | None = None  #: from SIGTERM to SIGKILL
    groups: Mapping[str, Group] | None = None  #: tasks that are one box for all others
    http: str | Http | None = None  #: a request over HTTP
    #: how many members have to succeed: all (default), any, a number, a share, which rounds up
    join: Literal["all", "any"] | str | int | None = None
    labels: Mapping[str, str] | None = None  #: text to text, to find it by
    limits: Limits | None = None  #: of each of its processes
    #: resources of which it takes one, or an amount, before it starts: all of them or none
    locks: Sequence[str | Lock] | None = None
    namespace: str | None = None  #: where it is: roles, quotas and defaults are by namespace
    needs: Sequence[Named] | None = None  #: tasks that have to end first
    nice: int | None = None  #: its niceness, else the agent's
    noop: Literal[True] | None = None  #: no work at all
    notify: Sequence[Notice] | None = None  #: who is told of what becomes of runs
    on: Placement | None = None  #: which agents may run it
    output_limit: str | None = None  #: kept of its output; the rest is discarded, it goes on
    #: names of values that its command writes to $CRONCLAVE_OUTPUT, for the tasks after it
    outputs: Sequence[str] | None = None
    owner: str | None = None  #: who answers for it: shown, and told in notices
    #: what a run may be given, with types and defaults; commands get CRONCLAVE_PARAM_NAME
    params: Mapping[str, Param] | None = None
    #: allow: what the job does not declare passes, as text; default refuse
    params_extra: Literal["refuse", "allow"] | None = None
    policies: Policies | None = None  #: what becomes of runs that meet, are late, fail or are lost
    post: Posted | None = None  #: a notice on a board
    python: str | Call | None = None  #: a function of a Python module, in an interpreter of its own
    requires: Sequence[Requirement] | None = None  #: what its runs wait for, once they have fired
    requires_policy: RequiresPolicy | None = None  #: how many of these, and what if they never come
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
    #: its tasks by name; of a single one the fields may stand at the top
    tasks: Mapping[str, Task] | None = None
    timeout: Duration | None = None  #: of one attempt
    #: a list of triggers, or a single one; none: it runs when somebody says so
    triggers: Sequence[Trigger] | Trigger | None = None
    umask: str | None = None  #: else the one that the agent was started with
    vars: Sequence[str] | None = None  #: objects whose values its commands get; the later one counts
    #: a condition, judged when all that it needs and asks has ended; where it is not true, the task is
    #: skipped: TASK.succeeded, .failed, .skipped, .warned, .ended, .exit_code, .outputs.NAME, params.NAME,
    #: vars.NAME, plan_date, tick; and, or, not, comparisons, in, parentheses
    when: Condition | None = None

    kind = "job"
