"""The one JSON text of a value: sorted keys, no blanks, UTF-8. Equal values have equal bytes. And back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

Raw = msgspec.Raw  #: a text that stands in a value as it is

_ENCODER = msgspec.json.Encoder(order="sorted")
_LONG_NUMBERS = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

json_value: Callable[[bytes | Raw], Any] = msgspec.json.Decoder().decode
json_fields: Callable[[bytes], dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw]).decode
"""Of an object, each value as its text."""


def json_text(value: object) -> bytes:
    try:
        return _ENCODER.encode(value)
    except OverflowError:  # a whole number of more than 64 bits
        return _LONG_NUMBERS.encode(value).encode()
