"""Which secrets a task is given, and which jobs a secret is for: the words of both sides.

Promise: a job names a secret as NAME, or as NAMESPACE/NAME where it is another namespace's; a secret names
the jobs that may use it by patterns, `*` and `?`, of its own namespace or of NAMESPACE/ another one. Nobody
is given what does not name him: the default is no pattern at all.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from scheduler.model.named import resolved

USES_MAX = 20  #: of one task: with the longest values they fit a frame to its agent
GRANTS_MAX = 100  #: patterns of one secret
ALL_JOBS = "*"  #: of its own namespace

_NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,126}[a-zA-Z0-9])?"
_PATTERN = re.compile(rf"(?:{_NAME}/)?[a-zA-Z0-9._*?-]{{1,128}}")
_NO_VARIABLE = re.compile(r"[^A-Za-z0-9_]")
PATTERN_HINT = "such as nightly-report, nightly-* or web/deploy; * is every job of the secret's own namespace"


class SecretUse(NamedTuple):
    """A secret as a task is given it."""

    namespace: str  #: the secret's
    name: str
    variable: str  #: of the environment: its value, or the path of a file with it
    file: bool


def variable_of(name: str) -> str:
    """The variable that a secret comes in where the job names none."""
    return _NO_VARIABLE.sub("_", name.rpartition("/")[2])


def compiled_uses(task: Mapping[str, Any], namespace: str) -> tuple[SecretUse, ...]:
    """Of a task of the canonical job in this namespace."""
    return tuple([
        SecretUse(*resolved(use["name"], namespace), use["as"], use["file"])
        for use in task.get("secrets") or ()
    ])


def is_pattern(text: str) -> bool:
    return _PATTERN.fullmatch(text) is not None


def covers(patterns: Iterable[str], owner: str, namespace: str, job: str) -> bool:
    """Whether a secret of the namespace `owner` is for this job."""
    for pattern in patterns:
        where, _, which = pattern.rpartition("/")
        if (where or owner) == namespace and fnmatch.fnmatchcase(job, which):
            return True
    return False
