"""How bad it is where a job fails: for people, who choose by it what they look at and are told of."""

from __future__ import annotations

from typing import Literal, get_args

Criticality = Literal["minor", "normal", "major", "critical"]
CRITICALITIES: tuple[str, ...] = get_args(Criticality)
