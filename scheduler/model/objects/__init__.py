"""Kinds of objects that jobs refer to, one file a kind. A document says at its top which it is, and its name:
`vars: warehouse-dsn`, as `job: nightly` does.

Promise: whoever needs to know about kinds asks `NAMES` or `kind_of` and finds there all that a kind is: its
model and what is refused of it, to what it refers, what is computed of it when it is put. The check of
documents, the JSON Schemas, paths and commands go through them; nothing else decides by a kind's name. The
machine knows no kind at all: it stores what was prepared, and what refers to what.

Reading order: kind.py (what a kind says of itself, and what all objects have), vars.py, resource.py,
board.py, hook.py, schedule.py, calendar.py, template.py, channel.py, route.py, source.py, parsing.py (the
check, and what goes to the log).

Nothing here loads pydantic, or a kind's file, before `kind_of` is called: the command line knows the names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.model.objects.kind import Kind

NAMES = {
    "schedule": "schedules",
    "calendar": "calendars",
    "vars": "vars",
    "resource": "resources",
    "board": "boards",
    "hook": "hooks",
    "template": "templates",
    "channel": "channels",
    "route": "routes",
    "source": "sources",
}
"""Each kind, and how paths and lists call many of it."""


def kind_of(name: str) -> Kind:
    found: Kind = getattr(import_module(f"{__name__}.{name}"), name.upper())
    return found
