"""Fan-out as the machine reads it: over what a task is divided, how many of its members have to succeed, and
what a list of items is. No pydantic, as the core compiles jobs by it.

Rules of this file:

1. A member of a list, or of a number, is its place: "0" is the first. Its item is the text there, of what is
   no text its JSON. A member of agents is an agent's name.
2. What a text says of a list is its JSON, where it begins with a bracket, else its lines: so a shell that
   writes one path a line and a program that writes JSON are both understood.
3. Who is skipped is left out: shares, and `all`, are of the others. Shares round up."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scheduler.model.quantities import parse_duration_ms
from scheduler.words.json_text import json_text

MEMBERS_MAX = 10_000
ITEM_LETTERS_MAX = 8_192
LIST, NUMBER, PARAM, OUTPUT, AGENTS = "list", "number", "param", "output", "agents"
REGISTERED, CONNECTED = "registered", "connected"
FAIL, SKIP = "fail", "skip"
ALL, ANY, COUNT, SHARE = "all", "any", "count", "share"

_KEY = "([A-Za-z_][A-Za-z0-9_]*)"
SOURCE = re.compile(rf"\{{(?:params\.{_KEY}|tasks\.(.+)\.outputs\.{_KEY})\}}")
PERCENT = re.compile(r"([1-9][0-9]?|100)%")


class Join(NamedTuple):
    kind: str = ALL  #: all | any | count | share
    number: int = 0  #: of count, or percent


class CompiledFanout(NamedTuple):
    over: str  #: list | number | param | output | agents
    items: tuple[str, ...]  #: of a list in the job
    number: int
    name: str  #: of the parameter, or of the output
    task: str  #: that gives the output
    join: Join
    parallel_max: int  #: members at a time; 0: all
    failures_max: int | None  #: that are borne; None: as many as the join bears
    stagger_ms: int  #: from one member to the next
    connected: bool = False  #: of agents: those alone that are when it begins
    ttl_ms: int = 0  #: how long those are waited for that are away; 0: without end
    skips_away: bool = False  #: what becomes of them then; else they have failed
    agent_max: int = 0  #: members at a time that one agent has; 0: as many as it has slots for

    @property
    def is_picky(self) -> bool:
        """Whether a member has no turn while its agent is away: it would take that of another."""
        return self.over == AGENTS and bool(self.parallel_max or self.stagger_ms)


def source_of(text: str) -> tuple[str, str, str] | None:
    """PARAM and its name, or OUTPUT, its name and its task; None: it is neither."""
    found = SOURCE.fullmatch(text)
    if found is None:
        return None
    param, task, output = found.groups()
    return (PARAM, param, "") if param else (OUTPUT, output, task)


def compiled_fanout(task: Mapping[str, Any]) -> CompiledFanout:
    """Of a task of a canonical job that has one."""
    given = task["fanout"]
    each, number = given.get("foreach"), given.get("n", 0)
    over, name, of = NUMBER, "", ""
    items: tuple[str, ...] = ()
    if isinstance(each, str):
        over, name, of = source_of(each) or (PARAM, "", "")
    elif "all" in given:
        over = AGENTS
    elif each is not None:
        over, items = LIST, tuple([text_of(item) for item in each])
    return CompiledFanout(
        over, items, number, name, of, join_of(task.get("join", ALL)), given.get("max_parallel", 0),
        given.get("max_failures"), parse_duration_ms(given["stagger"]) if "stagger" in given else 0,
        given.get("all") == CONNECTED, parse_duration_ms(given["ttl"]) if "ttl" in given else 0,
        given.get("offline") == SKIP, 0 if over == AGENTS else given.get("max_per_agent", 0),
    )  # fmt: skip


def join_of(join: str | int) -> Join:
    if isinstance(join, int):
        return Join(COUNT, join)
    return Join(join) if join in (ALL, ANY) else Join(SHARE, int(join.removesuffix("%")))


def wanted(join: Join, members: int) -> int:
    """How many of so many members have to succeed."""
    if join.kind == SHARE:
        return -(-members * join.number // 100)
    return {ALL: members, ANY: 1, COUNT: join.number}[join.kind]


def text_of(item: object) -> str:
    """As a member is given it."""
    return item if isinstance(item, str) else json_text(item).decode()


def items_of(value: object) -> tuple[Sequence[str], str]:
    """The items of what a run or a task before it gave, or why it is no list."""
    items: Any = value
    if isinstance(value, str):
        items = [line for line in value.splitlines() if line.strip()]
        if value.lstrip().startswith("["):
            try:
                items = json.loads(value)
            except (ValueError, RecursionError):
                return (), "begins with a bracket, and is no JSON list"
    if not isinstance(items, list | tuple):
        return (), "is no list"
    if len(items) > MEMBERS_MAX:
        return (), f"has {len(items)} items, {MEMBERS_MAX} at most"
    texts = [text_of(item) for item in items]
    for place, text in enumerate(texts):
        if "\0" in text or len(text) > ITEM_LETTERS_MAX:
            return (), f"has an item, at place {place}, with a NUL or more than {ITEM_LETTERS_MAX} letters"
    return texts, ""
