"""file: each file that is complete in a folder on hosts of a pool. It has no instants: agents look."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator, model_validator

from scheduler.model.fields import DurationMs, Labels, Model, Name, type_name
from scheduler.model.problems import Refused, shortened
from scheduler.model.quantities import format_duration, parse_duration_ms
from scheduler.model.triggers.kind import Kind
from scheduler.model.watching import BATCH_TYPES, FACTS, PATH, RATE_MAX, TYPES, Watched, file_spec
from scheduler.patterns import LETTERS_MAX, PatternError, check

STABLE_MS, STABLE_MS_MIN, STABLE_MS_MAX = 10_000, 100, 86_400_000
PATH_LETTERS_MAX = 1_000
_RATE = re.compile(r"([0-9]{1,7}) per ([0-9a-z]{2,40})")
_RATE_HINT = "such as 5 per 1m"
_FACTS = f"one of {', '.join(FACTS)}"
_PARAM = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"


def _folder(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or "\0" in value or ".." in parts or "." in parts:
        detail = f"{shortened(value)} is no folder's whole path"
        raise Refused(detail, "write it from the root on, without . and .., such as /incoming")
    return "/" + "/".join(part for part in parts if part)


def _rate(value: Any) -> str:
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise Refused(f"{shortened(str(value))} is no rate", _RATE_HINT)
    try:
        period_ms = parse_duration_ms(match[2])
    except ValueError as error:
        raise Refused(str(error), _RATE_HINT) from error
    if not 1 <= int(match[1]) <= RATE_MAX:
        raise Refused(f"a trigger fires from 1 to {RATE_MAX} times in a time", _RATE_HINT)
    return f"{int(match[1])} per {format_duration(period_ms)}"


def _told(value: Any) -> Any:
    """A param alone takes the path."""
    told = {PATH: value} if isinstance(value, str) else value
    if not isinstance(told, dict) or not told:
        raise Refused(f"must name a param, or one for each fact, not {type_name(value)}", "such as path")
    for fact, param in told.items():
        if fact not in FACTS:
            raise Refused(f"{shortened(str(fact))} is nothing that is told of a file", f"there is {_FACTS}")
        if not isinstance(param, str) or not re.fullmatch(_PARAM, param):
            raise Refused(f"{fact} goes to a param, by its name", f"such as {fact}: {fact}")
    if len(set(told.values())) < len(told):
        raise Refused("two facts go to one param", "name one for each")
    return told


Folder = Annotated[
    str, Field(min_length=1, max_length=PATH_LETTERS_MAX), WithJsonSchema(
        {"type": "string", "pattern": "^/", "maxLength": PATH_LETTERS_MAX}
    ),
]  # fmt: skip


class Seen(Model):
    """The agents that look."""

    pool: Annotated[Name, Field(description="the pool of the agents on whose hosts the folder is")] = (
        "default"
    )
    labels: Annotated[Labels, Field(description="that they have")] = Field(default_factory=dict)


class Then(Model):
    """What becomes of a file once its run has succeeded."""

    move: Annotated[Folder | None, Field(description="a folder that it is moved to, under its name")] = None
    delete: Annotated[Literal[True] | None, Field(description="it is deleted")] = None

    @field_validator("move")
    @classmethod
    def _is_a_folder(cls, value: str | None) -> str | None:
        return None if value is None else _folder(value)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.move is None) == (self.delete is None):
            raise Refused("a file is moved or deleted", "such as {move: /done}, or {delete: true}")
        return self


class File(Model):
    dir: Annotated[Folder, Field(description="the folder, without those in it")]
    match: Annotated[
        str, Field(max_length=LETTERS_MAX, description="of the names that are meant: a glob, or regex:…")
    ] = "*"
    on: Annotated[Seen, Field(description="the agents that look")] = Seen()
    scope: Annotated[
        Literal["agent", "shared"],
        Field(description="agent: each has its own folder, and runs what comes there; shared: all see one"),
    ] = "agent"
    stable_ms: Annotated[
        DurationMs, Field(alias="stable", description="it is complete once it stood still for so long")
    ] = STABLE_MS
    per: Annotated[
        Literal["file", "batch"],
        Field(description="batch: one run of all that is there, once nothing has changed for that long"),
    ] = "file"
    told: Annotated[
        dict[str, str] | None,
        BeforeValidator(_told),
        PlainSerializer(lambda value: value[PATH] if value and list(value) == [PATH] else value),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": _PARAM},
                    {
                        "type": "object",
                        "properties": {fact: {"type": "string", "pattern": _PARAM} for fact in FACTS},
                        "additionalProperties": False,
                        "minProperties": 1,
                    },
                ]
            }
        ),
        Field(alias="as", description=f"the param that takes its path, or params by fact: {_FACTS}"),
    ] = None
    then: Annotated[Then | None, Field(description="what becomes of it after a run that succeeded")] = None
    max_rate: Annotated[
        str | None,
        BeforeValidator(lambda value: None if value is None else _rate(value)),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,7} per [0-9a-z]+$"}),
        Field(description="so many runs in a time; what is more waits its turn"),
    ] = None

    @field_validator("dir")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        return _folder(value)

    @field_validator("match")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            check(value)
        except PatternError as error:
            raise Refused(f"the pattern: {error}", 'such as "*.csv", or "regex:[a-z]+[.]csv"') from error
        if "/" in value:
            raise Refused("a pattern is for names, and folders are in none", "name the folder in `dir`")
        return value

    @field_validator("stable_ms")
    @classmethod
    def _is_bounded(cls, value: int) -> int:
        if not STABLE_MS_MIN <= value <= STABLE_MS_MAX:
            least, most = format_duration(STABLE_MS_MIN), format_duration(STABLE_MS_MAX)
            raise Refused(f"{format_duration(value)} is not from {least} to {most}", "such as 30s")
        return value

    @model_validator(mode="after")
    def _goes_elsewhere(self) -> Self:
        if self.then is not None and self.then.move == self.dir:
            raise Refused("it would be moved to where it is", "name another folder", at=("then", "move"))
        return self

    @property
    def rate(self) -> tuple[int, int]:
        match = _RATE.fullmatch(self.max_rate or "")
        return (0, 0) if match is None else (int(match[1]), parse_duration_ms(match[2]))


class FileFields(Model):
    file: Annotated[
        File | None, Field(description="each file that is complete in a folder that agents look at")
    ] = None


def _asked(trigger: FileFields) -> File:
    assert trigger.file is not None
    return trigger.file


def _schedule(trigger: FileFields) -> dict[str, Any]:
    return {"file": _asked(trigger).model_dump(mode="json", by_alias=True, exclude_none=True)}


def _known_by(fields: dict[str, Any]) -> dict[str, Any]:
    """Which files are meant: an edit of how they are handed on makes none fire again."""
    return {"file": {name: fields["file"][name] for name in ("dir", "match", "on", "scope", "per")}}


def _spec(trigger: FileFields, job: str) -> bytes:
    asked = _asked(trigger)
    then = asked.then
    how = "" if then is None else "move" if then.move is not None else "delete"
    return file_spec(
        Watched(
            asked.on.pool, tuple(sorted(asked.on.labels.items())), asked.scope == "shared", asked.dir,
            asked.match, asked.stable_ms, asked.per == "batch", tuple(sorted((asked.told or {}).items())),
            how, (then and then.move) or "", asked.rate,
        )
    )  # fmt: skip


def _brings(trigger: FileFields) -> dict[str, str]:
    asked = _asked(trigger)
    types = BATCH_TYPES if asked.per == "batch" else TYPES
    return {param: types[fact] for fact, param in (asked.told or {}).items()}


def _spent(trigger: FileFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "file", reason, "remove the trigger"


FILE = Kind(
    name="file",
    example={
        "file": {
            "dir": "/incoming",
            "match": "*.csv",
            "on": {"pool": "etl", "labels": {}},
            "scope": "agent",
            "stable": "30s",
            "per": "file",
            "then": {"move": "/done"},
            "max_rate": "5 per 1m",
        }
    },
    fields=FileFields,
    schedule=_schedule,
    spec=_spec,
    known_by=_known_by,
    spent=_spent,
    brings=_brings,
    has_instants=False,
    has_offset=False,
    brings_params=True,
    overlap="queue_all",
    other_words=("file_watcher", "filewatcher", "path_exists", "file_order_source", "on_file", "watch"),
)
