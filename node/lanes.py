"""What waits in a front to be proposed, in three lanes, and how long that takes.

Rules:

1. What was begun ends first: the word of agents and effects leaves before what people ask for, that before
   new plans. A lane leaves a quarter of what it finds of a frame to those after it, if they have anything:
   none stands still. What is too large for that begins the next frame.
2. Within a lane the order is that of asking.
3. Work is measured in bytes of commands, each with a weight of its own. What is done in a second is known
   only while more waits than may be under way.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
import math
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from scheduler.words.commands import Command
from scheduler.words.outcomes import Outcome
from scheduler.words.record import ByAgent, ByPlanner, ByRunner

FRAME_COMMANDS_MAX = 1_000
FRAME_BYTES_MAX = 768 << 10
LEFT = 4  #: one in so many of a frame's commands and bytes is for the lanes after
COMMAND_WEIGHT = 1_500  #: bytes; applying a small command costs about as much as a long one of so many more
WINDOW_S = 0.5  #: over which work is measured


class Lane(enum.IntEnum):
    REPORTS = 0
    PEOPLE = 1
    PLANS = 2


def lane_of(command: Command) -> Lane:
    if isinstance(command, ByAgent | ByRunner):
        return Lane.REPORTS
    return Lane.PLANS if isinstance(command, ByPlanner) else Lane.PEOPLE


class Waiting(NamedTuple):
    command: bytes
    future: asyncio.Future[Outcome]
    until_s: float = math.inf  #: on the loop's clock: whoever asked hears by then that nobody answered


class Lanes:
    def __init__(self) -> None:
        self._lanes: tuple[deque[Waiting], ...] = tuple(deque() for _ in Lane)
        self._bytes = [0 for _ in Lane]
        self._passed: Lane | None = None  #: its first was too large for what was left of the last frame

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    @property
    def bytes(self) -> int:
        return sum(self._bytes)

    def __iter__(self) -> Iterator[Waiting]:
        return itertools.chain.from_iterable(self._lanes)

    def weight_before_plans(self) -> int:
        """Of all that a new wish of a person has to wait for."""
        before = (Lane.REPORTS, Lane.PEOPLE)
        return sum(self._bytes[lane] + COMMAND_WEIGHT * len(self._lanes[lane]) for lane in before)

    def add(self, lane: Lane, waiting: Waiting) -> None:
        self._lanes[lane].append(waiting)
        self._bytes[lane] += len(waiting.command)

    def take(self) -> list[Waiting]:
        """What goes into the next frame. Whose caller gave up while it waited was never proposed."""
        frame: list[Waiting] = []
        size = 0
        order = sorted(Lane, key=lambda lane: lane is not self._passed)
        self._passed = None
        for place, lane in enumerate(order):
            queue = self._lanes[lane]
            count = FRAME_COMMANDS_MAX - len(frame)
            room = FRAME_BYTES_MAX - size
            if any(self._lanes[later] for later in order[place + 1 :]):
                count -= count // LEFT
                room -= room // LEFT
            while queue and count > 0:
                command = queue[0].command
                if frame and len(command) > room:
                    self._passed = self._passed or lane
                    break
                waiting = queue.popleft()
                self._bytes[lane] -= len(command)
                if waiting.future.done():
                    continue
                frame.append(waiting)
                count -= 1
                room -= len(command)
                size += len(command)
        return frame


class Throughput:
    """How much work is done in a second while there is more than can be under way."""

    def __init__(self) -> None:
        self.per_s: float | None = None  #: None: nothing had to wait of late
        self._weight = 0
        self._since_s = 0.0

    def begin(self, now_s: float) -> None:
        """What was under way until now tells nothing."""
        self._weight, self._since_s = 0, now_s

    def done(self, weight: int, now_s: float, *, is_backed_up: bool) -> None:
        if not is_backed_up:
            self.per_s = None
            self.begin(now_s)
            return
        self._weight += weight
        if now_s - self._since_s >= WINDOW_S:
            self.per_s = self._weight / (now_s - self._since_s)
            self.begin(now_s)

    def wait_s(self, weight: int) -> float:
        """For so much to be done; 0 where nobody knows."""
        return 0.0 if not self.per_s else weight / self.per_s
