"""notice: each notice that is posted on a board. It has no instants."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from scheduler.model.fields import Model, Reference
from scheduler.model.limits import NOTICE_LETTERS_MAX
from scheduler.model.named import resolved
from scheduler.model.noticing import PLAN_DATE, notice_spec
from scheduler.model.problems import Refused
from scheduler.model.triggers.kind import Kind
from scheduler.words.causes import noticed


class Noticed(Model):
    board: Annotated[Reference, Field(description="a board: a name, or namespace/name")]
    key: Annotated[
        str | None,
        Field(
            description=f"of the notices that are meant; {PLAN_DATE}: each one's own plan date; default any",
            json_schema_extra={"minLength": 1, "maxLength": NOTICE_LETTERS_MAX},
        ),
    ] = None

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, value: str | None) -> str | None:
        if value is not None and not 1 <= len(value) <= NOTICE_LETTERS_MAX:
            raise Refused(f"a key has 1 to {NOTICE_LETTERS_MAX} letters", "leave it out for any")
        return value


class NoticeFields(Model):
    notice: Annotated[Noticed | None, Field(description="each notice that is posted on a board")] = None


def _schedule(trigger: NoticeFields) -> dict[str, Any]:
    asked = trigger.notice
    assert asked is not None
    key = {} if asked.key is None else {"key": asked.key}
    return {"notice": {"board": asked.board, **key}}


def _spec(trigger: NoticeFields, job: str) -> bytes:
    assert trigger.notice is not None
    board = resolved(trigger.notice.board, job.partition("/")[0])
    return notice_spec(noticed(*board), trigger.notice.key)


def _refers(trigger: NoticeFields, namespace: str) -> list[tuple[str, str, str, str]]:
    assert trigger.notice is not None
    return [("board", *resolved(trigger.notice.board, namespace), "notice/board")]


def _spent(trigger: NoticeFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "notice", reason, "remove the trigger"


NOTICE = Kind(
    name="notice",
    example={"notice": {"board": "stock", "key": "plan_date"}},
    fields=NoticeFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    refers=_refers,
    has_instants=False,
    has_offset=False,
    overlap="queue_all",
    other_words=("notice_board", "expect_notice", "expectnotices"),
)
