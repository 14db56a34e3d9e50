"""What a process has loaded is not looked at by each full collection of garbage."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from node import core, front

LEFT_MAX = 3_000
STORY = """
import gc, {module}
from node.__main__ import keep_loaded
gc.disable()  # as node/process.py does
before = len(gc.get_objects())
keep_loaded()
print(before, len(gc.get_objects()) if gc.isenabled() else before)
"""


@pytest.mark.parametrize("module", ["node.core", "node.front"])
def test_nothing_that_is_loaded_is_looked_at_again(module: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", STORY.format(module=module)], capture_output=True, text=True, check=True
    )
    before, after = map(int, told.stdout.split())
    assert before > 10 * LEFT_MAX
    assert after < LEFT_MAX


@pytest.mark.parametrize(("main", "begins"), [(core.main, "core.run()"), (front.main, "runner.run(")])
def test_each_process_keeps_it_before_its_loop_begins(main: object, begins: str) -> None:
    source = inspect.getsource(main)  # type: ignore[arg-type]  # a function
    assert 0 < source.index("keep_loaded()") < source.index(begins)
