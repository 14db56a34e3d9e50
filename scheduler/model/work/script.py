"""script: a text that is shipped with the job, files beside it, for an interpreter of the agent's host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.work.kind import Kind
from scheduler.model.work.process import FEATURES, with_surroundings


def _value() -> Any:
    from scheduler.model.script import Shipped

    return Shipped


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    given = task["script"]
    script = {"text": given} if isinstance(given, str) else given
    own = [] if script["text"].startswith("#!") else ["/bin/sh"]
    shipped = {"text": script["text"], "interpreter": script.get("interpreter") or own}
    if script.get("files"):
        shipped["files"] = script["files"]
    return with_surroundings(shipped, task)


SCRIPT = Kind(
    name="script",
    description="a text that is shipped with the job, for an interpreter",
    example="echo hello",
    value=_value,
    compiled=_compiled,
    happens="agent",
    executor="script",
    features=FEATURES,
    other_words=("inline", "script_text", "code", "source_code"),
)
