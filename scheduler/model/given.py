"""The defaults of a namespace, as the state keeps them. Plain: planning loads no pydantic for it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Given(NamedTuple):
    """Of a namespace as it is now."""

    revision: int  #: with which they became these
    shape: dict[str, Any]  #: as `model.defaults.Defaults.given`; empty: it says nothing any more

    @staticmethod
    def of(revision: int, text: str) -> Given:
        return Given(revision, json.loads(text) if text else {})
