"""python: a function of a module, in an interpreter of the agent's host: a process of its own, as `exec` is.

What it returns, if that is an object, is the task's outputs, where it has some. Rejected: arguments from the
parameters. Their types would be guessed on a host whose function nobody here can look at; the environment has
them, as for every other kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.work.kind import Kind
from scheduler.model.work.process import FEATURES, INTERPRETER, with_surroundings

CALL = """\
import importlib, json, os, sys
module, _, name = sys.argv.pop(1).partition(":")
function = importlib.import_module(module)
for part in name.split("."):
    function = getattr(function, part)
given = function()
output = os.environ.get("CRONCLAVE_OUTPUT")
if output and isinstance(given, dict):
    with open(output, "w", encoding="utf-8") as file:
        json.dump(given, file)
"""


def _value() -> Any:
    from scheduler.model.called import Call

    return Call


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    called = task["python"]
    call, interpreter = (called, "") if isinstance(called, str) else (called["call"], called["interpreter"])
    return with_surroundings({"argv": [interpreter or INTERPRETER, "-c", CALL, call]}, task)


PYTHON = Kind(
    name="python",
    description="a function of a Python module, in an interpreter of its own",
    example="reports.nightly:main",
    value=_value,
    compiled=_compiled,
    happens="agent",
    executor="exec",
    features=FEATURES,
    other_words=("callable", "python_callable", "function", "module"),
)
