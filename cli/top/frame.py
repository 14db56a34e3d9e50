"""A look as lines of a width. Colours only repeat what words say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from cli.output import counted, printable
from cli.top.looks import Look

NARROW = 72  #: below this a phone's width: fewer columns
VIEWS = ("all", "attention", "runs", "zones")
KINDS = ("late", "failing", "waiting", "unreachable")
ITEMS_MAX = 20
KEYS = "q quit · tab view · space hold · r now"


def frame(look: Look, *, width: int, view: str = "all", note: str = "", old_s: float = 0.0) -> RenderableType:
    """The whole, however long it is."""
    parts: list[RenderableType] = list(_head(look, old_s))
    narrow = width < NARROW
    if view in ("all", "attention"):
        parts += _attention(look, narrow)
    if view in ("all", "runs"):
        parts += _runs(look, narrow)
    if view in ("all", "zones"):
        parts += _zones(look, narrow)
    if note:
        parts += [Text(), Text(note, style="dim")]
    return Group(*parts)


def fitted(console: Console, what: RenderableType, height: int) -> RenderableType:
    """As much of it as fits; the last line says that there is more."""
    drawn = console.render_lines(what, pad=False)
    if len(drawn) <= height:
        return what
    shown = [Text.assemble(*((each.text, each.style or "") for each in line)) for line in drawn[: height - 1]]
    more = f"… {counted(len(drawn) - height + 1, 'more line')}: tab shows one part · {KEYS}"
    return Group(*shown, Text(more, style="dim", no_wrap=True, overflow="ellipsis"))


def _head(look: Look, old_s: float) -> Iterator[RenderableType]:
    cluster, overview = look.cluster, look.overview
    head = Text(no_wrap=True, overflow="ellipsis")
    head.append("cronclave ", style="bold")
    head.append(f"{_clock(overview.get('at'))}  by {_safe(cluster.get('node'))}")
    yield head
    if look.trouble:
        yield Text(f"NO ANSWER, this is {old_s:.0f} s old: {_safe(look.trouble)}", style="bold red")
    if cluster.get("quorum"):
        said = f"{_safe(cluster['leader'])} leads" if cluster.get("leader") else "no leader at the moment"
        yield Text(f"quorum: yes, {said}, epoch {cluster.get('epoch')}", style="green")
    else:
        said = "NO QUORUM: nothing is decided. cronclave cluster status says what to do"
        yield Text(said, style="bold red")
    nodes = sorted([cluster, *cluster.get("peers", ())], key=lambda each: str(each["node"]))
    yield Text("nodes: " + " · ".join(_node(cluster, each) for each in nodes))
    counts = Text()
    for kind in KINDS:
        found = overview.get(kind) or {"count": 0, "more": False}
        style = "bold yellow" if found["count"] else "dim"
        counts.append(f"{kind} {found['count']}{'+' if found['more'] else ''}  ", style=style)
    runs = overview.get("runs") or {}
    counts.append(f"running {runs.get('running', 0)}  pending {runs.get('pending', 0)}", style="cyan")
    yield counts
    for pause in overview.get("pauses") or ():
        what = f"namespace {_safe(pause['namespace'])}" if pause["namespace"] else "everything"
        yield Text(f"PAUSED: {what}: {_safe(pause['reason'])}", style="yellow")
    if overload := overview.get("overload"):
        yield Text(f"OVERLOADED since {overload['since']}: more is due than can be started", style="yellow")
    if difference := overview.get("difference"):
        said = f"THE LEDGER DIFFERS from what was due since {difference['since']}: {difference['command']}"
        yield Text(said, style="red")
    outbox = overview.get("outbox") or {}
    if outbox.get("given_up"):
        said = f"{outbox['given_up']} notices were given up: cronclave notify list --state given_up"
        yield Text(said, style="yellow")


def _node(cluster: dict[str, Any], node: dict[str, Any]) -> str:
    role = "leader" if node["node"] == cluster.get("leader") else ""
    if node is not cluster and not node.get("reachable"):
        role = "OUT OF REACH"
    elif node.get("voter") is False:
        role = "no vote yet"
    return f"{_safe(node['node'])} ({_safe(node['zone'])}{', ' if role else ''}{role})"


def _attention(look: Look, narrow: bool) -> Iterator[RenderableType]:
    yield Rule("look at first", align="left", characters="─", style="dim")
    rows = [(kind, each) for kind in KINDS for each in (look.overview.get(kind) or {"items": ()})["items"]]
    if not rows:
        yield Text("nothing", style="dim")
    for kind, each in rows[:ITEMS_MAX]:
        line = Text()
        line.append(f"{kind:<12}" if not narrow else f"{kind} ", style="yellow")
        line.append(f"{_job(each)}: {_safe(each['why'])}")
        yield line
        if each.get("command"):
            yield Text(f"{'' if narrow else ' ' * 12}→ {_safe(each['command'])}", style="dim")


def _runs(look: Look, narrow: bool) -> Iterator[RenderableType]:
    yield Rule("running now", align="left", characters="─", style="dim")
    if not look.runs:
        yield Text("nothing", style="dim")
        return
    now = _instant(look.overview.get("at")) or datetime.now(UTC)
    columns: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
        ("run", lambda run: str(run["id"])),
        ("job", _job),
        ("for", lambda run: _since(run.get("started"), now)),
    ]
    if not narrow:
        columns.append(("cause", lambda run: _safe(run.get("cause"))))
        columns.append(("tick", lambda run: _safe(run.get("tick"))))
    yield _table([name for name, _ in columns], [[told(run) for _, told in columns] for run in look.runs])


def _zones(look: Look, narrow: bool) -> Iterator[RenderableType]:
    yield Rule("agents by zone", align="left", characters="─", style="dim")
    zones = look.overview.get("zones") or ()
    if not zones:
        yield Text("no agent has ever been here: cronclave agents join", style="dim")
        return
    rows = []
    for zone in zones:
        here, busy = f"{zone['connected']} of {zone['agents']}", f"{zone['busy']} of {zone['slots']}"
        row = [_safe(zone["zone"]), here, busy]
        rows.append(row if narrow else [*row, _bar(zone["busy"], zone["slots"]), str(zone["draining"])])
    columns = ["zone", "connected", "busy"]
    yield _table(columns if narrow else [*columns, "load", "draining"], rows)


def _bar(busy: int, slots: int, cells: int = 20) -> str:
    full = min(cells, round(cells * busy / slots)) if slots else 0
    return "#" * full + "." * (cells - full)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        drawn.add_column(name, no_wrap=True, overflow="ellipsis")
    for row in rows:
        drawn.add_row(*(Text(text) for text in row))
    return drawn


def _job(each: dict[str, Any]) -> str:
    """A job of the usual namespace by its name alone."""
    name, namespace = _safe(each.get("job") or "a deleted job"), each.get("namespace")
    return name if namespace in (None, "", "default") else f"{_safe(namespace)}/{name}"


def _safe(value: object) -> str:
    return "-" if value is None else printable(str(value))


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _clock(text: object) -> str:
    moment = _instant(text)
    return moment.strftime("%H:%M:%SZ") if moment else "-"


def _since(text: object, now: datetime) -> str:
    began = _instant(text)
    if began is None:
        return "-"
    seconds = max(0, int((now - began).total_seconds()))
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{word}"
    return f"{seconds}s"
