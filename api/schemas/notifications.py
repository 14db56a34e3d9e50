"""What is told of notifications: effects, mutes, and receivers that take nothing."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from api.schemas.asked import DRY_RUN, body, fields, text
from api.schemas.dry_runs import DryRun
from api.schemas.replies import Instant, Reply
from scheduler.model.notify import ABOUT

_UNTIL = {"type": "string", "format": "date-time"}
_REASON = text(500, pattern=r"\S")
_OR_ALL = {**text(200), "type": ["string", "null"]}  #: null, as in what is answered: all

acknowledge_effect: dict[str, Any] = {
    "parameters": [DRY_RUN],
    "requestBody": body(
        {"until": "2199-01-31T23:00:00Z", "reason": "the database is being moved"}, required=False,
        schema=fields(until={**_UNTIL, "type": ["string", "null"]}, reason=_REASON),
    ),
}
mute: dict[str, Any] = {
    "parameters": [DRY_RUN],
    "requestBody": body(
        {"namespace": "default", "until": "2199-01-31T23:00:00Z", "reason": "maintenance"},
        schema=fields(
            "until", until=_UNTIL, namespace=_OR_ALL, job=_OR_ALL,
            about={"type": ["string", "null"], "enum": [*ABOUT, None]}, reason=_REASON,
        ),
    ),
}


class Seen(Reply):
    """Who saw what is told."""

    by: str | None
    at: Instant


class Effect(Reply):
    """Something that is to leave the cluster, or did."""

    id: int = Field(examples=[17])
    kind: str = Field(examples=["webhook"])
    target: str = Field(examples=["https://hooks.example.org/cronclave"])
    about: str = Field(examples=["failed"])
    namespace: str
    job: str = Field(examples=["nightly-report"])
    run: int | None
    state: str = Field(
        description="waiting, gathered (told together later), sent, given_up, muted, together",
        examples=["waiting"],
    )
    created: Instant
    attempts: int = Field(description="Tries that failed.")
    next: Instant | None = Field(description="Not before; null: it is not to be sent.")
    until: Instant = Field(description="Waiting: it is given up then; else: it is kept until then.")
    reason: str | None
    channel: str | None = Field(description="namespace/name; null: its job says itself where it goes")
    route: str | None = Field(description="that led there, as namespace/name; null: its job did")
    escalates: Instant | None = Field(description="when others are told unless somebody saw it; null: never")
    acknowledged: Seen | None
    facts: dict[str, Any] | None = Field(description="what is said; null: it was sent")


class EffectList(Reply):
    items: list[Effect]
    next_cursor: str | None


class Mute(Reply):
    """Of what nobody is told for a while."""

    id: int | None = Field(description="null: of a dry run")
    namespace: str | None = Field(description="null: of all")
    job: str | None = Field(description="null: of all")
    about: str | None = Field(description="a word of `on`; null: of all")
    since: Instant
    until: Instant
    by: str | None
    reason: str | None


class MuteList(Reply):
    items: list[Mute]
    next_cursor: None


class Receiver(Reply):
    """Several tries in a row arrived nowhere."""

    kind: str = Field(examples=["email"])
    target: str = Field(examples=["ops@example.org"])
    channel: str | None = Field(examples=["default/ops"])
    namespace: str = Field(description="of the notice that failed last")
    job: str | None
    failures: int = Field(description="tries in a row")
    since: Instant
    last: Instant
    reason: str


class ReceiverList(Reply):
    items: list[Receiver]
    next_cursor: None


class ChannelTold(Reply):
    """By their ids in the outbox."""

    channel: str
    namespace: str
    effects: list[int]


class ChannelDryRun(DryRun):
    channel: str
    namespace: str
    change: Literal["told"]
