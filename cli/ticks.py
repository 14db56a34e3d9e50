"""`cronclave ticks`: when a schedule is due. Offline: the same code that the leader runs, no cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice

import click

from cli.client import Client
from cli.examples import examples
from cli.exits import USAGE, Failure
from cli.instants import milliseconds, rfc3339
from cli.options import FILE_OR_FOLDER, INSTANT, SPAN, reaching
from cli.output import yaml_text

COUNT_DEFAULT = 10
TICKS_MAX = 10_000_000
SLICE = 50_000


@click.command(
    "ticks",
    epilog=examples(
        "cronclave ticks --cron '0 2 * * 1-5' --tz Europe/Berlin --count 5",
        "cronclave ticks --cron '30 2 * * *' --tz Europe/Berlin --from 2026-03-27 --count 3  # clocks change",
        "cronclave ticks --every 90m --from now --to +1d",
        "cronclave ticks --iso8601 R5/2026-01-31/P1M --tz Europe/Berlin --from 2026-01-01",
        "cronclave ticks --job nightly.yaml --schedule month-end.yaml --to +30d",
    ),
)
@click.option("--cron", metavar="EXPR", help="Five fields; six with seconds first; or @daily…")
@click.option(
    "--every", type=SPAN, metavar="DURATION", help="Instead of --cron: elapsed time, from the Unix epoch."
)
@click.option(
    "--iso8601", metavar="REPEAT",
    help="Instead of --cron: a repeat such as R5/2026-01-31/P1M; R//P1D begins at --from.",
)  # fmt: skip
@click.option("--tz", metavar="ZONE", help="Zone of the expression or the repeat.  [default: UTC]")
@click.option(
    "--dst", type=click.Choice(["cron", "skip", "literal"]), default="cron", show_default=True,
    help="What happens where clocks change.",
)  # fmt: skip
@click.option(
    "--days", type=click.Choice(["debian", "either", "both"]), default="debian", show_default=True,
    help="How day of month and day of week are joined.",
)  # fmt: skip
@click.option("--for", "salt", default="", metavar="NS/NAME", help="Namespace and name of the job, for H.")
@click.option(
    "--job", "jobs", multiple=True, metavar="FILE", type=FILE_OR_FOLDER,
    help="Instead of --cron: all triggers of the jobs in it, each tick with its trigger.",
)  # fmt: skip
@click.option(
    "--schedule", "beside", multiple=True, metavar="FILE", type=FILE_OR_FOLDER,
    help="With --job: schedules and calendars that it names; else the cluster is asked for them.",
)  # fmt: skip
@click.option("-n", "--namespace", default="default", metavar="NAME", help="Of files that say none.")
@click.option("--from", "start", type=INSTANT, default="now", show_default=True, help="After this instant.")
@click.option("--to", "end", type=INSTANT, help="Up to and with this instant; else --count decides.")
@click.option(
    "--count", type=click.IntRange(1, TICKS_MAX), help=f"At most.  [default: {COUNT_DEFAULT} without --to]"
)
@click.option(
    "-o", "--output", "form", type=click.Choice(["table", "json", "yaml"]), default="table",
    show_default=True, help="One instant a line, or a list.",
)  # fmt: skip
@reaching
def ticks(
    reach: Callable[[], Client], cron: str | None, every: float | None, iso8601: str | None,
    tz: str | None, dst: str, days: str, salt: str, jobs: tuple[str, ...], beside: tuple[str, ...],
    namespace: str, start: datetime, end: datetime | None, count: int | None, form: str,
) -> None:  # fmt: skip
    """The instants, in UTC, at which a schedule is due in (from, to]. No cluster is asked, but for what a job
    file names and no other file says."""
    from scheduler.ticks import (
        anchored,
        cron_spec,
        every_spec,
        is_anchored,
        iso8601_spec,
        never_reason,
        schedule,
    )

    if [cron, every, iso8601, jobs or None].count(None) != 3:
        raise Failure("give one of --cron, --every, --iso8601 and --job", code=USAGE)
    if beside and not jobs:
        raise Failure("--schedule says what a --job names", code=USAGE)
    if jobs:
        _of_jobs(reach, (*jobs, *beside), namespace, start, end, count, form)
        return
    try:
        if cron is not None:
            spec = cron_spec(cron, tz=tz or "UTC", dst=dst, days=days, salt=salt)
        elif iso8601 is not None:
            spec = iso8601_spec(iso8601, tz)
        else:
            spec = every_spec(int((every or 0) * 1000))
        after_ms = milliseconds(start)
        if not is_anchored(spec):  # its start is an instant of it
            spec, after_ms = anchored(spec, after_ms), after_ms - 1
        found = schedule(spec)
    except ValueError as error:
        raise Failure(str(error), code=USAGE, hint=_hint(error)) from None
    until_ms = milliseconds(end) if end else milliseconds(datetime.max.replace(tzinfo=UTC))
    limit = count if count is not None else TICKS_MAX if end else COUNT_DEFAULT
    if end is not None and until_ms < after_ms:
        raise Failure("--to is before --from", code=USAGE)
    if end is None and (reason := never_reason(spec, after_ms)):
        raise Failure(reason, code=USAGE)
    listed: list[str] = []
    begun_ms = after_ms
    while limit > 0:
        part = found.between(after_ms, until_ms, min(limit, SLICE))
        if not part:
            break
        texts = [rfc3339(ms) for ms in part]
        if form == "table":
            click.echo("\n".join(texts))
        else:
            listed += texts
        after_ms, limit = part[-1], limit - len(part)
    if after_ms == begun_ms:
        click.echo(never_reason(spec, after_ms) or "nothing is due in that time", err=True)
    if form == "json":
        click.echo(json.dumps(listed))
    elif form == "yaml":
        click.echo(yaml_text(listed), nl=False)


def _of_jobs(
    reach: Callable[[], Client], paths: Sequence[str], namespace: str, start: datetime,
    end: datetime | None, count: int | None, form: str,
) -> None:  # fmt: skip
    from cli.job_ticks import due, triggers_of, without_instants
    from scheduler.ticks import SpecError

    after_ms = milliseconds(start)
    until_ms = None if end is None else milliseconds(end)
    if until_ms is not None and until_ms < after_ms:
        raise Failure("--to is before --from", code=USAGE)
    triggers = triggers_of(paths, namespace, after_ms, reach)
    several = len({job for job, _ in triggers}) > 1
    limit = count if count is not None else TICKS_MAX if end else COUNT_DEFAULT
    try:
        found = islice(due(triggers, after_ms, until_ms), limit)
        if form == "table":
            for tick in found:
                who = f"{tick.job} {tick.trigger}" if several else tick.trigger
                click.echo(f"{rfc3339(tick.at_ms)}  {who}")
        else:
            listed = [
                {
                    "at": rfc3339(tick.at_ms), "due": rfc3339(tick.due_ms), "job": tick.job,
                    "trigger": tick.trigger,
                }
                for tick in found
            ]  # fmt: skip
            click.echo(json.dumps(listed) if form == "json" else yaml_text(listed), nl=form == "json")
    except SpecError as error:
        raise Failure(str(error), code=USAGE) from None
    for each in without_instants(triggers):
        click.echo(f"{each.job} {each.trigger}: no instants, it {each.why}", err=True)


def _hint(error: ValueError) -> str:
    from scheduler.ticks import CronError, RepeatError, UnknownZoneError

    if isinstance(error, CronError | RepeatError):
        return error.hint
    zone = error.__cause__ or error  # a cron expression's zone is looked up when its spec is read
    near = zone.similar if isinstance(zone, UnknownZoneError) else ()
    return f"did you mean {', '.join(near)}?" if near else ""
