"""The cluster, as each node that answers sees it: quorum, clocks, versions, room, certificates, agents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from cli.client import Client, path_of
from cli.doctor import disk
from cli.doctor.configured import lasting
from cli.doctor.findings import FAULT, OK, UNKNOWN, WARNING, Finding
from cli.exits import DENIED, Failure
from cli.output import counted
from cli.target import UnnamedError
from cli.views import views as all_views

SKEW_MS = 100  #: ticks start by the clock of the node that an agent is at
SKEW_MS_MAX = 1_000
DATE_S = 5.0  #: how far a reply's date may lag on a machine that is very busy
TURN_MS = 1_000
AGENTS_MAX = 1_000

View = dict[str, Any]


def cluster(reach: Callable[[], Client]) -> list[Finding]:
    """Asked of every node. No answer is a finding, too."""
    try:
        client = reach()
        asked = datetime.now(UTC)
        with client.open("GET", path_of("cluster")) as response:
            date = response.headers.get("Date")
            view = client.json_of(response)
        answered = datetime.now(UTC)
    except UnnamedError as failure:
        said = "no cluster is named: only this machine was looked at"
        return [Finding("cluster", UNKNOWN, said, failure.hint)]
    except Failure as failure:
        said = "; ".join([failure.message, *failure.details])
        what = "may not look at the cluster" if failure.exit_code == DENIED else "the cluster is not in reach"
        return [Finding("cluster", FAULT, f"{what}: {said}", failure.hint or "Look at the nodes' own logs.")]
    seen = all_views(client, view)
    found = [*quorum(view, seen), *zones(view, seen), *clocks(view, seen)]
    found += [own_clock(view, date, asked, answered), *alike(view, seen), *secret_keys(view, seen)]
    return [*found, *nodes(seen), *standing(view), *agents(client, view)]


def quorum(view: View, seen: Mapping[str, View | None]) -> Iterator[Finding]:
    voters = _voters(view)
    silent = sorted(name for name in voters if seen.get(name) is None)
    if not view["quorum"]:
        yield Finding(
            "quorum", FAULT, f"{view['node']} reaches no majority of the {len(voters)} voting nodes",
            "Start the nodes that are down with their data directories, or mend the network between them."
            " cronclave cluster status says which do not answer.",
        )  # fmt: skip
    elif view["leader"] is None:
        hint = "Look again in a few seconds: an election takes one."
        yield Finding("quorum", FAULT, "there is no leader", hint)
    else:
        yield Finding("quorum", OK, f"{view['leader']} leads {len(voters)} voting nodes")
    gone = "cronclave cluster remove {}" if view["quorum"] else "cronclave cluster recover --help"
    for name in silent:
        yield Finding(
            "node", FAULT, f"{name} does not answer here",
            f"Is it up? Its own log says why not. If it is gone for good: {gone.format(name)}",
        )  # fmt: skip
    for name, own in seen.items():
        if own is not None and not own.get("ready", True):
            yield Finding("node", WARNING, f"{name} is not ready yet", "Its log and GET /readyz say why.")


def _voters(view: View) -> dict[str, str]:
    """The zone of each voting node."""
    peers = {peer["node"]: peer["zone"] for peer in view["peers"] if peer.get("voter", True)}
    return {view["node"]: view["zone"], **peers}


def zones(view: View, seen: Mapping[str, View | None]) -> Iterator[Finding]:
    """Whether one may be lost: as the nodes are spread, and now, when some may be silent."""
    zone_of = _voters(view)
    held = Counter(zone_of.values())
    voters = held.total()
    up = Counter(zone for name, zone in zone_of.items() if seen.get(name) is not None)
    if voters < 3:
        yield Finding(
            "zones", WARNING, f"{voters} voting nodes: none of them may be lost",
            "cronclave cluster join, up to three.",
        )  # fmt: skip
    elif max(held.values()) > (voters - 1) // 2:
        most = max(held, key=lambda zone: (held[zone], zone))
        yield Finding(
            "zones", WARNING,
            f"{held[most]} of {voters} voting nodes are in {most}: losing it costs the quorum",
            "Spread the nodes over three zones, one each.",
        )  # fmt: skip
    elif up.total() - max(up.values(), default=0) <= voters // 2:
        said = f"{up.total()} of {voters} voting nodes answer: no zone may be lost now"
        yield Finding("zones", WARNING, said, "Bring back those that do not answer.")
    else:
        yield Finding("zones", OK, f"any one of {len(held)} zones may be lost")


def clocks(view: View, seen: Mapping[str, View | None]) -> Iterator[Finding]:
    by = seen.get(view["leader"] or "") or view
    offsets = {p["node"]: p["clock_offset_ms"] for p in by["peers"] if p.get("clock_offset_ms") is not None}
    if not offsets:
        yield Finding("node clocks", UNKNOWN, "no node's clock is known yet", "Look again in a minute.")
        return
    worst = max(offsets, key=lambda name: (abs(offsets[name]), name))
    off_ms = abs(offsets[worst])
    said = f"the clocks of {by['node']} and {worst} differ by {off_ms} ms"
    if off_ms <= SKEW_MS:
        yield Finding("node clocks", OK, f"{said}, others by less")
    else:
        yield Finding(
            "node clocks", FAULT if off_ms > SKEW_MS_MAX else WARNING, f"{said}: starts are late or early"
            " by it",
            "chronyc tracking on both: see which is wrong, and let one time service keep all nodes.",
        )  # fmt: skip


def own_clock(view: View, date: str | None, asked: datetime, answered: datetime) -> Finding:
    """Only what is beyond doubt: a reply's date has whole seconds, and is from between both instants."""
    try:
        told = parsedate_to_datetime(date or "").replace(tzinfo=UTC)
    except ValueError:
        return Finding("own clock", UNKNOWN, f"{view['node']} does not tell its time", "A proxy in between"
        " may.")
    least, slack = timedelta(), timedelta(seconds=DATE_S)
    ahead, behind = asked - told - slack, told - answered
    if ahead > least or behind > least:
        by = max(ahead, behind).total_seconds()
        word = "ahead of" if ahead > least else "behind"
        return Finding(
            "own clock", WARNING, f"this machine is at least {by:.0f} s {word} {view['node']}",
            "See which is wrong (timedatectl), and let a time service keep both.",
        )  # fmt: skip
    return Finding("own clock", OK, f"this machine's clock and {view['node']}'s agree, as far as a reply"
    " tells")


def alike(view: View, seen: Mapping[str, View | None]) -> Iterator[Finding]:
    """What should be the same on every node."""
    for check, key, fix in (
        ("versions", "version", "Finish the rolling upgrade: docs/guides/upgrade.md."),
        ("node tzdata", "tzdata_installed", "pip install --upgrade tzdata everywhere. Ticks are decided alike"
        " meanwhile, by the zone data in force."),
    ):
        told = {name: own[key] for name, own in seen.items() if own is not None and own.get(key)}
        if len(set(told.values())) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in told.items())
            yield Finding(check, WARNING, f"nodes differ: {listed}", fix)
        elif told:
            yield Finding(check, OK, f"{next(iter(told.values()))} on every node that answers")
    has = max((own.get("tzdata_installed") or "" for own in seen.values() if own is not None), default="")
    if has > (view.get("tzdata") or has):
        yield Finding(
            "zone data", WARNING, f"{view['tzdata']} is in force, and {has} is installed",
            "cronclave cluster retime --dry-run says which ticks it moves.",
        )  # fmt: skip
    newest = [own.get("format_max") or view["format"] for own in seen.values() if own is not None]
    if min(newest) > view["format"]:
        yield Finding(
            "format", WARNING, f"format {view['format']} is in use, and every node that answers supports"
            f" {min(newest)}",
            "cronclave cluster activate --dry-run",
        )  # fmt: skip


def secret_keys(view: View, seen: Mapping[str, View | None]) -> Iterator[Finding]:
    """Whether every node that answers can give tasks their secrets, and encrypt new ones."""
    told = {name: own["secrets"]["keys"] for name, own in seen.items() if own and "secrets" in own}
    if "secrets" not in view or not any(told.values()):
        return  # secrets are not used here
    needed = [*view["secrets"]["in_use"], *filter(None, [view["secrets"]["current"]])]
    lacking = [f"{name} lacks {key}" for name, keys in told.items() for key in needed if key not in keys]
    first = {keys[0] if keys else None for keys in told.values()}
    if lacking:
        yield Finding(
            "secret keys", FAULT, f"{', '.join(dict.fromkeys(lacking))}: what needs a secret fails there",
            "Copy the file of secrets.key_file from a node that has it, mode 600: no restart is needed.",
        )  # fmt: skip
    elif first != {view["secrets"]["current"] or next(iter(first))}:
        yield Finding(
            "secret keys", WARNING, "not every node's first key is the one that the cluster encrypts with",
            "Give all nodes the same key file, then: cronclave secret rotate-key",
        )  # fmt: skip
    elif len(view["secrets"]["in_use"]) > 1:
        yield Finding(
            "secret keys", WARNING, "some secrets are encrypted with an older key",
            "cronclave secret rotate-key",
        )  # fmt: skip
    else:
        yield Finding("secret keys", OK, "every node that answers has them")


def nodes(seen: Mapping[str, View | None]) -> Iterator[Finding]:
    now = datetime.now(UTC)
    for name, own in seen.items():
        if own is None:
            continue
        if own.get("free_bytes"):
            yield disk.left(own["free_bytes"], name)
        for use, until in own.get("certificates", {}).items():
            yield lasting(f"{name}'s certificate ({use})", until, now)
        turn_ms = own.get("longest_turn_ms") or 0
        if turn_ms > TURN_MS:
            yield Finding(
                "node load", WARNING, f"{name} was away for {turn_ms:.0f} ms lately", "Does its machine"
                " have CPU to spare?"
            )


def standing(view: View) -> Iterator[Finding]:
    """What is on purpose, or passes, and keeps things from running."""
    if pause := view.get("pause"):
        yield Finding("pause", WARNING, f"everything is paused: {pause['reason']}", "cronclave cluster"
        " resume")
    if overload := view.get("overload"):
        yield Finding(
            "load", WARNING, f"more is due than can be started, since {overload['since']}",
            "Fewer ticks, or more CPU: cronclave top shows which jobs.",
        )  # fmt: skip
    if difference := view.get("difference"):
        of = f" {difference['namespace']}/{difference['job']}" if difference["job"] else ""
        yield Finding(
            "ledger", FAULT, f"it differs from what was due:{of} {difference['at']}, {difference['detail']}",
            f"{difference['command']} shows all of it; docs/guides/damage.md says what to do.",
        )  # fmt: skip
    restore = view.get("restore")
    if restore and restore["phase"] != "done":
        yield Finding(
            "restore", WARNING, f"a restore holds up ticks until {restore['held_until']}",
            "Start the agents that are awaited, or wait: cronclave cluster status",
        )  # fmt: skip


def agents(client: Client, view: View) -> Iterator[Finding]:
    try:
        agents, _ = client.items(path_of("agents", consistency="stale"), AGENTS_MAX)
    except Failure as failure:
        yield Finding("agents", UNKNOWN, failure.message, failure.hint or "Look with a token that may read.")
        return
    here = [each for each in agents if each["connected"]]
    if not here:
        yield Finding("agents", FAULT, "no agent is connected: nothing runs", "cronclave agents join --help")
    else:
        connected = f"{len(here)} of {counted(len(agents), 'agent is', 'agents are')} connected"
        yield Finding("agents", OK, connected)
    for each in agents:
        if not each["connected"]:
            yield Finding(
                "agent", WARNING, f"{each['name']} ({each['zone']}) is away since {each['disconnected_at']}",
                f"Its own log says why; is its host gone for good: cronclave agents release {each['name']}",
            )  # fmt: skip
    other = sorted({each["version"] for each in here} - {view["version"]})
    if other:
        yield Finding(
            "agent versions", WARNING, f"agents of {', '.join(other)} beside nodes of {view['version']}",
            "Upgrade them after the nodes.",
        )  # fmt: skip
