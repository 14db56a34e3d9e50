"""A folder of crontabs, as cron reads /etc/cron.d: each file with a user column and its own environment.

Files whose names hold anything but letters, digits, `_` and `-` are not read. A command that stands in two
files ran twice: it is two jobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cli.importing.formats.crontab.names import short_hash
from cli.importing.formats.crontab.reading import CrontabImport, parse_crontab
from cli.importing.found import Job, LineRemark

_READ = re.compile("[A-Za-z0-9_-]+")


def parse_folder(texts: Mapping[str, str], **options: Any) -> CrontabImport:
    """`texts`: by their paths. `options`: those of `parse_crontab`."""
    jobs: dict[str, Job] = {}
    problems: list[LineRemark] = []
    notes: list[LineRemark] = []
    if options.get("user_column") is None:
        options["user_column"] = True
    for path, text in sorted(texts.items()):
        if not _READ.fullmatch(path.rpartition("/")[2]):
            notes.append(LineRemark(0, "", "cron reads no file with a name of such characters", path))
            continue
        found = parse_crontab(text, **options, filename=path)
        for job in found.jobs:
            again = f"{job['job']}-{short_hash(path, 4)}"
            name = again if job["job"] in jobs else job["job"]
            jobs[name] = {**job, "job": name}
        problems += [remark._replace(file=path) for remark in found.problems]
        notes += [remark._replace(file=path) for remark in found.notes]
    told = CrontabImport((), tuple(problems), tuple(notes), options["user_column"])
    return replace(told, jobs=tuple(jobs.values()))
