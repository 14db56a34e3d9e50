"""route: who is told of what becomes of many jobs, without a word in them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from scheduler.model.criticality import Criticality
from scheduler.model.fields import DurationMs, Labels, Model, Name, Reference, as_tuple
from scheduler.model.named import Target, resolved
from scheduler.model.notice import ABOUT_SCHEMA, about
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.problems import Refused, pointer_of
from scheduler.patterns import PatternError, check

MATCHES_MAX = 50
CHANNELS_MAX = 10
GATHER_MS_MAX, ESCALATE_MS_MAX = 7 * 86_400_000, 7 * 86_400_000
MOST_MAX = 1_000


def _pattern(value: str) -> str:
    try:
        check(value)
    except PatternError as error:
        raise Refused(str(error), "such as nightly-* or regex:load-[0-9]+") from None
    return value


Patterns = Annotated[
    tuple[Annotated[str, AfterValidator(_pattern)], ...],
    BeforeValidator(as_tuple),
    Field(min_length=1, max_length=MATCHES_MAX),
]
Channels = Annotated[
    tuple[Reference, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=CHANNELS_MAX)
]


class Match(Model):
    """Of which jobs: all that is said must fit."""

    jobs: Annotated[Patterns | None, Field(description="their names: globs, or regex:…")] = None
    labels: Annotated[Labels, Field(description="that they have, all of them; values are patterns")] = Field(
        default_factory=dict
    )
    owners: Annotated[Patterns | None, Field(description="who answers for them")] = None
    criticality: Annotated[
        tuple[Criticality, ...] | None,
        BeforeValidator(as_tuple),
        Field(min_length=1, description="how bad it is where they fail: one of these"),
    ] = None

    @model_validator(mode="after")
    def _are_patterns(self) -> Self:
        for value in self.labels.values():
            _pattern(value)
        if not (self.jobs or self.labels or self.owners or self.criticality):
            raise Refused("it matches every job", "say which, or remove it")
        return self


class Escalate(Model):
    after_ms: Annotated[
        DurationMs, Field(alias="after", description="so long after it was told, if nobody acknowledged it")
    ]
    to: Annotated[Channels, Field(description="channels that are told then")]

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        if not 60_000 <= self.after_ms <= ESCALATE_MS_MAX:
            raise Refused("from 1m to 7d", "such as 30m", at=("after",))
        return self


class Most(Model):
    n: Annotated[int, Field(ge=1, le=MOST_MAX, description="so many one by one")]
    per_ms: Annotated[
        DurationMs, Field(alias="per", description="within so long; what is beyond that comes together")
    ]

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        if not 60_000 <= self.per_ms <= GATHER_MS_MAX:
            raise Refused("from 1m to 7d", "such as 1h", at=("per",))
        return self


class Route(Described):
    name: Annotated[Name, Field(alias="route")]
    enabled: Annotated[bool, Field(description="false: it tells nobody")] = True
    on: Annotated[tuple[str, ...], BeforeValidator(about), WithJsonSchema(ABOUT_SCHEMA)]
    everywhere: Annotated[
        bool, Field(description="of the jobs of all namespaces; who puts it may edit in all of them")
    ] = False
    match: Annotated[Match | None, Field(description="of which jobs; without it of all")] = None
    to: Annotated[Channels, Field(description="channels that are told")]
    digest_ms: Annotated[
        DurationMs | None,
        Field(alias="digest", description="what comes within so long is told together"),
    ] = None
    most: Annotated[Most | None, Field(description="a limit for floods")] = None
    escalate: Annotated[
        Escalate | None, Field(description="who is told where nobody says that they saw it")
    ] = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.digest_ms is not None and not 60_000 <= self.digest_ms <= GATHER_MS_MAX:
            raise Refused("from 1m to 7d", "such as 1h", at=("digest",))
        if self.digest_ms is not None and (self.most or self.escalate):
            other = "most" if self.most else "escalate"
            raise Refused(f"digest and {other} exclude each other", "make a route of each", at=(other,))
        return self

    def refers(self) -> list[Target]:
        named = [("to", self.to), ("escalate/to", () if self.escalate is None else self.escalate.to)]
        return [
            Target("channel", *resolved(text, self.namespace), pointer_of(*field.split("/"), place))
            for field, texts in named
            for place, text in enumerate(texts)
        ]


ROUTE = Kind(
    name="route",
    description="Who is told of what becomes of many jobs, without a word in them.",
    example={"route": "loads", "on": ["failed"], "match": {"jobs": ["load-*"]}, "to": ["ops"]},
    model=Route,
    of_all=lambda stored: bool(stored["everywhere"]),
    other_words=("routes", "routing", "subscription"),
)
