"""hook: where a webhook of another system comes in, and how its signature is checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from scheduler.model.fields import DurationMs, Name, Reference
from scheduler.model.hook_secrets import secret_bytes
from scheduler.model.named import Target, resolved
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.problems import Refused

TOLERANCE_MS = 300_000
TOLERANCE_MS_MAX = 12 * 3_600_000
"""What came in is remembered for a day (`plan.passes.upkeep`), which is longer."""


class Hook(Described):
    name: Annotated[Name, Field(alias="hook")]
    enabled: Annotated[bool, Field(description="false: what comes in is refused")] = True
    secret: Annotated[Reference, Field(description="name of the secret that signs what comes in")]
    scheme: Annotated[
        Literal["standard", "github", "token"],
        Field(description="Standard Webhooks, GitHub's, or the secret itself in a header"),
    ] = "standard"
    tolerance_ms: Annotated[
        DurationMs, Field(alias="tolerance", description="how old a signed instant may be; of `standard`")
    ] = TOLERANCE_MS

    @field_validator("tolerance_ms")
    @classmethod
    def _is_remembered_for_longer(cls, value: int) -> int:
        if value > TOLERANCE_MS_MAX:
            raise Refused("at most 12h: what is older could be sent again unnoticed", "such as 5m")
        return value

    def refers(self) -> list[Target]:
        return [Target("secret", *resolved(self.secret, self.namespace), "/secret")]


def _secret_fault(stored: dict[str, Any], value: str) -> str:
    try:
        secret_bytes(stored["scheme"], value)
    except ValueError as error:
        return str(error)
    return ""


HOOK = Kind(
    name="hook",
    description="Where a webhook of another system comes in, and how its signature is checked.",
    example={"hook": "deploys", "secret": "deploy-key", "scheme": "github"},
    model=Hook,
    secret_fault=_secret_fault,
    other_words=("webhook", "incoming"),
)
