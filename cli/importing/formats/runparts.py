"""Folders of scripts that run-parts(8) runs, such as /etc/cron.daily: one after the other by name, whatever
became of the one before. As Debian's /etc/crontab starts them.

Names that hold anything but letters, digits, `_` and `-` are not run.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from cli.importing.found import Found, Source, Wishes
from cli.importing.gathering import Gathering, NotTaken, Place, alone, name_of

_TIMES = {
    "cron.hourly": "17 * * * *", "cron.daily": "25 6 * * *", "cron.weekly": "47 6 * * 7",
    "cron.monthly": "52 6 1 * *", "cron.yearly": "52 6 1 1 *",
}  # fmt: skip
_RUN = re.compile(r"[A-Za-z0-9_-]+")


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    folders: dict[str, list[Source]] = {}
    for source in sources:
        folders.setdefault(str(PurePosixPath(source.name).parent), []).append(source)
    for folder, scripts in folders.items():
        place = Place(folder, 1)
        with gathering.each(place, folder):
            _folder(gathering, place, folder, scripts)
    if not wishes.tz_given:
        gathering.note_once(
            sources[0].name, "times are those of the host's zone: UTC was taken, --tz says otherwise"
        )
    return gathering.found()


def _folder(gathering: Gathering, place: Place, folder: str, scripts: list[Source]) -> None:
    name = PurePosixPath(folder).name
    if name not in _TIMES:
        raise NotTaken(f"{name} is none of {', '.join(_TIMES)}")
    tasks: dict[str, dict[str, Any]] = {}
    for script in sorted(scripts, key=lambda source: source.name):
        stem = PurePosixPath(script.name).name
        if not _RUN.fullmatch(stem):
            gathering.note(Place(script.name, 0), stem, "run-parts does not run a name with such a character")
            continue
        task: dict[str, Any] = {"exec": [script.name]}
        if tasks:
            task |= {"needs": [list(tasks)[-1]], "rule": "all_done"}
        tasks[name_of(stem)] = task
    if not tasks:
        raise NotTaken("it holds nothing that run-parts would run")
    gathering.take(place, {
        "job": name_of(name),
        "triggers": [{"cron": _TIMES[name], "tz": gathering.wishes.tz}],
        "policies": {"overlap": "allow", "catchup": {"mode": "none"}},
        **alone(tasks),
    })  # fmt: skip
