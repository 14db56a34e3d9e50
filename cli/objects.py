"""`cronclave vars`, `schedule`, …: objects that jobs refer to. The same commands for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from cli import output
from cli.apply import apply_files
from cli.client import Client, path_of
from cli.examples import examples
from cli.exits import USAGE, Failure
from cli.lazy import Group
from cli.options import FILE_OR_FOLDER, connected, consistency, formatted, namespaced, stale
from scheduler.model.objects import NAMES

DAY = click.DateTime(["%Y-%m-%d"])
DAYS_A_REQUEST = 3_000

LIMIT = click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="At most."
)


def _group(kind: str) -> click.Group:
    plural = NAMES[kind]
    title = f"Look at {plural}, change and delete them, see how they changed."

    @click.group(kind, cls=Group, help=title, epilog=f"Example: cronclave {kind} list")
    def group() -> None: ...

    @group.command(
        "apply", help=f"Create or change what these files define, {plural} or others, all or none.",
        epilog=examples(f"cronclave {kind} apply {kind}.yaml", f"cronclave {kind} apply {plural}/ --dry-run"),
    )  # fmt: skip
    @click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR|-…", type=FILE_OR_FOLDER)
    @click.option("--dry-run", is_flag=True, help="Show what would change, change nothing.")
    @namespaced
    @formatted
    @connected
    def apply(client: Client, paths: tuple[str, ...], dry_run: bool, namespace: str, form: str) -> None:
        apply_files(client, paths, namespace=namespace, dry_run=dry_run, form=form)

    @group.command(
        "list", help=f"List {plural}.",
        epilog=examples(f"cronclave {kind} list -q house", f"cronclave {kind} list -l team=data -o json"),
    )  # fmt: skip
    @click.option("-n", "--namespace", metavar="NAME", help="Of one namespace only.")
    @click.option("-l", "--labels", metavar="K=V,…", help="Only those with all these labels.")
    @click.option("-q", "--query", metavar="TEXT", help="Only names that contain this.")
    @click.option("--source", metavar="NAME", help="Only what came from there.")
    @LIMIT
    @stale
    @formatted
    @connected
    def list_(
        client: Client, namespace: str | None, labels: str | None, query: str | None, source: str | None,
        limit: int, stale: bool, form: str,
    ) -> None:  # fmt: skip
        path = path_of(
            plural, namespace=namespace, labels=labels, q=query, source=source, consistency=consistency(stale)
        )
        items, there_is_more = client.items(path, limit)
        columns = ("namespace", kind, "revision", "changed", "by", "source", "owner", "description")
        output.show(
            form, items, columns,
            lambda: [
                (
                    i["namespace"], i["name"], i["revision"], i["changed"], i["actor"],
                    None if kind == "source" else i["source"], i.get("owner"), i.get("description"),
                )
                for i in items
            ],
        )  # fmt: skip
        output.more(there_is_more, len(items))

    @group.command(
        "get", help="Show one, with what the cluster knows of it.",
        epilog=f"Example: cronclave {kind} get NAME -o yaml | cronclave apply -",
    )  # fmt: skip
    @click.argument("name")
    @click.option("--revision", type=click.IntRange(1), help="An older one.")
    @click.option("--referrers", is_flag=True, help="Which jobs and objects refer to it.")
    @namespaced
    @stale
    @formatted
    @connected
    def get(
        client: Client, name: str, revision: int | None, referrers: bool, namespace: str, stale: bool,
        form: str,
    ) -> None:  # fmt: skip
        fresh = consistency(stale)
        if referrers:
            path = path_of(plural, name, "referrers", namespace=namespace, consistency=fresh)
            items, there_is_more = client.items(path, 1_000)
            columns = ("kind", "namespace", "name")
            output.show(form, items, columns, lambda: [tuple(i[word] for word in columns) for i in items])
            output.more(there_is_more, len(items))
            return
        found = client.get(
            path_of(plural, name, namespace=namespace, revision=revision, consistency=fresh)
        )
        output.show(form, found, ("field", "value"), lambda: [(key, _short(found[key])) for key in found])

    @group.command(
        "delete", help="Delete one to which nothing refers. Its revisions stay readable.",
        epilog=f"Example: cronclave {kind} delete NAME",
    )  # fmt: skip
    @click.argument("name")
    @namespaced
    @connected
    def delete(client: Client, name: str, namespace: str) -> None:
        try:
            client.delete(path_of(plural, name, namespace=namespace))
        except Failure as failure:
            if failure.kind == "conflict" and not failure.hint:
                failure.hint = f"cronclave {kind} get {name} --referrers"
            raise
        click.echo(f"{kind} {namespace}/{name} is deleted")

    @group.command(
        "history", help="Its revisions, newest first, also of one that was deleted.",
        epilog=examples(f"cronclave {kind} history NAME", f"cronclave {kind} history NAME --diff 1 2"),
    )  # fmt: skip
    @click.argument("name")
    @click.option("--diff", nargs=2, type=click.IntRange(1), help="What the second says otherwise.")
    @LIMIT
    @namespaced
    @formatted
    @connected
    def history(
        client: Client, name: str, diff: tuple[int, int] | None, limit: int, namespace: str, form: str
    ) -> None:
        if diff is not None:
            path = path_of(plural, name, "revisions", "diff", namespace=namespace)
            found = client.get(f"{path}&from={diff[0]}&to={diff[1]}")
            click.echo(found["diff"])
            return
        items, there_is_more = client.items(path_of(plural, name, "revisions", namespace=namespace), limit)
        columns = ("revision", "changed", "by", "deleted")
        output.show(
            form, items, columns,
            lambda: [(i["revision"], i["changed"], i["actor"], "yes" if i["deleted"] else "") for i in items],
        )  # fmt: skip
        output.more(there_is_more, len(items))

    return group


def _short(value: object) -> object:
    import json

    return value if isinstance(value, str | int | None) else json.dumps(value, ensure_ascii=False)


GROUPS = {kind: _group(kind) for kind in NAMES}


@GROUPS["schedule"].command("next", epilog="Example: cronclave schedule next month-end --count 5")
@click.argument("name")
@click.option("--count", type=click.IntRange(1, 1_000), default=10, show_default=True, help="How many.")
@namespaced
@stale
@formatted
@connected
def next_(client: Client, name: str, count: int, namespace: str, stale: bool, form: str) -> None:
    """What comes next by a schedule and by what takes its place, without the jitter of jobs."""
    path = path_of(
        "schedules", name, "next", namespace=namespace, count=count, consistency=consistency(stale)
    )
    items = client.get(path)["items"]
    columns = ("tick", "trigger", "substitute")
    output.show(form, items, columns, lambda: [(i["at"], i["trigger"], i.get("substitute")) for i in items])


@GROUPS["calendar"].command(
    "days",
    epilog=examples(
        "cronclave calendar days bank  # the next month",
        "cronclave calendar days bank --from 2026-12-20 --to 2027-01-10",
    ),
)
@click.argument("name")
@click.option("--from", "first", metavar="DAY", type=DAY, help="The first day.  [default: today, in UTC]")
@click.option("--to", "last", metavar="DAY", type=DAY, help="The last one.  [default: 30 days later]")
@namespaced
@stale
@formatted
@connected
def days(
    client: Client, name: str, first: datetime | None, last: datetime | None, namespace: str, stale: bool,
    form: str,
) -> None:  # fmt: skip
    """Which days are working days, and why the others are not."""
    begin = (first or datetime.now(UTC)).date()
    end = begin + timedelta(days=30) if last is None else last.date()
    if end < begin:
        raise Failure("--to is before --from", code=USAGE)
    items: list[dict[str, Any]] = []
    while begin <= end:  # so many a request
        until = min(end, begin + timedelta(days=DAYS_A_REQUEST - 1))
        query = {"namespace": namespace, "from": begin, "to": until, "consistency": consistency(stale)}
        items += client.get(path_of("calendars", name, "days", **query))["items"]
        begin = until + timedelta(days=1)
    columns = ("day", "", "working", "why")
    output.show(
        form, items, columns,
        lambda: [
            (i["day"], f"{date.fromisoformat(i['day']):%a}", "yes" if i["working"] else "no", _why(i))
            for i in items
        ],
    )  # fmt: skip


def _why(day: Mapping[str, Any]) -> str:
    """Beside what the calendar says, that it does not know the day."""
    return ", ".join(each for each in (day["why"], "" if day["known"] else "not known") if each)


@GROUPS["resource"].command("show", epilog="Example: cronclave resource show warehouse")
@click.argument("name")
@LIMIT
@namespaced
@stale
@formatted
@connected
def show(client: Client, name: str, limit: int, namespace: str, stale: bool, form: str) -> None:
    """How much of a resource is free, who holds some, longest first, and who waits, in order."""
    fresh = consistency(stale)
    use = client.get(path_of("resources", name, "holders", namespace=namespace, limit=1, consistency=fresh))
    found, more = {}, False
    for what in ("holders", "waiters"):
        path = path_of("resources", name, what, namespace=namespace, consistency=fresh)
        found[what], there_is_more = client.items(path, limit)
        more = more or there_is_more
    told = {word: use[word] for word in ("amount", "period", "held", "free")}
    columns = ("namespace", "job", "run", "task", "amount", "since")
    rows = [
        (state, *(each[word] for word in columns))
        for state, what in (("holds", "holders"), ("waits", "waiters"))
        for each in found[what]
    ]
    if form == "table":
        of = f"{told['amount']} per {told['period']}" if told["period"] else told["amount"]
        click.echo(f"{namespace}/{name}: {told['free']} of {of} free, {told['held']} held")
    output.show(form, {**told, **found}, ("", *columns), lambda: rows)
    output.more(more, limit)


def __getattr__(name: str) -> click.Group:
    """A kind's commands, by its name."""
    if name not in GROUPS:
        raise AttributeError(name)
    return GROUPS[name]
