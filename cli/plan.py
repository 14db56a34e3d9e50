"""`cronclave plan`: the plan of a day; close it and open it; hold, skip or move single ticks of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import click

from cli import output
from cli.client import Client, path_of
from cli.completing import job_names
from cli.examples import examples
from cli.instants import milliseconds, rfc3339
from cli.lazy import Group
from cli.options import INSTANT, connected, consistency, formatted, namespaced, stale

NEAR = {"yesterday": -1, "today": 0, "tomorrow": 1}
COLUMNS = ("tick", "job", "trigger", "outcome", "run", "start", "end", "end by", "usually", "why")


class PlanDate(click.ParamType[str]):
    """A date, or a word for one that is near."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in NEAR:
            return str(value)
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            self.fail(f"{value!r} is no date; write 2026-12-31, or {', '.join(NEAR)}", param, ctx)


PLAN_DATE = PlanDate()


@click.group("plan", cls=Group, epilog="Example: cronclave plan show tomorrow")
def plan() -> None:
    """What a day brings and brought: ticks, runs, how long they take."""


@plan.command(
    "show",
    epilog=examples(
        "cronclave plan show  # today's",
        "cronclave plan show 2026-12-24 -n finance",
        "cronclave plan show tomorrow --each 5 -o json",
    ),
)
@click.argument("day", metavar="[DATE]", type=PLAN_DATE, default="today")
@click.option(
    "--each", type=click.IntRange(1, 1_000), default=24, show_default=True, help="Ticks of one job at most."
)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1_000, show_default=True, help="At most.")
@namespaced
@stale
@formatted
@connected
def show(
    client: Client, day: str, each: int, limit: int, namespace: str, stale: bool, form: str
) -> None:
    """What the jobs of a namespace have on a plan date, in order of time: what became of each tick, or
    when it is expected to start and end (~), what keeps it back, and which triggers rest that day.

    Expectations go by the median of the newest runs that succeeded; "usually" tells it, and how long nine in
    ten took at most.
    """
    asked = {"namespace": namespace, "consistency": consistency(stale)}
    path = path_of("plan", **asked, date=date_of(client, day, asked), each=each)
    items, there_is_more = client.items(path, limit)
    output.show(form, items, COLUMNS, lambda: [_row(item) for item in sorted(items, key=_place)])
    output.more(there_is_more, len(items))
    if form == "table":
        click.echo(_whether_closed(client.get(f"{path}&limit=1")), err=True)


def _whether_closed(day: dict[str, Any]) -> str:
    said = f"plan date {day['date']}, {day['from']} to {day['until']}, is"
    if closed := day["closed"]:
        by = f" by {closed['actor']}" if closed["actor"] else ""
        return f"{said} closed{by}: {closed['reason']}"
    return f"{said} open" + (f" until {day['closes']}, when it closes by itself" if day["closes"] else "")


@plan.command("close", epilog="Example: cronclave plan close 2026-12-24 --reason 'bank holiday' -n finance")
@click.argument("day", metavar="DATE", type=PLAN_DATE)
@click.option("--reason", required=True, help="Why: it is shown wherever something is skipped for it.")
@namespaced
@connected
def close(client: Client, day: str, reason: str, namespace: str) -> None:
    """Let nothing more fire for a plan date: its ticks and events are skipped(plan_closed).

    What was made for it goes on, reruns too. Runs that people ask for are refused, unless they say --closed.
    """
    date_ = date_of(client, day, {"namespace": namespace})
    client.post(path_of("plan", date_, "close", namespace=namespace), {"reason": reason})
    click.echo(f"plan date {date_} of namespace {namespace} is closed; what was made for it goes on")


@plan.command("open", epilog="Example: cronclave plan open 2026-12-24 -n finance")
@click.argument("day", metavar="DATE", type=PLAN_DATE)
@namespaced
@connected
def open_(client: Client, day: str, namespace: str) -> None:
    """Let what is yet to come for a plan date fire again. What was skipped is not made up for."""
    date_ = date_of(client, day, {"namespace": namespace})
    client.post(path_of("plan", date_, "open", namespace=namespace))
    click.echo(f"plan date {date_} of namespace {namespace} is open")


Acting = Callable[..., Any]
TO = click.argument("to", type=INSTANT)
PARAMS = click.option(
    "-p", "--param", "params", multiple=True, required=True, metavar="KEY=VALUE", help="It may be repeated."
)


def _acting(
    word: str, *more: Callable[[Acting], Acting], examples_: str
) -> Callable[[Acting], click.Command]:
    """A command that says something of one coming tick. `more`: what it takes beside the tick."""

    def made(function: Acting) -> click.Command:
        taken: tuple[Callable[[Acting], Acting], ...] = (
            click.argument("name", shell_complete=job_names),
            click.argument("at", type=INSTANT),
            *more,
            click.option("--trigger", metavar="ID", help="Which, where several triggers are due then."),
            click.option("--reason", metavar="TEXT", help="Why: it is shown with the tick."),
            namespaced,
            connected,
        )
        for option in reversed(taken):
            function = option(function)
        return plan.command(word, epilog=examples(examples_))(function)

    return made


def _change(
    client: Client, name: str, at: datetime, trigger: str | None, reason: str | None, namespace: str,
    act: dict[str, Any], become: str,
) -> None:  # fmt: skip
    body = {**act, **({"trigger": trigger} if trigger else {}), **({"reason": reason} if reason else {})}
    instant = rfc3339(milliseconds(at))
    client.patch(path_of("jobs", name, "ticks", instant, namespace=namespace), body)
    click.echo(f"the tick of {namespace}/{name} at {instant} {become}")


@_acting(
    "hold",
    examples_="cronclave plan hold close-books 2026-12-31T23:00:00Z --reason 'figures are late'",
)
def hold(
    client: Client, name: str, at: datetime, trigger: str | None, reason: str | None, namespace: str
) -> None:
    """Keep one coming tick back until it is released; for 35 days, then it is skipped(by_person)."""
    _change(client, name, at, trigger, reason, namespace, {"hold": True}, "is held")


@_acting(
    "release",
    examples_="cronclave plan release close-books 2026-12-31T23:00:00Z",
)
def release(
    client: Client, name: str, at: datetime, trigger: str | None, reason: str | None, namespace: str
) -> None:
    """Let a tick go that is held, moved or to be skipped: at its instant, or at once where that is over."""
    _change(client, name, at, trigger, reason, namespace, {"release": True}, "is released")


@_acting(
    "skip",
    examples_="cronclave plan skip close-books 2026-12-31T23:00:00Z --reason 'closed by hand'",
)
def skip(
    client: Client, name: str, at: datetime, trigger: str | None, reason: str | None, namespace: str
) -> None:
    """Leave one coming tick out: skipped(by_person) when its instant comes."""
    _change(client, name, at, trigger, reason, namespace, {"skip": True}, "is skipped")


@_acting(
    "move", TO,
    examples_="cronclave plan move close-books 2026-12-31T23:00:00Z 2027-01-02T06:00:00Z",
)
def move(
    client: Client, name: str, at: datetime, to: datetime, trigger: str | None, reason: str | None,
    namespace: str,
) -> None:  # fmt: skip
    """Let one coming tick be due later or earlier, by 35 days at most.

    It stays the same tick, of the same plan date."""
    instant = rfc3339(milliseconds(to))
    _change(
        client, name, at, trigger, reason, namespace, {"move_to": instant}, f"is moved to {instant}"
    )


@_acting(
    "params", PARAMS,
    examples_="cronclave plan params close-books 2026-12-31T23:00:00Z -p region=eu",
)
def params_(
    client: Client, name: str, at: datetime, params: tuple[str, ...], trigger: str | None, reason: str | None,
    namespace: str,
) -> None:  # fmt: skip
    """Give the run of one coming tick other parameters; those that are not named stay."""
    from cli.running import typed_params

    given = typed_params(client, name, namespace, params)
    _change(client, name, at, trigger, reason, namespace, {"params": given}, "has its parameters")


def date_of(client: Client, day: str, asked: dict[str, Any]) -> str:
    """The date that a word means, by the days of the namespace."""
    if day not in NEAR:
        return day
    today = client.get(path_of("plan", **asked, limit=1))["date"]
    return (date.fromisoformat(today) + timedelta(days=NEAR[day])).isoformat()


def _place(item: dict[str, Any]) -> tuple[bool, str, str, str]:
    return item["at"] is None, item["at"] or "", item["job"], item["trigger"] or ""


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    why = [item["said"]] if item["said"] else []
    said = "; ".join([*why, *(f"waits for {each}" for each in item["waits"])]) or None
    if item["more"]:
        return (item["at"], item["job"], item["trigger"], "…", None, None, None, None, None, said)
    expected, usual = item["expected"] or {}, item["usual"]
    start = item["started"] or _about(expected.get("start"))
    usually = usual and f"{_seconds(usual['median_ms'])}, p90 {_seconds(usual['p90_ms'])}"
    end_by = item["end_by"] and item["end_by"] + (" at risk" if item["at_risk"] else "")
    return (
        item["at"], item["job"], item["trigger"], _outcome(item), item["run"], start,
        item["finished"] or _about(expected.get("end")), end_by, usually, said,
    )  # fmt: skip


def _outcome(item: dict[str, Any]) -> str | None:
    if item["outcome"] in (None, "pending"):
        told: str | None = item["state"] or item["forecast"] or item["outcome"]
        return told
    if item["state"]:
        return str(item["state"])
    return f"{item['outcome']}({item['reason']})" if item["reason"] else str(item["outcome"])


def _about(instant: str | None) -> str | None:
    return None if instant is None else f"~{instant}"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.1f}s" if milliseconds < 100_000 else f"{milliseconds / 60_000:.1f}m"
