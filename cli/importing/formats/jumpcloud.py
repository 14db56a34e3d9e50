"""Commands of JumpCloud, from `GET /api/commands` or `/api/command/{id}`.

`schedule` has six fields, seconds first, and is read by each device in its own zone. A command runs on each
device that it is bound to, for `timeout` seconds (120), and what a device misses is made up within
`timeToLiveSeconds`. It runs as root where no user is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.importing.found import Found, Source, Wishes
from cli.importing.gathering import Gathering, NotTaken, name_of, seconds, zone_of
from cli.importing.items import Item, read_items
from cli.importing.schedules.robfig import robfig

_PASSED = (
    "_id", "id", "organization", "listensTo", "template", "skip", "commandRunners", "scheduleRepeatType",
    "scheduleYear", "systems", "shell", "files", "filesS3", "aggregatedFiles",
)  # fmt: skip

LIVE_S = 864_000  #: how long a command waits for a device that is away, where nothing is said


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    for source in sources:
        for item in _commands(source):
            with gathering.each(item.place(), f"command {item.called('name')}"):
                _command(gathering, item)
    return gathering.found()


def _commands(source: Source) -> Iterator[Item]:
    for page in read_items(source):
        page.passed("totalCount")
        yield from page.items("results") if "results" in page else [page]


def _command(gathering: Gathering, item: Item) -> None:
    item.passed(*_PASSED)
    if (kind := item.text("commandType", "linux")) == "windows":
        raise NotTaken("commandType: windows: agents run on Linux and macOS", item.place("commandType"))
    if "files" in item and item.get("files"):
        raise NotTaken("it brings files: put them with `script: {text: …, files: …}`", item.place("files"))
    limit, live = item.number("timeout"), item.number("timeToLiveSeconds")
    work: dict[str, Any] = {
        "script": item.text("command"),
        "fanout": {"all": "registered", "ttl": seconds(live or LIVE_S), "offline": "skip"},
        "on": {"labels": {"os": "macos" if kind == "mac" else "linux"}},
        "timeout": seconds(120 if limit is None else limit) if limit != 0 else None,
    }
    if item.flag("sudo") or not item.text("user"):
        work["run_as"] = "root"
    else:
        gathering.note(
            item.place("user"), item.text("user"), "the user is told by its number: say its name with run_as"
        )
    gathering.note_once(
        item.place().file,
        "bound devices are not in this file: it runs on all agents of the pool with this os as label",
    )
    gathering.take(item.place(), {
        "job": name_of(item.text("name")),
        "triggers": _triggers(gathering, item),
        "policies": {"overlap": "skip", "catchup": {"mode": "none"}},
        **{key: value for key, value in work.items() if value is not None},
    })  # fmt: skip
    item.told(gathering)


def _triggers(gathering: Gathering, item: Item) -> list[dict[str, Any]]:
    launch, text = item.text("launchType", "manual"), item.text("schedule")
    if launch == "trigger":
        name = item.text("trigger")
        gathering.note(
            item.place("trigger"),
            name,
            f"put a hook {name} and give the job `triggers: [{{webhook: {name}}}]`",
        )
        return []
    item.passed("trigger")
    if launch == "manual" or text in ("", "immediate"):
        item.passed("schedule")
        return []
    if launch == "one-time":
        raise NotTaken("launchType: one-time: use the trigger `at`", item.place("launchType"))
    if launch not in ("repeated", "scheduled"):
        raise NotTaken(f"launchType: {launch} is not taken over", item.place("launchType"))
    if not gathering.wishes.tz_given:
        gathering.note_once(
            item.place().file, "each device took its own zone: UTC was taken, --tz says another for all"
        )
    words = text.split()
    read = robfig(
        " ".join(words if len(words) == 6 else ["0", *words]), zone_of(gathering.wishes.tz), with_seconds=True
    )
    return [read.trigger]
