"""Tasks: the boxes of a job's graph. The work of one is exactly one of the kinds in work/."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import ConfigDict, Field, create_model, field_validator, model_validator

from scheduler.model.asynchronous import TOKEN_VARIABLE, Async
from scheduler.model.ends import ExitClasses, Retry, Stderr
from scheduler.model.expressions import LETTERS_MAX
from scheduler.model.fanout import Fanout, JoinWord
from scheduler.model.fanout import why_not as why_no_fanout
from scheduler.model.fields import (
    DurationMs,
    Environment,
    Model,
    Names,
    Outputs,
    SizeBytes,
    Umask,
    User,
)
from scheduler.model.lock import Locks
from scheduler.model.placement import Placement
from scheduler.model.problems import Refused
from scheduler.model.rule import Rule, why_not
from scheduler.model.secret import Secrets
from scheduler.model.stored import check_stored, is_stored
from scheduler.model.task_limits import TaskLimits
from scheduler.model.texts import SCRIPT_CHARACTERS_MAX, no_nul, not_blank
from scheduler.model.work import KINDS, NAMES, ONE_OF, Kind
from scheduler.protocol import OBJECT_STORE

GRACE_MS = 5_000
OUTPUT_BYTES_MAX = 64 << 20


_ANYWHERE = Placement()


if TYPE_CHECKING:
    Work = Model
else:  # a field for each kind, without a value by default
    Work = create_model(
        "Work",
        __base__=Model,
        **{kind.name: (kind.value() | None, Field(None, description=kind.description)) for kind in KINDS},
    )


class Task(Work):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in NAMES]})

    on: Annotated[Placement, Field(default_factory=lambda: _ANYWHERE)]  #: a default would be copied each time
    retry: Retry | None = None
    exit: Annotated[ExitClasses | None, Field(description="what exit codes mean; default: 0 is good")] = None
    stderr: Stderr = None
    skip_if_exists: Annotated[
        str | None,
        Field(
            min_length=1, max_length=4_096,
            description="a path on the agent's host, or an object such as s3://bucket/key, that it makes;"
            " where it is there, nothing is run",
        ),
    ] = None  # fmt: skip
    timeout_ms: Annotated[DurationMs | None, Field(alias="timeout", description="of one attempt")] = None
    asynchronous: Annotated[
        Async | None,
        Field(
            alias="async",
            description="its command hands work on: when it has ended well, somebody outside completes the"
            " task, with the token in $CRONCLAVE_CALLBACK_TOKEN",
        ),
    ] = None
    needs: Names = ()
    rule: Rule = "all_success"
    when: Annotated[
        str | None,
        Field(
            description="a condition, judged when all that it needs and asks has ended; where it is not true,"
            " the task is skipped: TASK.succeeded, .failed, .skipped, .warned, .ended, .exit_code,"
            " .outputs.NAME, params.NAME, vars.NAME, plan_date, tick;"
            " and, or, not, comparisons, in, parentheses",
            json_schema_extra={"maxLength": LETTERS_MAX},
        ),
    ] = None
    allow_failure: bool = False
    fanout: Annotated[Fanout | None, Field(description="divides it over many members")] = None
    join: JoinWord | None = None
    outputs: Outputs = None
    env: Environment = Field(default_factory=dict)
    locks: Locks = None
    secrets: Secrets = None
    run_as: Annotated[User | None, Field(description="a user of its host, else the agent's own")] = None
    umask: Annotated[Umask | None, Field(description="else the one that the agent was started with")] = None
    nice: Annotated[int | None, Field(ge=-20, le=19, description="its niceness, else the agent's")] = None
    limits: Annotated[TaskLimits, Field(description="of each of its processes")] = None
    cwd: Annotated[str | None, Field(min_length=1, max_length=4_096)] = None
    stdin: Annotated[str | None, Field(max_length=SCRIPT_CHARACTERS_MAX)] = None
    grace_ms: Annotated[DurationMs, Field(alias="grace", description="from SIGTERM to SIGKILL")] = GRACE_MS
    output_bytes_max: Annotated[
        SizeBytes,
        Field(alias="output_limit", description="kept of its output; the rest is discarded, it goes on"),
    ] = OUTPUT_BYTES_MAX

    @field_validator("skip_if_exists")
    @classmethod
    def _target(cls, value: str | None) -> str | None:
        if value is not None and is_stored(value):
            return check_stored(value)
        return value if value is None else not_blank(no_nul(value))

    @field_validator("cwd")
    @classmethod
    def _folder(cls, value: str | None) -> str | None:
        return value if value is None else not_blank(no_nul(value))

    @cached_property
    def kind(self) -> Kind:
        """Of its work."""
        return next(kind for kind in KINDS if getattr(self, kind.name) is not None)

    @property
    def executor(self) -> str:
        """As `CompiledTask.executor`."""
        kind = self.kind
        return str(getattr(self, kind.name).kind) if kind.names_executor else kind.executor or ""

    @property
    def features(self) -> tuple[str, ...]:
        """As `CompiledTask.features`."""
        said = self.kind.features & self.model_fields_set
        given = {name for name in said if getattr(self, name) is not None}
        if is_stored(self.skip_if_exists):
            given |= self.kind.features & {OBJECT_STORE}
        if self.asynchronous is not None:  # its token is one of them
            given.add("secrets")
        return tuple(sorted(given))

    @model_validator(mode="after")
    def _one_work(self) -> Self:
        said = self.model_fields_set
        given = [kind for kind in KINDS if kind.name in said and getattr(self, kind.name) is not None]
        if not given:
            raise Refused("it has no work", f"give {ONE_OF}")
        if len(given) > 1:
            names = " and ".join(kind.name for kind in given)
            raise Refused(f"{names} exclude each other", "make a task for each")
        self.__dict__["kind"] = given[0]
        if given[0].names_executor:
            own = next((kind.name for kind in KINDS if kind.executor == self.executor), "")
            if own:
                raise Refused(f"{self.executor} is no executor that is installed by somebody", f"give {own}")
        for field in given[0].unread:
            attribute, default = _defaults()[field]
            if attribute in said and getattr(self, attribute) != default:
                hint = given[0].instead.get(field, f"remove {field}")
                raise Refused(f"{given[0].name} reads no {field}", hint)
        if self.asynchronous is not None and self.skip_if_exists is not None:
            raise Refused(
                "async and skip_if_exists exclude each other: what is to be there is looked for when the"
                " process ends",
                "let who completes it say failed where it is not there",
            )
        if self.exit is not None and self.exit.retry and not (self.retry and self.retry.max):
            raise Refused(
                "exit.retry names codes that are tried again, and no retry says how often",
                "add retry, such as {max: 3}",
            )
        if self.kind.shows is not None:
            shown = self.kind.shows(getattr(self, self.kind.name))
            for variable in (TOKEN_VARIABLE, *(secret.variable for secret in self.secrets or ())):
                if variable in shown:
                    hint = f"give it in a header: {{Authorization: 'Bearer ${{{variable}}}'}}"
                    raise Refused(f"an address is written into logs, and would hold {variable}", hint)
        if self.kind.with_secrets is not None:
            files = {secret.variable: secret.file for secret in self.secrets or ()}
            self.kind.with_secrets(getattr(self, self.kind.name), files)
        for secret in self.secrets or ():
            if secret.variable in self.env:
                raise Refused(f"env and secrets both give {secret.variable}", "remove it from env")
        if refused := why_not(self.rule, len(self.needs)) or why_no_fanout(self.fanout, self.join):
            raise refused
        return self


@cache
def _defaults() -> dict[str, tuple[str, object]]:
    """By the name in the job file: the attribute, and what it is where nothing is given."""
    return {
        field.alias or name: (name, field.get_default(call_default_factory=True))
        for name, field in Task.model_fields.items()
    }
