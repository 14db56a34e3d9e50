"""`cronclave apply` and `diff`: files with jobs and what they refer to, all or none."""

from __future__ import annotations

from collections.abc import Callable

import click

from cli.client import Client
from cli.completing import namespaces
from cli.examples import examples
from cli.exits import USAGE, Failure
from cli.options import FILE_OR_FOLDER, connected, formatted, namespaced, reaching
from cli.output import show
from cli.places import PLACE, made_of

PATHS = click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR|-…", type=FILE_OR_FOLDER)


def sourced(function: Callable[..., None]) -> Callable[..., None]:
    """The options of what a source owns."""
    for option in (
        click.option("--may-be-empty", is_flag=True, help="With --prune: all of it goes."),
        click.option("--prune-max", type=click.IntRange(0, 100_000), help="How many that may be."),
        click.option(
            "--prune", is_flag=True, help="Delete what came from this source and is no longer in it."
        ),
        click.option(
            "--source", metavar="NAME", default="", help="Where they come from: noted with each."
        ),
    ):
        function = option(function)
    return function


def _need_source(source: str, *, prune: bool, may_be_empty: bool) -> None:
    if prune and not source:
        raise Failure("--prune deletes what a source owns: say which", code=USAGE, hint="--source NAME")
    if may_be_empty and not prune:
        raise Failure("--may-be-empty is for --prune: without it an empty source changes nothing", code=USAGE)


@click.command(
    "apply",
    epilog=examples(
        "cronclave apply plan/  # create, or change",
        "cronclave apply plan/ --dry-run  # what would change",
        "cronclave apply plan/ --source git --prune  # and delete what is no longer in it",
        "cronclave apply plan/ --source git --prune --may-be-empty  # also where nothing is left in it",
    ),
)
@PATHS
@click.option("--dry-run", is_flag=True, help="Show what would change, and which ticks; change nothing.")
@sourced
@namespaced
@formatted
@connected
def apply(
    client: Client, paths: tuple[str, ...], dry_run: bool, source: str, prune: bool, prune_max: int | None,
    may_be_empty: bool, namespace: str, form: str,
) -> None:  # fmt: skip
    """Create or change the jobs and objects of YAML or JSON files, all or none.

    At the top of each document stands what it is, and its name: job: nightly, vars: warehouse. They may refer
    to each other. They are checked here first; each mistake is told with file, line and column. What is too
    much for one request is laid down first, and then goes live as one act.
    """
    _need_source(source, prune=prune, may_be_empty=may_be_empty)
    apply_files(
        client, paths, namespace=namespace, dry_run=dry_run, form=form, source=source, prune=prune,
        prune_max=prune_max, may_be_empty=may_be_empty,
    )  # fmt: skip


def apply_files(
    client: Client, paths: tuple[str, ...], *, namespace: str, dry_run: bool, form: str, source: str = "",
    prune: bool = False, prune_max: int | None = None, may_be_empty: bool = False,
) -> None:  # fmt: skip
    from dataclasses import asdict

    from cli import differing, files

    documents = files.read_documents(paths, may_be_empty=may_be_empty)
    new = files.check(documents, namespace, client)
    diff = files.apply(
        client, [d.data for d in documents], namespace=namespace, dry_run=dry_run, source=source, prune=prune,
        prune_max=prune_max, where=lambda number, pointer: documents[number].where(pointer),
    )  # fmt: skip
    if form == "table":
        if dry_run:
            given = dict(zip(new, (document.data for document in documents), strict=True))
            differing.show_changes(client, diff.created, diff.changed, new, given)
            differing.show_moves(diff.moves, is_cut=diff.moves_cut)
            differing.show_dropped(diff.dropped)
            differing.show_follow(diff.follow)
        files.show_diff(diff, dry_run=dry_run)
    else:
        show(form, {"dry_run": dry_run, **asdict(diff)}, (), list)


@click.command(
    "diff",
    epilog=examples(
        "cronclave diff plan/  # what apply would change, line by line",
        "cronclave diff plan/ --source git --prune  # and what it would delete",
        "cronclave diff --from monday.db  # what became since that backup",
        "cronclave diff --from -2h --to -1h --data /var/lib/cronclave  # by the log of this machine's node",
    ),
)
@click.argument("paths", nargs=-1, metavar="[FILE|DIR|-]…", type=FILE_OR_FOLDER)
@click.option("--from", "start", type=PLACE, help="What became since: an index, an instant, a backup.")
@click.option("--to", "end", type=PLACE, help="And until then.  [default: the latest]")
@made_of
@sourced
@click.option(
    "-n", "--namespace", metavar="NAME", shell_complete=namespaces,
    help="Of documents that name none; with --from: of this one alone.  [default: default; with --from: all]",
)
@formatted
@reaching
def diff(
    reach: Callable[[], Client], paths: tuple[str, ...], start: str | None, end: str | None,
    backups: tuple[str, ...], data: str | None, source: str, prune: bool, prune_max: int | None,
    may_be_empty: bool, namespace: str | None, form: str,
) -> None:  # fmt: skip
    """Show line by line what applying these files would change. Nothing is changed.

    With --from instead: what became between two states of the cluster, by backups and the log of a node:
    objects that came, changed and went, by whom; runs that began and ended; what ticks came to. Without --to
    and --data it is compared with the cluster as it is now.
    """
    if start is not None:
        if paths or source or prune:
            raise Failure("--from compares two states, and no files", code=USAGE, hint="Leave the files out.")
        from cli.travel import show_difference

        show_difference(reach, start, end, backups, data, namespace or "", form)
        return
    if end is not None or backups or data is not None:
        raise Failure("--to, --backup and --data are for --from", code=USAGE)
    if not paths:
        raise Failure("name files to compare with the cluster, or --from", code=USAGE)
    if form != "table":
        raise Failure("what files change is shown as text: -o is for --from", code=USAGE)
    _show_files(
        reach(), paths, source=source, prune=prune, prune_max=prune_max, may_be_empty=may_be_empty,
        namespace=namespace or "default",
    )  # fmt: skip


def _show_files(
    client: Client, paths: tuple[str, ...], *, source: str, prune: bool, prune_max: int | None,
    may_be_empty: bool, namespace: str,
) -> None:  # fmt: skip
    from cli import differing, files

    _need_source(source, prune=prune, may_be_empty=may_be_empty)
    documents = files.read_documents(paths, may_be_empty=may_be_empty)
    new = files.check(documents, namespace, client)
    found = files.apply(
        client, [d.data for d in documents], namespace=namespace, dry_run=True, source=source, prune=prune,
        prune_max=prune_max, where=lambda number, pointer: documents[number].where(pointer),
    )  # fmt: skip
    for row in found.created:
        differing.show_new(row, new[differing.key_of(row)])
    for row in found.changed:
        differing.show_change(client, row, new[differing.key_of(row)])
    differing.show_moves(found.moves, is_cut=found.moves_cut)
    differing.show_dropped(found.dropped)
    differing.show_follow(found.follow)
    files.show_diff(found, dry_run=True)
