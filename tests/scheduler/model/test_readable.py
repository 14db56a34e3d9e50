"""What the editor opens with: the same job, in the order in which a person reads it."""

from __future__ import annotations

import pytest

from scheduler import formats
from scheduler.model.documents import load_yaml
from scheduler.model.job import canonical
from scheduler.model.parse import parse_job
from scheduler.model.readable import readable
from scheduler.model.written import write_yaml

FORMAT = formats.newest()
SHORT = """\
job: my-first-job
description: Says hello every minute
triggers:
- cron: '* * * * *'
  tz: Europe/Berlin
- every: 5m
  jitter: 10s
run: echo hello
"""
FAMILY = """\
job: family
triggers:
- cron: 0 2 * * *
  dst: skip
tasks:
  start:
    run: echo start
  prepare:
    run: echo prepare
  extract:
    run: echo extract
    needs:
    - prepare
  child:
    job:
      name: other
    needs:
    - load
  bye:
    run: echo bye
  wave:
    run: echo wave
    timeout: 10m
finally:
- bye
- wave
groups:
  load:
    tasks:
    - extract
    - prepare
    needs:
    - start
"""


def stored(text: str) -> bytes:
    (document,) = load_yaml(text, "text")
    return canonical(parse_job(document.data, format=FORMAT), format=FORMAT)


def opened(spec: bytes) -> str:
    return write_yaml([readable(spec, FORMAT)], starts=False)


@pytest.mark.parametrize("text", [SHORT, FAMILY])
def test_a_text_written_so_comes_back_as_it_was(text: str) -> None:
    assert opened(stored(text)) == text


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("job: a\ntriggers: {cron: 0 2 * * *, tz: UTC, dst: cron}\nrun: x", "- cron: 0 2 * * *\nrun: x\n"),
        ("job: a\nparams: {day: {type: string}}\nrun: x", "    type: string\nrun: x\n"),
        ("job: a\ntasks: {main: {run: x}, b: {run: z}}", "tasks:\n  b:\n    run: z\n  main:\n    run: x\n"),
        ("job: a\nowner: x\ntasks: {main: {run: z, timeout: 5m}}", "run: z\ntimeout: 5m\n"),
        ("job: a\ntasks: {main: {run: x, when: params.x}}\nparams: {x: {type: boolean}}", "when: params.x\n"),
    ],
)  # fmt: skip
def test_what_is_left_out_says_nothing(said: str, shown: str) -> None:
    spec = stored(said)
    assert shown in opened(spec)
    assert stored(opened(spec)) == spec
