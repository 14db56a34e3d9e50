"""finish: the run ends here, as it says, whatever else would have followed. It lasts no time."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from scheduler.model.problems import Refused, shortened
from scheduler.model.work.in_state import UNREAD
from scheduler.model.work.kind import ENDS_RUN, Kind

VERDICTS = ("succeeded", "failed")


def _value() -> Any:
    from pydantic import BeforeValidator, WithJsonSchema

    return Annotated[
        str, BeforeValidator(_verdict), WithJsonSchema({"type": "string", "enum": list(VERDICTS)})
    ]


def _verdict(value: Any) -> str:
    if isinstance(value, str) and value in VERDICTS:
        return value
    near = difflib.get_close_matches(value[:40], VERDICTS, 1) if isinstance(value, str) else []
    hint = f"did you mean {near[0]}?" if near else "how the run ends"
    raise Refused(f"finish must be {' or '.join(VERDICTS)}, not {shortened(value)}", hint)


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    return {"does": ENDS_RUN, "as": task["finish"]}


def _drawn(verdict: str) -> str:
    return f"the run ends: {verdict}"


FINISH = Kind(
    name="finish",
    description="the end of the run, so: what of it is still open is cancelled",
    example="succeeded",
    value=_value,
    compiled=_compiled,
    happens="state",
    shape="octagon",
    drawn=_drawn,
    executor=None,
    lasts_ms=lambda task: 0,
    unread=UNREAD,
    other_words=("end", "end_run", "fail", "complete", "return"),
)
