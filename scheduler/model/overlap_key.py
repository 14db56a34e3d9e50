"""The key by which runs of a job are in each other's way: text with parameters of the run.

No pydantic: the core renders it at the firing."""

from __future__ import annotations

import hashlib
import json
import re

_PARAM = re.compile(r"\{params\.([A-Za-z_][A-Za-z0-9_]{0,63})\}")
RENDERED_LETTERS_MAX = 200
ANY = "\0"  #: no parameter has it: of a run whose parameters nobody knows, which is in the way of every other


def parts_of(text: str) -> tuple[str, ...]:
    """Words and names of parameters in turn, a word first."""
    return tuple(_PARAM.split(text))


def names_of(text: str) -> list[str]:
    return _PARAM.findall(text)


def is_plain(text: str) -> bool:
    """Whether nothing in it looks like a place for a value and is none."""
    return not set("{}") & set(_PARAM.sub("", text))


def rendered(parts: tuple[str, ...], params: str) -> str:
    """By the parameters of a run, an object as JSON; what it was not given is empty. A long one is a
    digest."""
    try:
        values = json.loads(params)
    except ValueError:  # apply never raises
        values = None
    values = values if isinstance(values, dict) else {}
    text = "".join(_text(values.get(part)) if place % 2 else part for place, part in enumerate(parts))
    if len(text) > RENDERED_LETTERS_MAX:
        return "sha256:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return text


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
