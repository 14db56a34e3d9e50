"""What all shapes of replies have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, WithJsonSchema

Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class Reply(BaseModel):
    model_config = ConfigDict(extra="allow", defer_build=True)  # /openapi.json alone needs them
