"""How a format says what it found: jobs, each checked by the model, and remarks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from cli.importing.found import Found, Job, LineRemark, Wishes
from scheduler.model import JobError, parse_job
from scheduler.ticks import UnknownZoneError, zone

NAME_LENGTH_MAX = 128
SHOWN_LENGTH_MAX = 120


class Place(NamedTuple):
    file: str
    line: int


class NotTaken(Exception):  # no error: one job of the file is left out, and that is said
    """Why a job is not taken. `place`: where, if not at the job itself."""

    def __init__(self, reason: str, place: Place | None = None) -> None:
        super().__init__(reason)
        self.place = place


class Gathering:
    """What was read so far."""

    def __init__(self, wishes: Wishes) -> None:
        self.wishes = wishes
        self._jobs: list[Job] = []
        self._names: dict[str, Place] = {}
        self._problems: list[LineRemark] = []
        self._notes: list[LineRemark] = []
        self._once: set[str] = set()

    def note(self, place: Place, what: str, reason: str) -> None:
        self._notes.append(LineRemark(place.line, _shown(what), reason, place.file))

    def note_once(self, file: str, reason: str) -> None:
        """What holds for all that is imported, said once."""
        if reason not in self._once:
            self._once.add(reason)
            self._notes.append(LineRemark(0, "", reason, file))

    def refuse(self, place: Place, what: str, reason: str) -> None:
        self._problems.append(LineRemark(place.line, _shown(what), reason, place.file))

    @contextmanager
    def each(self, place: Place, what: str) -> Iterator[None]:
        """One job: it is taken, or told with the reason and without the notes that belong to it."""
        before = len(self._notes)
        try:
            yield
        except NotTaken as reason:
            self._notes = self._notes[:before] + [note for note in self._notes[before:] if not note.line]
            self.refuse(reason.place or place, what, str(reason))

    def take(self, place: Place, job: Mapping[str, Any]) -> None:
        """Raises NotTaken where our own model refuses it, or another has its name."""
        # Nothing in it twice: YAML would write an anchor.
        said = {key: value for key, value in job.items() if value not in (None, {}, [], "")}
        body: Job = json.loads(json.dumps(said))
        for trigger in body.get("triggers", ()):
            if trigger.get("tz") == "UTC":
                trigger.pop("dst", None)
        try:
            parse_job(body)
        except JobError as error:
            reasons = (
                f"{p.pointer.lstrip('/')}: {p.detail}" if p.pointer else p.detail for p in error.problems
            )
            raise NotTaken("; ".join(reasons)) from None
        before = self._names.setdefault(body["job"], place)
        if before != place:
            where = f"{before.file}:{before.line}" if before.file != place.file else f"line {before.line}"
            raise NotTaken(f"its name becomes {body['job']}, which {where} has already: rename one of them")
        self._jobs.append(body)

    def found(self) -> Found:
        return Found(tuple(self._jobs), tuple(self._problems), tuple(self._notes))


def name_of(text: str) -> str:
    """A job's or task's name that says what `text` says. Raises NotTaken where nothing is left of it."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:NAME_LENGTH_MAX].rstrip("-._")
    if not name:
        raise NotTaken("it has no name")
    return name


def zone_of(text: str) -> str:
    """The same zone, if it is one. Raises NotTaken."""
    try:
        zone(text)
    except UnknownZoneError as error:
        raise NotTaken(str(error)) from None
    return text


def natural(text: str) -> int | None:
    """The number that these digits are, None where they are none."""
    return int(text) if len(text) < 10 and text.isascii() and text.isdigit() else None


def seconds(number: float) -> str:
    """A duration as job files write it."""
    whole_ms = round(number * 1000)
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if whole_ms and whole_ms % length == 0:
            return f"{whole_ms // length}{unit}"
    return f"{whole_ms}ms"


def alone(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A single task's fields stand at the top of a job."""
    if len(tasks) == 1:
        (task,) = tasks.values()
        return {key: value for key, value in task.items() if key != "needs"}
    return {"tasks": dict(tasks)}


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_LENGTH_MAX else text[: SHOWN_LENGTH_MAX - 1] + "…"
