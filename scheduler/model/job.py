"""The public job: what people write, checked and with all defaults filled in.

`canonical(job)` is its one text: sorted keys, no blanks, the short form as the task `main`, without fields
that have no value, and without what goes without saying (`unsaid`). Equal jobs have equal bytes, and the
bytes parse back to the same job.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from scheduler import formats
from scheduler.model.bounds import GROUPS_MAX, NOTICES_MAX, TASKS_MAX, TRIGGERS_MAX, VARS_MAX
from scheduler.model.criticality import Criticality
from scheduler.model.defaults import Origins
from scheduler.model.expect import Expect
from scheduler.model.fields import Labels, Model, Name, Names, Reference, as_tuple
from scheduler.model.finally_ import FINALLY, KEPT_LAST_MAX, with_timeouts
from scheduler.model.given import Given
from scheduler.model.graph import Graph
from scheduler.model.group import Group
from scheduler.model.group_check import combined
from scheduler.model.known_dates import KIND, NO_CALENDARS, Calendars
from scheduler.model.known_schedules import NO_SCHEDULES, Schedules, prepared_of
from scheduler.model.limits import PARAMS_MAX
from scheduler.model.named import Target, each_once, resolved
from scheduler.model.newer import without
from scheduler.model.notice import Notice
from scheduler.model.overlap import WORDS
from scheduler.model.param_values import ALLOW, REFUSE, Declared
from scheduler.model.params import Param
from scheduler.model.policies import Policies
from scheduler.model.problems import pointer_of
from scheduler.model.requires import REQUIRES_MAX, Requirement, RequiresPolicy
from scheduler.model.scopes import Scopes
from scheduler.model.task import Task
from scheduler.model.trigger import Trigger
from scheduler.model.triggers import KINDS, Kind
from scheduler.model.unsaid import lean
from scheduler.ticks import anchored, jitter_ms, schedule
from scheduler.words.commands import PreparedJob, PreparedTrigger
from scheduler.words.json_text import json_text

OWNER_LETTERS_MAX = 200
CANONICAL_BYTES_MAX = 1_000_000  #: with its triggers, its name and its sender it fits in a command of 1 MiB


_OVERLAPPING = {kind.name: kind for kind in KINDS if kind.overlap}


def _with_overlap(trigger: object) -> Kind[Any] | None:
    """The kind that says what its firings do beside others, where the trigger does not."""
    if not isinstance(trigger, dict) or trigger.get("overlap") is not None:
        return None
    if _OVERLAPPING.keys().isdisjoint(trigger):
        return None
    return next((kind for name, kind in _OVERLAPPING.items() if trigger.get(name) is not None), None)


class Job(Model):
    """A definition: triggers, policies and a graph of tasks."""

    name: Annotated[Name, Field(alias="job")]
    namespace: Name = "default"
    enabled: bool = True  #: False: it never runs by itself
    labels: Labels = Field(default_factory=dict)
    owner: Annotated[str, Field(max_length=OWNER_LETTERS_MAX)] = ""
    criticality: Annotated[
        Criticality, Field(description="how bad it is where it fails: lists and notices choose by it")
    ] = "normal"
    description: Annotated[str, Field(max_length=4_096)] = ""
    triggers: Annotated[tuple[Trigger, ...], BeforeValidator(as_tuple), Field(max_length=TRIGGERS_MAX)] = ()
    policies: Policies = Policies()
    params: Annotated[dict[str, Param], Field(max_length=PARAMS_MAX)] = Field(default_factory=dict)
    params_extra: Annotated[
        Literal["refuse", "allow"] | None,
        BeforeValidator(lambda value: None if value == REFUSE else value),
        Field(description="allow: what the job does not declare passes, as text; default refuse"),
    ] = None
    vars: Annotated[
        Annotated[tuple[Reference, ...], Field(max_length=VARS_MAX)] | None,
        BeforeValidator(lambda value: as_tuple(value) or None),
        Field(description="objects whose values its commands get; the later one counts"),
    ] = None
    requires: Annotated[
        Annotated[tuple[Requirement, ...], Field(max_length=REQUIRES_MAX)] | None,
        BeforeValidator(lambda value: as_tuple(value) or None),
        Field(description="what its runs wait for, once they have fired"),
    ] = None
    requires_policy: Annotated[
        RequiresPolicy | None, Field(description="how many of these, and what if they never come")
    ] = None
    expect: Annotated[
        Expect | None,
        BeforeValidator(lambda value: None if value == {} else value),
        Field(description="what is told where it does not hold; nothing is stopped for it"),
    ] = None
    notify: Annotated[tuple[Notice, ...], BeforeValidator(as_tuple), Field(max_length=NOTICES_MAX)] = ()
    tasks: Annotated[dict[Name, Task], Field(max_length=TASKS_MAX)]
    finally_: Annotated[
        Annotated[Names, Field(max_length=KEPT_LAST_MAX)] | None,
        BeforeValidator(lambda value: as_tuple(value) or None),
        Field(alias="finally", description=FINALLY),
    ] = None
    groups: Annotated[
        Annotated[dict[Name, Group], Field(max_length=GROUPS_MAX)] | None,
        BeforeValidator(lambda value: None if value == {} else value),
        Field(description="tasks that are one box for all others"),
    ] = None
    extends: Annotated[
        Reference | None, Field(description="a template that gives what the job does not say itself")
    ] = None
    inherited: Annotated[
        Origins | None, Field(description="filled in: what it took of its template, and did not")
    ] = None
    defaults: Annotated[
        Origins | None, Field(description="filled in: what it took of its namespace's defaults, and did not")
    ] = None  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _overlap_of_events(cls, data: Any) -> Any:
        """The default of `overlap` is the cause's: of a trigger that has one of its own it is written out, so
        that the job's text says it."""
        triggers = data.get("triggers") if isinstance(data, dict) else None
        if not isinstance(triggers, list | tuple):
            return data
        kinds = [_with_overlap(each) for each in triggers]
        if not any(kinds):
            return data
        policies = data.get("policies")
        given = policies.get("overlap") if isinstance(policies, dict) else None
        given = given.get("then") if isinstance(given, dict) else given
        given = given if isinstance(given, str) and given in WORDS else None
        filled = [
            each if kind is None else {**each, "overlap": given or kind.overlap}
            for each, kind in zip(triggers, kinds, strict=True)
        ]
        return {**data, "triggers": filled}

    @model_validator(mode="before")
    @classmethod
    def _timeouts_of_the_last(cls, data: Any) -> Any:
        return with_timeouts(data)

    @cached_property
    def texts(self) -> dict[int, bytes]:
        """Canonical texts that were made, by format: one costs as much as half of the job's check."""
        return {}

    @cached_property
    def is_short(self) -> bool:
        """Whether it was given in the short form: that decides where mistakes are told, and nothing else. As
        `texts` it is no field, so jobs are equal whatever their form."""
        return False

    @cached_property
    def took(self) -> tuple[str, str, str] | None:
        """The template that it was parsed with, by namespace, name and the pin of what it gave."""
        return None

    def given(self, *, short: bool, took: tuple[str, str, str] | None = None) -> Job:
        """Itself."""
        self.__dict__["is_short"] = short
        self.__dict__["took"] = took
        return self

    def as_given(self, pointer: str) -> str:
        """A place of the long form in what was given: a short job's one task stands at the top."""
        return pointer.removeprefix("/tasks/main") if self.is_short else pointer

    def flow(self) -> Graph:
        """What ends before what begins, in it and its groups."""
        groups = {name: group.model_dump(mode="json") for name, group in (self.groups or {}).items()}
        graph = {name: task.needs for name, task in self.tasks.items()}
        return Scopes(groups).flow(combined(graph, groups))

    @cached_property
    def names_zone(self) -> bool:
        """Whether a trigger is due by a zone whose rules may be others one day, or its windows are open by
        one. A trigger of a schedule may be."""
        if self.expect is not None and self.expect.has_clock:
            return True
        admissions = [self.policies.admission, *(each.admission for each in (self.groups or {}).values())]
        return any(each is not None and each.tz not in (None, "UTC") for each in admissions) or any(
            trigger.zone or trigger.kind.is_shared for trigger in self.triggers
        )

    @cached_property
    def refers(self) -> list[Target]:
        """To which objects. Each put asks several times."""
        found = self._refers()
        return [each._replace(pointer=self.as_given(each.pointer)) for each in found]

    def _refers(self) -> list[Target]:
        found = []
        if self.extends is not None:
            found.append(Target("template", *resolved(self.extends, self.namespace), pointer_of("extends")))
        found += [
            Target("vars", *resolved(text, self.namespace), pointer_of("vars", place))
            for place, text in enumerate(self.vars or ())
        ]
        for name, task in self.tasks.items():
            for place, secret in enumerate(task.secrets or ()):
                pointer = pointer_of("tasks", name, "secrets", place)
                found.append(Target("secret", *resolved(secret.name, self.namespace), pointer))
            does = task.kind
            for each in () if does.refers is None else does.refers(getattr(task, does.name)):
                pointer = pointer_of("tasks", name, does.name, each.field)
                found.append(Target(each.kind, *resolved(each.text, self.namespace), pointer, each.needs))
        found += [
            Target("channel", *resolved(said, self.namespace), pointer_of("notify", place, "channel"))
            for place, notice in enumerate(self.notify)
            if (said := notice.in_channel) is not None
        ]
        found += [target for target, _ in self.wants]
        for place, trigger in enumerate(self.triggers):
            for kind, namespace, name, field in trigger.refers(self.namespace):
                found.append(Target(kind, namespace, name, pointer_of("triggers", place, *field.split("/"))))
        wanted = [each.target(place, self.namespace) for place, each in enumerate(self.requires or ())]
        return found + [each for each in wanted if each is not None] + self._calendars()

    @property
    def wants(self) -> list[tuple[Target, int]]:
        """Of which resources it, its groups and its tasks take some, and how much each time."""
        inside = [
            ((part, name, "locks"), box.locks)
            for part, boxes in (("groups", self.groups or {}), ("tasks", self.tasks))
            for name, box in boxes.items()
            if box.locks
        ]
        return [
            (self._resource(lock.resource, *place, number), lock.amount)
            for place, locks in [(("policies", "locks"), self.policies.locks), *inside]
            for number, lock in enumerate(locks or ())
        ]

    def _resource(self, text: str, *place: str | int) -> Target:
        pointer = self.as_given(pointer_of(*place))
        return Target("resource", *resolved(text, self.namespace), pointer, needs="run")

    @property
    def schedules(self) -> list[tuple[str, str]]:
        """Namespace and name of those whose triggers it has, each once."""
        shared = [each for each in self.triggers if each.kind.is_shared] if self.enabled else []
        named = [each.refers(self.namespace)[0] for each in shared]
        return list(dict.fromkeys((namespace, name) for _, namespace, name, _ in named))

    @cached_property
    def declared(self) -> Declared:
        """Its parameters, for `check_params`."""
        params = {name: param.model_dump(mode="json") for name, param in self.params.items()}
        return Declared(params, self.params_extra == ALLOW)

    def _calendars(self) -> list[Target]:
        found = []
        for place, trigger in enumerate(self.triggers):
            for way, number, text in () if trigger.calendar is None else trigger.calendar.named:
                pointer = pointer_of("triggers", place, "calendar", way, number)
                found.append(Target(KIND, *resolved(text, self.namespace), pointer))
        if self.policies.calendar is not None:
            pointer = pointer_of("policies", "calendar")
            found.append(Target(KIND, *resolved(self.policies.calendar, self.namespace), pointer))
        return found

    def public(self) -> dict[str, Any]:
        """The public shape, defaults filled in, as JSON values."""
        shape = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        for i, trigger in enumerate(self.triggers):
            shape["triggers"][i].update(trigger.schedule_fields())
            if trigger.has_own_words and not trigger.kind.is_shared:  # they are found by it
                shape["triggers"][i]["id"] = trigger.key
        return shape


def canonical(job: Job, *, format: int | None = None) -> bytes:
    """The job's one text, as stored and replicated under this format; None: the newest."""
    number = formats.newest() if format is None else format
    text = job.texts.get(number)
    if text is None:
        shape = job.public()
        text = job.texts[number] = json_text(lean(shape if format is None else without(shape, number)))
    return text


def prepare_triggers(
    job: Job, after_ms: int, calendars: Calendars = NO_CALENDARS, schedules: Schedules = NO_SCHEDULES
) -> tuple[PreparedTrigger, ...]:
    """The job's triggers for the log, then those that it has of schedules; of one that is disabled, none.
    `first_due_ms` is the first instant after `after_ms`; of what is counted from when it is first applied,
    the state sets it."""
    prepared: list[PreparedTrigger] = []
    shared: list[PreparedTrigger] = []
    for trigger in job.triggers if job.enabled else ():
        if trigger.kind.is_shared:
            known = schedules(*trigger.refers(job.namespace)[0][1:3])
            shared += prepared_of(
                known, job.namespace, job.name, after_ms,
                named=trigger.key, calendars=calendars, jitter_most_ms=trigger.jitter_ms,
            )  # fmt: skip
            continue
        spec = trigger.spec(job.namespace, job.name, calendars=calendars, default=job.policies.calendar)
        offset_ms = jitter_ms(job.namespace, job.name, trigger.key, trigger.jitter_ms or 0) + trigger.delay_ms
        ticks = schedule(anchored(spec, after_ms + 1))
        prepared.append(PreparedTrigger(trigger.key, spec, ticks.next(after_ms), offset_ms, ticks.per_day))
    return (*prepared, *shared)


def prepare(
    job: Job,
    after_ms: int,
    if_revision: int | None = None,
    *,
    format: int | None = None,
    given: Given | None = None,
    calendars: Calendars = NO_CALENDARS,
    schedules: Schedules = NO_SCHEDULES,
) -> PreparedJob:
    """The job for a PutJobs command to a state of this format. `given`: the defaults of its namespace with
    which it was parsed. `calendars`, `schedules`: as the proposer knows them."""
    text = canonical(job, format=format)
    triggers = prepare_triggers(job, after_ms, calendars, schedules)
    return PreparedJob(
        job.namespace, job.name, text, triggers, if_revision, each_once(job.refers),
        0 if given is None else given.revision,
        tuple((*of, schedules(*of).pin) for of in job.schedules),
        job.took,
    )  # fmt: skip
