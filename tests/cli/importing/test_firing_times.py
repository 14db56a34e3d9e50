"""Each import fires for a year at the instants at which the job fired in the system that it came from."""

from __future__ import annotations

import json
from calendar import monthrange
from collections.abc import Callable, Iterable
from datetime import date, time, timedelta
from typing import Any, Literal

import pytest

from tests.cli.importing.walk import at, each, fired, packaged, read, read_all, walked

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
Days = Callable[[date], bool]


def every(_: date) -> bool:
    return True


def on(*weekdays: int) -> Days:
    return lambda day: day.weekday() in weekdays


def last(days_before: int = 0) -> Days:
    return lambda day: day.day == monthrange(day.year, day.month)[1] - days_before


def odd_or_monday(day: date) -> bool:
    return day.day % 2 == 1 or day.weekday() == MON


def nearest_working_day_to(number: int) -> Days:
    def is_it(day: date) -> bool:
        meant = day.replace(day=number)
        away = {SAT: -1, SUN: 1}.get(meant.weekday(), 0)
        return day == meant + timedelta(days=away)

    return is_it


def last_working_day(day: date) -> bool:
    end = day.replace(day=monthrange(day.year, day.month)[1])
    return day == end - timedelta(days=max(0, end.weekday() - FRI))


def kubernetes(schedule: str, tz: str = "Europe/Berlin") -> dict[str, Any]:
    pod = {"spec": {"containers": [{"name": "a", "image": "a"}]}}
    spec = {"schedule": schedule, "timeZone": tz, "jobTemplate": {"spec": {"template": pod}}}
    return taken(read("kubernetes", json.dumps({"kind": "CronJob", "metadata": {"name": "a"}, "spec": spec})))


def dkron(
    schedule: str, tz: str = "Europe/Berlin", name: str = "a", wishes: dict[str, str] | None = None
) -> dict[str, Any]:
    job = {"name": name, "schedule": schedule, "timezone": tz, "executor_config": {"command": "date"}}
    return taken(read("dkron", json.dumps([job]), **(wishes or {})))


def rundeck(schedule: dict[str, Any], tz: str = "Europe/Berlin") -> dict[str, Any]:
    job = {"name": "a", "timeZone": tz, "schedule": schedule, "sequence": {"commands": [{"exec": "date"}]}}
    return taken(read("rundeck", json.dumps([job])))


def quartz(text: str, tz: str = "Europe/Berlin") -> dict[str, Any]:
    return rundeck({"crontab": text}, tz)


def cronicle(timing: dict[str, Any], tz: str = "Europe/Berlin") -> dict[str, Any]:
    event = {"title": "a", "plugin": "shellplug", "params": {"script": "x"}, "timing": timing, "timezone": tz}
    return taken(read("cronicle", json.dumps({"rows": [event]})))


def jumpcloud(schedule: str, tz: str = "Europe/Berlin") -> dict[str, Any]:
    command = {
        "name": "a",
        "command": "x",
        "commandType": "linux",
        "launchType": "repeated",
        "schedule": schedule,
    }
    return taken(read("jumpcloud", json.dumps({"results": [command]}), tz=tz))


def js7(includes: dict[str, Any], *periods: dict[str, str]) -> dict[str, Any]:
    part = {"calendarName": "c", "timeZone": "Europe/Berlin", "includes": includes, "periods": periods}
    schedule = {"workflowNames": ["a"], "planOrderAutomatically": True, "calendars": [part]}
    jobs = {"j": {"executable": {"TYPE": "ShellScriptExecutable", "script": "x"}}}
    workflow = {"instructions": [{"TYPE": "Execute.Named", "jobName": "j"}], "jobs": jobs}
    return taken(
        read_all("js7", {"a.workflow.json": json.dumps(workflow), "a.schedule.json": json.dumps(schedule)})
    )


def jobscheduler(run_time: str) -> dict[str, Any]:
    times = f'<run_time time_zone="Europe/Berlin">{run_time}</run_time>'
    xml = f'<job><script language="shell">x</script>{times}</job>'
    return taken(read("jobscheduler", xml, "a.job.xml"))


def airflow(schedule: str, tz: str = "UTC") -> dict[str, Any]:
    return taken(read("airflow", json.dumps({"dag_id": "a", "schedule": schedule, "timezone": tz})))


def taken(found: Any) -> dict[str, Any]:
    assert not found.problems
    (job,) = found.jobs
    job_: dict[str, Any] = job
    return job_


Twice = Literal["first", "last", "both"]
CASES: list[tuple[dict[str, Any], Days, Iterable[time], Twice]] = [
    # robfig/cron: no made-up runs, both of the hour that comes twice; */n joins by OR, * and */1 by AND.
    (kubernetes("30 2 * * *"), every, at("02:30"), "both"),
    (kubernetes("*/15 * * * *"), every, each(15), "both"),
    (kubernetes("0 3 */2 * 1"), odd_or_monday, at("03:00"), "both"),
    (kubernetes("0 3 */1 * 1"), on(MON), at("03:00"), "both"),
    (kubernetes("0 3 ? * MON-FRI"), on(MON, TUE, WED, THU, FRI), at("03:00"), "both"),
    (kubernetes("0 3 1-31 * 1"), every, at("03:00"), "both"),
    (
        kubernetes("5/20 * 13 * 5"),
        lambda day: day.day == 13 or day.weekday() == FRI,
        each(20, "00:05"),
        "both",
    ),
    (kubernetes("@weekly"), on(SUN), at("00:00"), "both"),
    (dkron("30 */20 2 * * *"), every, each(20, "02:00", "03:00", 30), "both"),
    (dkron("0 0 12 13 * FRI"), lambda day: day.day == 13 or day.weekday() == FRI, at("12:00"), "both"),
    # The name's bytes add up to 97 + 98 + 99 = 294: 294 % 60 = 54, 294 % 24 = 6.
    (dkron("0 ~ ~ * * *", name="abc"), every, at("06:54"), "both"),
    (jumpcloud("0 30 2 * * *"), every, at("02:30"), "both"),
    # Cronicle asks each minute whether all fields hold.
    (cronicle({"hours": [2], "minutes": [30]}), every, at("02:30"), "both"),
    (
        cronicle({"minutes": [0], "hours": [9], "days": list(range(1, 8)), "weekdays": [1]}),
        lambda day: day.day < 8 and day.weekday() == MON,
        at("09:00"),
        "both",
    ),
    (cronicle({"minutes": [0], "hours": [9], "days": [-1]}), last(), at("09:00"), "both"),
    (cronicle({"minutes": [0, 20, 40]}), every, each(20), "both"),
    # JS7: `repeat` is filled from the left, starts from the right; ultimos begin with 1.
    (
        js7({"weekdays": [{"days": [1, 2, 3, 4, 5]}]}, {"singleStart": "05:30"}),
        on(MON, TUE, WED, THU, FRI),
        at("05:30"),
        "first",
    ),
    (
        js7({"weekdays": [{"days": [7]}]}, {"begin": "01:00", "end": "04:00:00", "repeat": "01:00"}),
        on(SUN),
        each(1, "01:00", "04:00"),
        "first",
    ),
    (js7({"weekdays": [{"days": [0]}]}, {"repeat": "00:45:00"}), on(SUN), each(45), "first"),
    (
        js7({"ultimos": [{"days": [1, 2]}]}, {"singleStart": "22:00:00"}),
        lambda day: last()(day) or last(1)(day),
        at("22:00"),
        "first",
    ),
    (
        js7({"weekdays": [{"days": [5]}], "ultimos": [{"days": [1]}]}, {"singleStart": "22"}),
        lambda day: last()(day) or day.weekday() == FRI,
        at("22:00"),
        "first",
    ),
    (
        js7({"months": [{"months": [3, 10], "monthdays": [{"days": [1, 15]}]}]}, {"singleStart": "12:00"}),
        lambda day: day.month in (3, 10) and day.day in (1, 15),
        at("12:00"),
        "first",
    ),
    # JobScheduler 1.x: the same texts are other times.
    (
        jobscheduler('<period begin="01:00" end="04:00" repeat="01:00"/>'),
        every,
        each(60, "01:00", "04:00"),
        "first",
    ),
    (
        jobscheduler('<period begin="01:00" end="02:00" repeat="600"/>'),
        every,
        each(10, "01:00", "02:00"),
        "first",
    ),
    (
        jobscheduler('<period begin="01:10" end="02:00" absolute_repeat="00:30"/>'),
        every,
        at("01:30"),
        "first",
    ),
    (
        jobscheduler('<ultimos><day day="0"><period single_start="22:00"/></day></ultimos>'),
        last(),
        at("22:00"),
        "first",
    ),
    (
        jobscheduler('<weekdays><day day="7 mo wed"><period single_start="02:30"/></day></weekdays>'),
        on(SUN, MON, WED),
        at("02:30"),
        "first",
    ),
    (
        jobscheduler(
            '<monthdays><weekday day="1" which="2"><period single_start="08:00"/></weekday></monthdays>'
        ),
        lambda day: day.weekday() == MON and 8 <= day.day <= 14,
        at("08:00"),
        "first",
    ),
    # Quartz: Sunday is 1; a day of the month wins; ranges wrap; a step behind names is ignored.
    (
        rundeck({"time": {"hour": "12", "minute": "30"}, "weekday": {"day": "2-6"}}),
        on(MON, TUE, WED, THU, FRI),
        at("12:30"),
        "first",
    ),
    (
        rundeck({"time": {"hour": "12", "minute": "0"}, "dayofmonth": {"day": "1"}, "weekday": {"day": "2"}}),
        lambda day: day.day == 1,
        at("12:00"),
        "first",
    ),
    (
        rundeck({"time": {"hour": "0/6", "minute": "0"}}),
        every,
        at("00:00", "06:00", "12:00", "18:00"),
        "first",
    ),
    (
        quartz("0 0 22-4 ? * *"),
        every,
        at("22:00", "23:00", "00:00", "01:00", "02:00", "03:00", "04:00"),
        "last",
    ),
    (quartz("0 0 9 ? * FRI-MON"), on(FRI, SAT, SUN, MON), at("09:00"), "first"),
    (quartz("0 0 9 ? * MON-FRI/2"), on(MON, TUE, WED, THU, FRI), at("09:00"), "first"),
    (quartz("0 0 9 ? * 2/2"), on(MON, WED, FRI), at("09:00"), "first"),
    (quartz("0 0 9 ? * L"), on(SAT), at("09:00"), "first"),
    (
        quartz("0 0 9 ? * 6L"),
        lambda day: day.weekday() == FRI and (day + timedelta(days=7)).month != day.month,
        at("09:00"),
        "first",
    ),
    (quartz("0 0 9 ? * 2#1"), lambda day: day.weekday() == MON and day.day <= 7, at("09:00"), "first"),
    (quartz("0 0 9 L-3 * ?"), last(3), at("09:00"), "first"),
    (quartz("0 0 9 15W * ?"), nearest_working_day_to(15), at("09:00"), "first"),
    (quartz("0 0 9 LW * ?"), last_working_day, at("09:00"), "first"),
    (quartz("0 0 9 1 * ? 2026-2027"), lambda day: day.day == 1 and day.year == 2026, at("09:00"), "first"),
    # Airflow: OR, also beside */n; its second is the last of six.
    (airflow("0 3 */2 * 1"), odd_or_monday, at("03:00"), "both"),
    (airflow("@daily"), every, at("00:00"), "both"),
    (airflow("0 12 * * * 30"), every, at("12:00:30"), "both"),
]
NAMES = [str(job.get("triggers")) for job, *_ in CASES]


@pytest.mark.parametrize(("job", "days", "times", "twice"), CASES, ids=NAMES)
def test_a_year_of_instants_is_that_of_the_source(
    job: dict[str, Any], days: Days, times: Iterable[time], twice: Twice
) -> None:
    tz = job["triggers"][0]["tz"]
    there = walked(tz, days, times, twice=twice)
    here = fired(job)
    assert there
    if twice == "last":  # no policy of ours is: only that night differs, and a note says so
        assert {instant.astimezone(packaged(tz)).date() for instant in {*there} ^ {*here}} == {
            date(2026, 10, 25)
        }
    else:
        assert here == there


def test_cron_tz_in_front_of_a_schedule_of_kubernetes_counts() -> None:
    (trigger,) = kubernetes("CRON_TZ=Asia/Tokyo 0 6 1 * *")["triggers"]
    assert trigger["tz"] == "Asia/Tokyo"


def test_dkron_takes_no_notice_of_a_timezone_beside_a_name() -> None:
    job = dkron("@daily", "Asia/Tokyo", wishes={"tz": "Europe/Berlin"})
    assert fired(job) == walked("Europe/Berlin", every, at("00:00"), twice="both")


def chronos(schedule: str, tz: str = "") -> dict[str, Any]:
    return taken(
        read(
            "chronos",
            json.dumps([{"name": "a", "schedule": schedule, "scheduleTimeZone": tz, "command": "x"}]),
        )
    )


def test_chronos_keeps_the_clock_time_of_its_zone_and_throws_the_offset_away() -> None:
    job = chronos("R/2026-01-05T03:00:00Z/P1D", "America/New_York")
    later = lambda day: day >= date(2026, 1, 5)  # noqa: E731
    assert fired(job) == walked("America/New_York", later, at("03:00"), twice="first")


def test_of_chronos_r5_is_five_and_hours_elapse() -> None:
    assert [
        f"{instant:%d %H}" for instant in fired(chronos("R5/2026-03-27T12:00:00Z/PT24H", "Europe/Berlin"))
    ] == [
        "27 11",
        "28 11",
        "29 11",
        "30 11",
        "31 11",
    ]
    assert len(fired(chronos("R/2026-01-15T00:00:00Z/P1M"))) == 12


def test_anacron_has_one_time_a_period() -> None:
    text = "START_HOURS_RANGE=3-22\n1 5 daily x\n7 25 weekly y\n@monthly 70 monthly z\n"
    daily, weekly, monthly = read("anacron", text, tz="Europe/Berlin").jobs
    assert fired(daily) == walked("Europe/Berlin", every, at("03:05"), twice="first")
    assert fired(weekly) == walked("Europe/Berlin", on(MON), at("03:25"), twice="first")
    assert fired(monthly) == walked("Europe/Berlin", lambda day: day.day == 1, at("04:10"), twice="first")


@pytest.mark.parametrize(
    ("dialect", "line", "days", "twice"),
    [
        ("busybox", "30 2 * * *", every, "both"),
        ("systemd-cron", "30 2 13 * 5", lambda day: day.day == 13 and day.weekday() == FRI, "first"),
        ("supercronic", "30 12 */2 * 1", odd_or_monday, "first"),
    ],
)
def test_each_cron_joins_its_day_fields_in_its_own_way(
    dialect: str, line: str, days: Days, twice: Twice
) -> None:
    from cli.importing.formats.crontab import parse_crontab

    (job,) = parse_crontab(f"{line} x\n", tz="Europe/Berlin", dialect=dialect).jobs
    hour, minute = line.split()[1::-1]
    assert fired(job) == walked("Europe/Berlin", days, [time(int(hour), int(minute))], twice=twice)
