"""The one JSON text of a value: sorted keys, no blanks, UTF-8. Equal values have equal bytes."""

from __future__ import annotations

import json

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted")
_LONG_NUMBERS = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def json_text(value: object) -> bytes:
    try:
        return _ENCODER.encode(value)
    except OverflowError:  # a whole number of more than 64 bits
        return _LONG_NUMBERS.encode(value).encode()
