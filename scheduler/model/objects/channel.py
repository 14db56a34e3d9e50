"""channel: whom to tell and how, under a name that jobs and routes use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, create_model, model_validator

from scheduler.model.fields import Model, Name, Reference
from scheduler.model.hook_secrets import secret_bytes
from scheduler.model.named import Target, resolved
from scheduler.model.notify import ONE_WAY, WAYS
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.problems import Refused

if TYPE_CHECKING:
    Way = Model
else:
    Way = create_model(
        "Way",
        __base__=Model,
        **{kind.name: (kind.value() | None, Field(None, description=kind.description)) for kind in WAYS},
    )


class Channel(Described, Way):
    name: Annotated[Name, Field(alias="channel")]
    secret: Annotated[
        Reference | None,
        Field(description="name of the secret that its webhook is signed with, in place of the nodes' key"),
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [kind for kind in WAYS if getattr(self, kind.name) is not None]
        if not given:
            raise Refused("it reaches nobody", f"give {ONE_WAY}")
        if len(given) > 1:
            both = " and ".join(kind.name for kind in given)
            raise Refused(f"{both} exclude each other", "make a channel of each")
        if self.secret is not None and not given[0].is_signed:
            raise Refused(f"what goes by {given[0].name} is not signed", "remove it", at=("secret",))
        return self

    def refers(self) -> list[Target]:
        if self.secret is None:
            return []
        return [Target("secret", *resolved(self.secret, self.namespace), "/secret")]


def _secret_fault(stored: dict[str, object], value: str) -> str:
    try:
        secret_bytes("standard", value)
    except ValueError as error:
        return str(error)
    return ""


CHANNEL = Kind(
    name="channel",
    description="Whom to tell and how, under a name that jobs and routes use.",
    example={"channel": "ops", "email": ["ops@example.org"]},
    model=Channel,
    secret_fault=_secret_fault,
    other_words=("receiver", "contact", "channels"),
)
