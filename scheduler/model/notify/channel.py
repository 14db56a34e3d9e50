"""channel: by a name that many jobs use; what it is stands in the object of that name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.notify.kind import Kind


def _value() -> Any:
    from scheduler.model.fields import Reference

    return Reference


def _targets(notice: Mapping[str, Any]) -> tuple[str, ...]:
    return (notice["channel"],)


CHANNEL = Kind(
    name="channel",
    description="the channel of this name, or of `other/name` in another namespace",
    example="ops",
    value=_value,
    targets=_targets,
    other_words=("channels", "contact", "receiver"),
)
