"""hook: where a webhook of another system comes in, and how its signature is checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scheduler.model.fields import DurationMs, Name, Reference
from scheduler.model.named import Target, resolved
from scheduler.model.objects.kind import Described, Kind

TOLERANCE_MS = 300_000


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

    def refers(self) -> list[Target]:
        return [Target("secret", *resolved(self.secret, self.namespace), "/secret")]


HOOK = Kind(
    name="hook",
    description="Where a webhook of another system comes in, and how its signature is checked.",
    example={"hook": "deploys", "secret": "deploy-key", "scheme": "github"},
    model=Hook,
    other_words=("webhook", "incoming"),
)
