"""Triggers: what makes a job due. Each is exactly one of the kinds in triggers/."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, Field, create_model, model_validator

from scheduler.model.fields import DurationMs, Model, Name
from scheduler.model.problems import Refused
from scheduler.model.triggers import KINDS, NAMES, ONE_OF, Kind
from scheduler.ticks import never_reason
from scheduler.words.json_text import json_text

if TYPE_CHECKING:
    Fields = Model
else:  # pydantic lists the fields of the last base first
    Fields = create_model("Fields", __base__=tuple(kind.fields for kind in reversed(KINDS)))

_KINDS = [(kind, kind.attributes[kind.name]) for kind in KINDS]
_FOREIGN = {
    kind.name: [
        (other, [(name, at) for name, at in other.attributes.items() if name not in kind.attributes])
        for other in KINDS
        if other is not kind
    ]
    for kind in KINDS
}
"""To each kind the others, and their fields that it does not have, with the attributes."""


class Trigger(Fields):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in NAMES]})

    id: Annotated[Name | None, Field(description="names the trigger; else a hash of its schedule")] = None
    jitter_ms: Annotated[
        DurationMs | None, Field(alias="jitter", description="upper limit of a constant offset")
    ] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind, attribute in _KINDS if getattr(self, attribute) is not None]
        if len(given) != 1:
            names = " and ".join(kind.name for kind in given)
            said = f"{names} exclude each other" if given else "it has no schedule"
            raise Refused(f"{said}: a trigger has exactly {ONE_OF}", "use one trigger for each")
        for other, fields in _FOREIGN[given[0].name]:
            surplus = [field for field, attribute in fields if getattr(self, attribute) is not None]
            if surplus:
                said = f"{' and '.join(surplus)} {'is' if len(surplus) == 1 else 'are'}"
                detail = f"{said} for `{other.name}` triggers, not for `{given[0].name}`"
                raise Refused(detail, f"remove {surplus[0] if len(surplus) == 1 else 'them'}")
        return self

    @cached_property
    def kind(self) -> Kind[Any]:
        return next(kind for kind, attribute in _KINDS if getattr(self, attribute) is not None)

    def schedule_fields(self) -> dict[str, Any]:
        """What decides the instants, all defaults filled in."""
        return self.kind.schedule(self)

    @property
    def delay_ms(self) -> int:
        return self.kind.delay_ms(self)

    def why_spent(self, namespace: str, job: str, now_ms: int) -> tuple[str, str, str]:
        """Where (its field), why and with which way out this trigger fires at no instant after `now_ms`."""
        reason = never_reason(self.spec(namespace, job), now_ms) or "it never fires"
        return self.kind.spent(self, now_ms, reason)

    @cached_property
    def key(self) -> str:
        """The trigger's identity within its job."""
        if self.id is not None:
            return self.id
        return hashlib.sha256(json_text(self.schedule_fields())).hexdigest()[:12]

    def spec(self, namespace: str, job: str) -> bytes:
        """The bytes for `scheduler.ticks.schedule`."""
        return self.kind.spec(self, f"{namespace}/{job}")
