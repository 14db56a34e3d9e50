"""`cronclave cluster`: the nodes, their leader, and who belongs to it."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import click

from cli import pauses
from cli.backup import backup, recover, restore
from cli.client import Client, path_of
from cli.completing import node_names
from cli.exits import NO_LEADER, Failure
from cli.lazy import Lazy, LazyGroup
from cli.options import HOST_PORT, connected, formatted
from cli.output import counted, facts, show, table
from cli.views import views as all_views

COMMANDS = {
    "init": Lazy("cli.init:init", "Lay out a new cluster: certificates, token, configurations."),
    "join": Lazy("cli.join:join", "Make this machine a new node of the cluster."),
    "token": Lazy("cli.join_tokens:join_tokens", "Invite new nodes and agents."),
    "retime": Lazy("cli.retiming:retime", "Bring newer time zone data into force."),
    "cert": Lazy("cli.certificates:certificates", "Look at certificates, renew them, change the CA."),
}


@click.group("cluster", cls=LazyGroup, lazy=COMMANDS, epilog="Example: cronclave cluster status")
def cluster() -> None:
    """Make a cluster, look at it, move leadership, add and remove nodes."""


cluster.add_command(backup)
cluster.add_command(restore)
cluster.add_command(recover)
cluster.add_command(pauses.pause)
cluster.add_command(pauses.resume)


@cluster.command("status", epilog="Example: cronclave cluster status -o json")
@formatted
@connected
def status(client: Client, form: str) -> None:
    """Every node as it sees itself. Exit code 6 where no node has a quorum."""
    view = client.get("/v1/cluster")
    if form != "table":
        show(form, view, (), list)
        silent = [peer["node"] for peer in view["peers"] if peer["voter"] and not peer["reachable"]]
    else:
        views = all_views(client, view)
        _print_views(view, views)
        silent = [peer["node"] for peer in view["peers"] if peer["voter"] and views[peer["node"]] is None]
    if not view["quorum"]:
        raise _no_quorum(view, silent)


def _no_quorum(view: dict[str, Any], silent: list[str]) -> Failure:
    """What is missing, and what to do, for whoever is woken by it."""
    voters = 1 + sum(peer["voter"] for peer in view["peers"])
    majority = voters // 2 + 1
    message = f"{view['node']} has no quorum: it needs {majority} of the {voters} voting nodes"
    if voters - len(silent) >= majority:
        hint = (
            "Enough of them answer here. Look again in a few seconds: an election takes one. If it stays so, "
            f"can {view['node']} reach the others' Raft ports? Its log says which it cannot."
        )
    else:
        message += f", and {', '.join(silent)} {'does' if len(silent) == 1 else 'do'} not answer"
        gone = "it is" if len(silent) == 1 else "they are"
        hint = (
            "Nothing is lost; no new run is decided meanwhile. Start them again with their data directories, "
            f"or mend the network to them. Only if {gone} gone for good, disks and all: "
            "cronclave cluster recover --help"
        )
    return Failure(message, code=NO_LEADER, hint=hint)


def _span(view: dict[str, Any]) -> str | None:
    """The formats that a node supports."""
    least, most = view.get("format_min"), view.get("format_max")
    return None if not most else f"{least}" if least == most else f"{least}–{most}"


def _format_line(view: dict[str, Any], views: dict[str, dict[str, Any] | None]) -> str:
    """The state's format, where it is going, and what there is to do about it."""
    now, target = view["format"], view.get("format_target", view["format"])
    if target > now:
        return f"{now}, on its way to {target}"
    newest = [own.get("format_max", now) if own else now for own in views.values()]
    if min(newest) > now:
        return f"{now}; every node supports {min(newest)}: cronclave cluster activate"
    return str(now)


def _installed(own: dict[str, Any] | None, peer: dict[str, Any]) -> str | None:
    """The zone data that a node has installed, by its own word."""
    told: str | None = own.get("tzdata_installed") if own else peer.get("tzdata")
    return told


def _zone_line(view: dict[str, Any], views: dict[str, dict[str, Any] | None]) -> str:
    """The zone data in force, and what there is to do about it."""
    found = [own.get("tzdata_installed") for own in views.values() if own]
    newest = max((version for version in found if version), default="")
    now = str(view.get("tzdata"))
    return f"{now}; {newest} is installed: cronclave cluster retime --dry-run" if newest > now else now


def _state(own: dict[str, Any] | None, peer: dict[str, Any]) -> str:
    """In its own word; a learner has no vote until it caught up."""
    word = own["state"] if own else "no answer"
    return f"{word}, no vote yet" if peer.get("voter") is False else word


def _remaining(client: Client) -> str:
    """What a removal leaves: how many nodes may be lost now."""
    view = client.get("/v1/cluster")
    voters = 1 + sum(peer["voter"] for peer in view["peers"])
    spare = (voters - 1) // 2
    return f"{voters} voting nodes remain; {spare or 'none'} of them may be lost" + (
        "" if spare else " until another joins: cronclave cluster join"
    )


def _difference(
    view: dict[str, Any], views: dict[str, dict[str, Any] | None]
) -> list[tuple[str, object]]:
    """What the leader has found as it looked through the ledger; else until when it has."""
    if found := view.get("difference"):
        of = f"{found['namespace']}/{found['job']}, " if found["job"] else ""
        first = f"{found['kind']}, {of}{found['at']}: {found['detail']}"
        said = f"in {found['problems']} places, since {found['since']}; first {first}"
        return [("LEDGER DIFFERS", f"{said}. What helps: {found['command']}")]
    proved = [own["proved"] for own in views.values() if own and own.get("proved")]
    whole = max((each for each in proved if each["whole"]), key=lambda each: str(each["whole"]), default=None)
    return [("proved", f"until {whole['whole']}, {counted(whole['due'], 'tick')}")] if whole else []


def _overload(view: dict[str, Any]) -> list[tuple[str, object]]:
    """That more is due than can be started."""
    found = view.get("overload")
    if not found:
        return []
    due = counted(found["due"], "trigger was", "triggers were")
    late = f"{due} due, the first for {found['late_seconds']:.1f} s"
    return [("overloaded", f"since {found['since']}: {late}; what is too old is coalesced")]


def _restore(view: dict[str, Any]) -> list[tuple[str, object]]:
    """What a restore still holds up."""
    restore = view.get("restore")
    if not restore or restore["phase"] == "done":
        return []
    awaited = counted(restore["agents_awaited"], "agent is", "agents are")
    until = f"until {restore['held_until']}, {awaited} awaited"
    said = until if restore["phase"] == "holding" else "what nobody reported is being decided"
    return [("restore", f"number {restore['number']}, {restore['phase']}: {said}")]


def _print_views(view: dict[str, Any], views: dict[str, dict[str, Any] | None]) -> None:
    ends = sorted(
        (until, name) for name, own in views.items() if own for until in own["certificates"].values()
    )
    facts(
        [
            ("cluster", view["cluster"]),
            ("leader", view["leader"]),
            ("quorum", view["quorum"]),
            ("epoch", f"{view['epoch']} (term {view['term']})"),
            ("index", view["index"]),
            *pauses.lines(view),
            *_overload(view),
            *_difference(view, views),
            *_restore(view),
            ("ledger head", str(view["ledger_head"])[:16]),
            ("version", view["version"]),
            ("zone data", _zone_line(view, views)),
            ("format", _format_line(view, views)),
            *([("certificates", f"valid until {ends[0][0]} ({ends[0][1]} first)")] if ends else []),
        ]
    )
    click.echo()
    peers = {peer["node"]: peer for peer in view["peers"]}
    columns = (
        "node", "zone", "state", "index", "state hash", "clock ms", "free", "version", "formats", "tzdata",
        "url",
    )  # fmt: skip
    rows: list[tuple[object, ...]] = []
    for name, own in views.items():
        peer = peers.get(name, {})
        zone = own["zone"] if own else peer.get("zone")
        free = (own or peer).get("free_bytes")
        rows.append(
            (
                name, zone, _state(own, peer), own["index"] if own else None,
                str(own["state_hash"])[:12] if own else None, peer.get("clock_offset_ms"),
                f"{free / 1e9:.1f} GB" if free else None, own["version"] if own else None,
                _span(own or peer), _installed(own, peer), (own or peer).get("url"),
            )
        )  # fmt: skip
    table(columns, rows)


@cluster.command("transfer", epilog="Example: cronclave cluster transfer --to node-2")
@click.option(
    "--to", "node", metavar="NODE", shell_complete=node_names, help="The new leader; the best one by default."
)
@connected
def transfer(client: Client, node: str | None) -> None:
    """Hand leadership over, without a gap in the ticks."""
    reply = client.post(path_of("cluster", "transfer"), {"node": node} if node else None)
    if reply["leader"] == reply.get("before", reply["leader"]):
        click.echo(f"{reply['leader']} leads already")
    else:
        click.echo(f"{reply['leader']} leads, {reply['before'] or 'nobody'} did before")


@cluster.command("tick-limits", epilog="Example: cronclave cluster tick-limits --job 200")
@click.option("--job", type=click.IntRange(min=1), metavar="N", help="Of the triggers of one job.")
@click.option("--namespace", type=click.IntRange(min=1), metavar="N", help="Of all jobs of one namespace.")
@click.option("--cluster", "whole", type=click.IntRange(min=1), metavar="N", help="Of all jobs.")
@click.option("--dry-run", is_flag=True, help="Say what the limits would be.")
@connected
def tick_limits(
    client: Client, job: int | None, namespace: int | None, whole: int | None, dry_run: bool
) -> None:
    """Show or set how many ticks a second jobs may ask for.

    A job that would ask for more is refused. Jobs that ask for more already stay as they are.
    """
    given = {"job": job, "namespace": namespace, "cluster": whole}
    document = {name: value for name, value in given.items() if value is not None}
    if document:
        asks = {"dry_run": "true"} if dry_run else {}
        body = json.dumps(document).encode()
        limits = client.send("PUT", path_of("cluster", "tick-limits", **asks), body)
    else:
        limits = client.get(path_of("cluster", "tick-limits"))
    click.echo(f"one job:       {limits['job']:,} ticks a second")
    click.echo(f"one namespace: {limits['namespace']:,}")
    click.echo(f"the cluster:   {limits['cluster']:,}")
    if "asked" in limits:
        click.echo(f"asked for now: {limits['asked']:,.1f}")


@cluster.command("activate", epilog="Example: cronclave cluster activate --dry-run")
@click.option(
    "--format", "number", type=click.IntRange(min=1), metavar="NUMBER",
    help="The format.  [default: the newest that every node supports]",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what it would change, and which node stands in its way.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
def activate(client: Client, number: int | None, dry_run: bool, yes: bool) -> None:
    """Let the cluster use what a newer version brought. Older versions cannot come back after it.

    Upgrade every node first. Until the activation the cluster keeps to the rules of the older version, and
    every node may go back to it.
    """
    document = {} if number is None else {"format": number}
    plan = client.post(path_of("cluster", "format", dry_run="true"), document)
    if plan["format"] < plan["target"] and not plan["changed"]:
        click.echo(f"format {plan['target']} is activated already; rows are still brought into its shape")
        return
    if not plan["changed"]:
        click.echo(f"format {plan['target']} is active; it is the newest that every node supports")
        for member in plan["members"]:
            click.echo(f"  {member['node']}: {_span(member) or 'does not answer'}")
        return
    for change in plan["changes"]:
        click.echo(f"format {change['format']}: {change['changes']}")
    if dry_run:
        click.echo(f"every node supports format {plan['target']}; nothing was changed")
        return
    if not yes and sys.stdin.isatty():
        click.confirm(f"Activate format {plan['target']}? No older version can come back", abort=True)
    reply = client.post(path_of("cluster", "format"), {"format": plan["target"]})
    if reply["format"] < reply["target"]:
        click.echo(f"format {reply['target']} is activated; rows are brought into its shape meanwhile")
        click.echo("it is in use once cronclave cluster status says so")
    else:
        click.echo(f"format {reply['target']} is active")


@cluster.command(
    "add",
    epilog="Example: cronclave cluster add node-4 --raft 10.0.1.4:8322 --zone zone-b --node-url https://10.0.1.4:8321",
)
@click.argument("node")
@click.option(
    "--raft", required=True, type=HOST_PORT, metavar="HOST:PORT", help="Where its Raft port is reached."
)
@click.option("--zone", required=True, help="Its availability zone.")
@click.option("--node-url", required=True, metavar="URL", help="Base URL of its API.")
@click.option("--unasked", is_flag=True, help="Admit it though it does not run yet: nobody is asked.")
@connected
def add(client: Client, node: str, raft: str, zone: str, node_url: str, unasked: bool) -> None:
    """Admit a node under a new name. It copies the state first and votes after.

    Start it before, with join = true in its configuration: it is asked at its Raft address whether it is
    this node, since a name is used once. On the new machine itself `cluster join` does this and writes its
    configuration.
    """
    member = {"name": node, "address": raft, "zone": zone, "url": node_url}
    client.post(path_of("cluster", "members") + ("?unasked=true" if unasked else ""), member)
    click.echo(
        f"{node} is admitted" + ("; start it with join = true in its configuration" if unasked else "")
    )
    click.echo("it votes once it has copied the state: cronclave cluster status")


@cluster.command("remove", epilog="Example: cronclave cluster remove node-2 --yes")
@click.argument("node", shell_complete=node_names)
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
def remove(client: Client, node: str, yes: bool) -> None:
    """Remove a node for good. Its name is never accepted again."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove {node} for good?", abort=True)
    client.delete(path_of("cluster", "members", node))
    click.echo(f"{node} is removed; its process ends by itself, its data directory may be deleted")
    with contextlib.suppress(Failure):  # it was the only node that this command knew
        click.echo(_remaining(client))
