"""Which plans a profile runs.

smoke   one random plan, at most a minute on two cores
ci      six scenarios that combine the list, one of them random; the links alternate by seed
soak    every scenario of the list by itself, and random plans between them, until the time is over
drill   one random plan of what a staging cluster's own commands can do (chaos.drill)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from chaos.actions import ACTIONS
from chaos.plan import Plan, Step, in_turn, random_steps

PROFILES = ("smoke", "ci", "drill", "soak")
LINKS = ("toxiproxy", "switch")

#: Scenario → its actions. The names are those of the documentation.
CI: dict[str, tuple[str, ...]] = {
    "leaders": (
        "leader-cut-off",
        "leader-alone",
        "leader-stopped",
        "leader-core-stopped",
        "leader-front-stopped",
    ),
    "links": ("leader-deaf", "leader-mute", "bridge", "follower-slow"),
    "zones": ("zone-lost", "zone-flaps", "two-zones-lost"),
    "disks": ("leader-disk-full", "follower-sync-error", "torn-tail", "rolling-restart"),
    "agents": (
        "agents-restarted",
        "agent-cut-off",
        "spooler-killed",
        "agent-host-lost",
        "clock-ahead",
        "clock-behind",
    ),
    "power": ("majority-killed", "all-killed", "leader-killed"),
}
RANDOM_MS = {"smoke": 16_000, "ci": 20_000, "soak": 60_000, "drill": 60_000}
MINIMUM = {
    "smoke": {
        "operations": 40, "ticks": 60, "starts": 60, "faults": 1, "visits": 1, "pauses": 1, "applies": 3,
    },
    "ci": {
        "operations": 60, "ticks": 100, "starts": 100, "faults": 2, "visits": 1, "pauses": 3,
        "applies": 10, "stages": 2, "deliveries": 5, "rounds": 5, "members": 10,
        "hands": 5,
        "told": 5, "closings": 2, "turned": 8, "fillings": 6,
        "answers": 3, "completed": 3, "progress": 1,
    },
    "soak": {
        "operations": 60, "ticks": 60, "starts": 60, "faults": 1, "visits": 1, "pauses": 3,
        "applies": 10, "stages": 2,
    },
    "drill": {"operations": 20, "ticks": 20, "starts": 20, "faults": 1},
}  # fmt: skip
#: Of parts of a host, which no service manager knows by themselves.
PARTIAL = frozenset(
    {
        "leader-core-killed",
        "leader-front-killed",
        "leader-core-stopped",
        "leader-front-stopped",
        "spooler-killed",
        "agent-host-lost",
    }
)
#: What a soak may break in the middle of another fault: a majority of nodes is not lost by it.
BESIDE = frozenset(
    {
        "agent-cut-off",
        "agent-killed",
        "agent-stopped",
        "spooler-killed",
        "agent-host-lost",
        "follower-slow",
        "nodes-lossy",
        "leader-front-killed",
        "clock-ahead",
        "clock-behind",
    }
)
VISITORS = 1  #: in every plan but a drill's
ONLY_ON = {"nodes-lossy": "switch", "leader-refused": "toxiproxy"}


def possible(links: str) -> list[str]:
    """The actions that this kind of links can do at all, in the order of the list."""
    from chaos.faults import Cut, Lossy, Refused, Slow, ZoneFlap, ZoneLoss

    over_links = {Cut, Slow, Lossy, Refused, ZoneFlap, ZoneLoss}
    return [
        name
        for name, action in ACTIONS.items()
        if (links != "direct" or action.fault not in over_links) and ONLY_ON.get(name, links) == links
    ]


def links_of(seed: int, choices: Sequence[str] = LINKS) -> str:
    """The kind of links of a plan: they alternate by seed."""
    return choices[seed % len(choices)] if choices else "direct"


def _plan(name: str, profile: str, seed: int, links: str, steps: tuple[Step, ...]) -> Plan:
    return Plan(name, profile, seed, links, steps, visitors=VISITORS, minimum=dict(MINIMUM[profile]))


def random_plan(profile: str, seed: int, links: str, actions: Sequence[str], *, name: str = "random") -> Plan:
    beside = [name for name in actions if name in BESIDE] if profile == "soak" else []
    steps = random_steps(seed, actions, until_ms=RANDOM_MS[profile], beside=beside)
    return _plan(name, profile, seed, links, steps)


def ci_plans(seed: int, choices: Sequence[str] = LINKS) -> list[Plan]:
    """The six, each on the other kind of links than the one before it."""
    plans = []
    for number, (name, actions) in enumerate(CI.items()):
        links = links_of(seed + number, choices)
        steps = in_turn(seed + number, actions)
        if name == "power":
            drawn = random_steps(seed, possible(links), until_ms=RANDOM_MS["ci"])[:2]
            behind_ms = steps[-1].at_ms + steps[-1].for_ms + 3_000
            steps += tuple(
                Step(step.at_ms + behind_ms, step.for_ms, step.action, step.pick) for step in drawn
            )
        plans.append(_plan(name, "ci", seed, links, steps))
    return plans


def soak_plans(seed: int, choices: Sequence[str] = LINKS) -> Iterator[Plan]:
    """Without end: each action by itself, three in a plan, then a random plan, and again on the other
    links."""
    for turn in count():
        links = links_of(seed + turn, choices)
        names = possible(links)
        for start in range(0, len(names), 3):
            steps = in_turn(seed + turn * 1_000 + start, names[start : start + 3])
            yield _plan(f"list-{turn}-{start}", "soak", seed, links, steps)
        yield random_plan("soak", seed + turn, links, names, name=f"random-{turn}")
