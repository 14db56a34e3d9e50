"""What the text of a job leaves out, since it goes without saying: 10,000 tasks would say it as often.

Rules of this file:

1. The tables are a way to write jobs down, and not the model's defaults: they never change, whatever these
   become. Another default is written out from then on, and what was stored before means what it meant.
2. A field of a table is in every job that the model gives (`Job.public`): so nothing is lost, and equal jobs
   have equal texts. One that a later version brings stays out of the tables.
3. What is filled in is shared by all who ask: nobody may change it.
"""

from __future__ import annotations

from typing import Any

from scheduler.words.json_text import Raw, json_fields, json_text, json_value

Part = dict[str, Any]

_JOB: Part = {
    "criticality": "normal", "description": "", "enabled": True, "labels": {}, "notify": [], "owner": "",
    "params": {}, "triggers": [],
    "policies": {
        "catchup": {"grace": "1m", "max": 100, "mode": "latest", "window": "1d"}, "idempotent": False,
        "on_failure": "end", "on_lost": "wait", "overlap": "skip", "priority": 50,
        "retention": {"age": "90d", "runs": 100},
    },
}  # fmt: skip
_TASK: Part = {
    "allow_failure": False, "env": {}, "grace": "5s", "needs": [], "on": {"labels": {}, "pool": "default"},
    "output_limit": "64MiB", "rule": "all_success",
}  # fmt: skip
_GROUP: Part = {"needs": [], "rule": "all_success"}
_RETRY: Part = {"backoff": "exponential", "cap": "10m", "first": "10s"}  #: of one that says no delays


def lean(shape: Part) -> Part:
    """The public shape of a job, without what goes without saying."""
    less = _less(shape, _JOB)
    for part, table in _BOXES:
        if part in shape:
            boxes: Part = {}
            for name, box in shape[part].items():
                boxes[name] = kept = _less(box, table)
                if "retry" in kept and "delays" not in kept["retry"]:
                    kept["retry"] = _less(kept["retry"], _RETRY)
            less[part] = boxes
    return less


def whole(spec: bytes) -> Part:
    """The public shape of the job of this text."""
    return filled(json_value(spec))


def filled(shape: Part) -> Part:
    """The same, of the text as it was read."""
    more = {**_JOB, **shape}
    if "policies" in shape:
        more["policies"] = _more(shape["policies"], _JOB["policies"])
    for part, table in _BOXES:
        if part in shape:
            more[part] = _filled_boxes(shape[part], table)
    return more


def whole_text(spec: bytes, leave_out: frozenset[str] = frozenset()) -> bytes:
    """As `whole`, as JSON; without these fields. What need not be filled in is copied, not read."""
    texts = {**_JOB_TEXTS, **json_fields(spec)}
    for name in leave_out:
        texts.pop(name, None)
    if "policies" in texts:
        texts["policies"] = Raw(json_text(_more(json_value(texts["policies"]), _JOB["policies"])))
    for part, table in _BOXES:
        if part in texts:
            texts[part] = Raw(json_text(_filled_boxes(json_value(texts[part]), table)))
    return json_text(texts)


_BOXES = (("tasks", _TASK), ("groups", _GROUP))
_JOB_TEXTS = json_fields(json_text(_JOB))


def _less(part: Part, table: Part) -> Part:
    found: Part = {}
    for name, value in part.items():
        if name not in table:
            found[name] = value
        elif value != table[name]:
            found[name] = _less(value, table[name]) if _is_part(value, table[name]) else value
    return found


def _more(part: Part, table: Part) -> Part:
    found = {**table, **part}
    for name, unsaid in table.items():
        if name in part and _is_part(part[name], unsaid):
            found[name] = _more(part[name], unsaid)
    return found


def _is_part(value: object, unsaid: object) -> bool:
    """Whether fields are left out of it one by one; labels, which anybody names, are all or nothing."""
    return bool(unsaid) and isinstance(unsaid, dict) and isinstance(value, dict)


def _filled_boxes(boxes: Part, table: Part) -> Part:
    """In one step, since each put of a job comes by here on each node."""
    found: Part = {}
    on = table.get("on")
    for name, box in boxes.items():
        found[name] = more = {**table, **box}
        if on is not None and "on" in box:
            more["on"] = {**on, **box["on"]}
        if "retry" in box and "delays" not in box["retry"]:
            more["retry"] = {**_RETRY, **box["retry"]}
    return found
