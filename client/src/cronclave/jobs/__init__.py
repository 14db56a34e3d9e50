"""Jobs as code: decorators and plain classes that give the same definition as YAML.

The promise: what a file of Python says is what YAML would have said, to the letter of the canonical text; no
node ever imports it. `cronclave job apply FILE.py` evaluates it where the command runs, in a process of its
own.

Reading order: word (what each word can) → words/ (made of the JSON Schemas) → conditions → job (graphs,
decorators, triggers); evaluate (a file, by the command line), convert (YAML to Python).
"""

from __future__ import annotations

from cronclave.jobs.conditions import Expression, plan_date, var
from cronclave.jobs.conditions import param as param
from cronclave.jobs.job import Box, Job, after, at, cron, delay, every, job, notice, webhook
from cronclave.jobs.word import Document, Word
from cronclave.jobs.words import *  # noqa: F403  # all of them: they are what there is to say
from cronclave.jobs.words import __all__ as WORDS

__all__ = [
    "Box", "Document", "Expression", "Job", "Word", "after", "at", "cron", "delay", "every", "job", "notice",
    "param", "plan_date", "var", "webhook", *WORDS,
]  # fmt: skip
