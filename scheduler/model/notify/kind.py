"""What a way to tell says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    name: str  #: the field of a notice that asks for it, and the effect that sends it
    description: str  #: of that field, in the JSON Schema and the reference
    example: Any  #: a value of the field
    value: Callable[[], Any]
    """The type of the field for pydantic, with its checks, which raise `Refused`."""
    targets: Callable[[Mapping[str, Any]], tuple[str, ...]]
    """Where it goes, of a notice of the canonical job, as the outbox keeps it: a row for each. It must not
    fail for one."""
    is_signed: bool = False  #: what it says can be signed, so that its receiver knows whose it is
    other_words: tuple[str, ...] = ()  #: what people write who know it from elsewhere
