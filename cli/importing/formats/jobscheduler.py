"""Jobs of SOS JobScheduler 1.x, as XML: NAME.job.xml of a live folder, or a configuration of many.

By its source: `repeat` of `01:00` is one hour and `10` ten seconds, `ultimos` 0 is a month's last day,
weekdays have names in English and German or 0 to 7, Sunday being 0 and 7. A period without a start or a
repeat is a window. What fell due while the job ran is left out.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from cli.importing.elements import Element, read_element
from cli.importing.found import Found, Source, UnreadableError, Wishes
from cli.importing.gathering import Gathering, NotTaken, Place, name_of, natural, seconds, zone_of
from cli.importing.schedules.periods import DAY_S, Days, clock_s, last_day, repeated, triggers
from cli.importing.schedules.spelling import spelled

_NAMES = (
    ("so", "sun", "sunday", "sonntag"), ("mo", "mon", "monday", "montag"),
    ("di", "tue", "tuesday", "dienstag"), ("mi", "wed", "wednesday", "mittwoch"),
    ("do", "thu", "thursday", "donnerstag"), ("fr", "fri", "friday", "freitag"),
    ("sa", "sat", "saturday", "samstag"),
)  # fmt: skip
_WEEKDAYS = {name: number for number, names in enumerate(_NAMES) for name in names}
_SHELLS = ("shell", "")
_READ = {"script", "run_time", "params", "delay_after_error", "description", "environment"}
_PASSED = {
    "title",
    "name",
    "order",
    "java_options",
    "stop_on_error",
    "process_class",
    "tasks",
    "timeout",
    "enabled",
}


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    seen = 0
    for source in sources:
        stem = PurePosixPath(source.name).name.partition(".")[0]
        for job in _jobs(read_element(source)):
            seen += 1
            name = job.attributes.get("name") or stem
            with gathering.each(Place(source.name, job.line), f"job {name}"):
                _job(gathering, source.name, name, job)
    if not seen:
        raise UnreadableError(sources[0].name, "no element <job>")
    return gathering.found()


def _jobs(element: Element) -> list[Element]:
    if element.name == "job":
        return [element]
    return [job for child in element.children for job in _jobs(child)]


def _job(gathering: Gathering, file: str, name: str, job: Element) -> None:
    if job.attributes.get("order") == "yes":
        raise NotTaken("a job of a job chain: make the chain one job, with a task for each of its nodes")
    work = _work(gathering, file, job)
    run_time = job.first("run_time")
    when = [] if run_time is None else _run_time(gathering, file, run_time)
    body = {
        "job": name_of(name),
        "description": job.attributes.get("title", ""),
        "enabled": False if job.attributes.get("enabled") == "no" else None,
        "triggers": when,
        "policies": {"overlap": "skip", "catchup": {"mode": "none"}, **_failures(job)},
        **work,
    }
    gathering.take(Place(file, job.line), body)
    for child in job.children:
        if child.name not in _READ:
            gathering.note(Place(file, child.line), f"<{child.name}>", f"<{child.name}> is not taken over")
    for key, value in job.attributes.items():
        if key not in _PASSED:
            gathering.note(Place(file, job.line), f'{key}="{value}"', f"{key} is not taken over")
    if pool := job.attributes.get("process_class"):
        gathering.note(Place(file, job.line), pool, "process_class: --pool says which agents run it")


def _work(gathering: Gathering, file: str, job: Element) -> dict[str, Any]:
    script = job.first("script")
    if script is None:
        raise NotTaken("it has no script")
    place = Place(file, script.line)
    if (language := script.attributes.get("language", "shell").lower()) not in _SHELLS:
        raise NotTaken(f"a script in {language}: only shell scripts are taken over, no job in a JVM", place)
    if include := script.first("include"):
        raise NotTaken(
            f"it includes {include.attributes}: put that file's text here", Place(file, include.line)
        )
    env = {
        f"SCHEDULER_PARAM_{param.attributes.get('name', '').upper()}": param.attributes.get("value", "")
        for params in job.all("params")
        for param in params.all("param")
    }
    for environment in job.all("environment"):
        env |= {
            v.attributes.get("name", ""): v.attributes.get("value", "") for v in environment.all("variable")
        }
    work: dict[str, Any] = {"script": script.text.strip() + "\n", "env": env}
    if limit := job.attributes.get("timeout"):
        work["timeout"] = seconds(_span_s(limit))
    return work


def _failures(job: Element) -> dict[str, Any]:
    delays: dict[str, str] = {}
    for delay in job.all("delay_after_error"):
        count, text = delay.attributes.get("error_count", ""), delay.attributes.get("delay", "")
        stop = text.lower() == "stop"
        length_s = 0.0 if stop else _span_s(text)
        if stop or length_s:
            delays[count] = "pause" if stop else seconds(length_s)
    return {"failures": delays} if delays else {}


def _span_s(text: str) -> float:
    """`10` is ten seconds, `01:00` an hour, `00:00:10` ten seconds."""
    words = text.split(":")
    try:
        if len(words) == 1:
            return float(words[0])
        hours, minutes, whole = (*map(int, words), 0)[:3]
    except ValueError:
        raise NotTaken(f"{text!r} is no time: seconds, hh:mm or hh:mm:ss") from None
    return float(hours * 3600 + minutes * 60 + whole)


def _run_time(gathering: Gathering, file: str, run_time: Element) -> list[dict[str, Any]]:
    tz = run_time.attributes.get("time_zone", "")
    if not tz and not gathering.wishes.tz_given:
        gathering.note_once(
            file, "without time_zone the scheduler's zone counts: UTC was taken, --tz says otherwise"
        )
    tz = zone_of(tz or gathering.wishes.tz)
    place = Place(file, run_time.line)
    if "schedule" in run_time.attributes:
        raise NotTaken("it names a schedule: put the schedule's times here", place)
    if run_time.first("holidays"):
        raise NotTaken("holidays: make a calendar of them, and exclude it", place)
    starts: list[tuple[Days, set[int]]] = []
    if periods := run_time.all("period"):
        starts.append((Days(), _times(file, periods)))
    elif any(key in run_time.attributes for key in ("single_start", "repeat", "absolute_repeat")):
        starts.append((Days(), _times(file, [run_time])))
    for at in run_time.all("at"):
        raise NotTaken(f"at={at.attributes.get('at')}: use the trigger `at`", Place(file, at.line))
    for group in run_time.all("weekdays", "monthdays", "ultimos"):
        for day in group.children:
            if day.name not in ("day", "weekday"):
                raise NotTaken(f"<{day.name}> is not taken over", Place(file, day.line))
            days = _day(group.name, day, Place(file, day.line))
            starts.append((days, _times(file, day.all("period"))))
    for other in run_time.children:
        if other.name not in ("period", "weekdays", "monthdays", "ultimos", "at"):
            raise NotTaken(f"<{other.name}> is not taken over", Place(file, other.line))
    return triggers(starts, tz)


def _day(group: str, day: Element, place: Place) -> Days:
    text = day.attributes.get("day", "")
    if day.name == "weekday":
        which = day.attributes.get("which", "")
        number = _weekday(text, place)
        if which == "-1":
            return Days(weekday=f"{number}L")
        if which not in ("1", "2", "3", "4"):
            raise NotTaken(f"which={which}: 1 to 4 and -1 can be kept", place)
        return Days(weekday=f"{number}#{which}")
    if group == "weekdays":
        return Days(weekday=spelled([_weekday(word, place) for word in text.split()], "weekday"))
    days = [natural(word) for word in text.split()]
    numbers = [number for number in days if number is not None]
    if not numbers or len(numbers) < len(days):
        raise NotTaken(f"day={text!r}: expected numbers", place)
    if group == "ultimos":
        return Days(",".join(last_day(number) for number in numbers))
    return Days(spelled(numbers, "day"))


def _weekday(word: str, place: Place) -> int:
    if (number := natural(word)) is not None and number <= 7:
        return number % 7
    if word.lower() not in _WEEKDAYS:
        raise NotTaken(f"{word!r} is no day of the week", place)
    return _WEEKDAYS[word.lower()]


def _times(file: str, periods: list[Element]) -> set[int]:
    found: set[int] = set()
    for period in periods:
        at = period.attributes
        place = Place(file, period.line)
        if at.get("when_holiday", "suppress") not in ("suppress", "ignore_holiday"):
            raise NotTaken(f"when_holiday={at['when_holiday']}: say it with a calendar", place)
        step = at.get("absolute_repeat") or at.get("repeat", "")
        if start := at.get("single_start"):
            if step:
                raise NotTaken("single_start beside a repeat: say which of them is meant", place)
            found.add(clock_s(start))
        elif step:
            begin, end = clock_s(at.get("begin", "00:00")), clock_s(at.get("end", "24:00"))
            length = int(_span_s(step))
            if "absolute_repeat" in at:  # counted from midnight
                found |= {time for time in repeated(0, DAY_S, length) if begin <= time < end}
            else:
                found |= repeated(begin, end, length)
        else:
            raise NotTaken(
                "a period without a start or a repeat is a window, in which nothing starts by itself", place
            )
    return found
