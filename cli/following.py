"""A run's output on its way to a person or a pipe.

Rules:

1. A place in the output belongs to one attempt: a newer attempt is read from its own beginning, and a line on
   standard error says so. Standard output has the jobs' own bytes and nothing else.
2. What broke off is asked for again from its place, on another node if need be. A reply that ended in good
   order is whole; bytes that nobody has any more are said on standard error.
3. Who follows waits as long as the run does, and says once what for, as far as that is known.
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from cli.client import Client, path_of
from cli.exits import Failure, of_state
from cli.terminal import ByteSieve, colours_wanted, plain
from cli.waiting import held_up_by

AGAIN_S = 0.3
PAUSE_MAX_S = 2.0  #: between two looks at whether a task has begun
SAY_S = 1.0  #: a wait that is longer is worth a word
WAIT_S = 25.0  #: of one request; longer waits ask again


class Screen:
    """Standard output for the jobs' bytes, standard error for words about them."""

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._sieve: ByteSieve | None = None
        self._in_line = False

    def write(self, data: bytes) -> None:
        if not self._raw:
            self._sieve = self._sieve or ByteSieve(colours=colours_wanted())
            data = self._sieve.feed(data)
        self._out(data)

    def note(self, text: str) -> None:
        self.cut()
        if self._in_line and sys.stdout.isatty():
            click.echo(err=True)
        click.echo(plain(text), err=True)

    def heading(self, text: str) -> None:
        self.cut()
        click.echo(click.style(text, bold=True))
        sys.stdout.flush()

    def cut(self) -> None:
        """What follows is of another stream: a sequence that was left open ends here."""
        if self._sieve is not None:
            self._out(self._sieve.end())
            self._sieve = None

    def _out(self, data: bytes) -> None:
        if data:
            self._in_line = not data.endswith(b"\n")
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()


class Reading:
    """One task's output: of which attempt, and how far."""

    def __init__(
        self, client: Client, run: int, task: str | None, attempt: int | None, *,
        write: Callable[[bytes], None], note: Callable[[str], None], round: int | None = None,
        member: str | None = None,
    ) -> None:  # fmt: skip
        """`round`: None: the newest. `member`: of a task that is divided."""
        self._client = client
        self._run = run
        self._task = task
        self._round = round
        self._member = member
        self._only = attempt  #: asked for by its number
        self._attempt = attempt
        self._over = False  #: this attempt's output is read to its end
        self._offset = 0
        self._write = write
        self._note = note
        self._said: set[str] = set()
        self._wait_s = SAY_S

    def now(self) -> bool:
        """Write what there is; False: there is no attempt."""
        while True:
            response = self._ask(follow=False)
            if not self._begin(response):
                return False
            if self._take(response) and self._offset >= int(response.headers.get("X-Cronclave-Log-Bytes", 0)):
                return True

    def follow(self) -> None:
        """Write what comes until the task, or the attempt that was asked for, has ended."""
        while True:
            response = self._ask(follow=True)
            if not self._begin(response):
                if self._ended():
                    return
                continue
            if not self._take(response):
                continue
            if self._offset < int(response.headers.get("X-Cronclave-Log-Bytes", 0)):
                continue
            self._over = not self._away(response)
            if self._over and self._only is not None:
                return

    def _ask(self, *, follow: bool) -> http.client.HTTPResponse:
        after = self._attempt if self._over else None
        path = path_of(
            "runs", self._run, "logs", task=self._task, round=self._round, member=self._member,
            attempt=None if after else self._attempt,
            after_attempt=after, offset=None if after else self._offset, follow=follow,
            wait=f"{int(self._wait_s * 1000)}ms" if follow else None,
        )  # fmt: skip
        return self._client.open("GET", path, wait_s=self._wait_s if follow else 0.0)

    def _begin(self, response: http.client.HTTPResponse) -> bool:
        """Go to the place that the reply begins at; False: it is of no attempt."""
        number = response.headers.get("X-Cronclave-Attempt")
        if number is None:
            response.read()
            return False
        if int(number) != self._attempt:
            if self._attempt is not None:
                self._note(f"attempt {number}:")
            self._attempt, self._offset, self._over = int(number), 0, False
        missing = response.headers.get("X-Cronclave-Log-Missing", "")
        first, _, last = missing.partition("-")
        if last:
            self._note(f"bytes {first} to {last} of attempt {number} are not kept; its agent cannot be asked")
        self._offset = int(response.headers.get("X-Cronclave-Log-Offset", self._offset))
        if missing and not last:
            self._say(
                f"what attempt {number} writes is not here: its agent is away"
                if not self._offset
                else f"what attempt {number} writes after byte {first} is not here: its agent is away"
            )
        return True

    def _take(self, response: http.client.HTTPResponse) -> bool:
        """Whether it came to its end in good order."""
        try:
            while data := response.read1(65_536):
                self._offset += len(data)
                self._write(data)
        except (OSError, http.client.HTTPException):
            self._client.close()
            time.sleep(AGAIN_S)
            return False
        return True

    def _away(self, response: http.client.HTTPResponse) -> bool:
        """Whether there may be more of this attempt, at an agent that is not connected."""
        if not response.headers.get("X-Cronclave-Log-Missing", "").endswith("-"):
            return False
        task = self._look()[1]
        return any(a["number"] == self._attempt and a["finished"] is None for a in task.get("attempts", ()))

    def _ended(self) -> bool:
        """There is no attempt yet: whether there will be none."""
        run, task = self._look()
        if run["finished"] is not None or (self._round is not None and self._round < task.get("round", 0)):
            return True
        if task.get("finished") is not None:
            return True
        if held := held_up_by(self._client, run, self._task):
            self._say(f"run {self._run} waits for {held}")
        self._wait_s = WAIT_S
        return False

    def _look(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return _told(self._client, self._run, self._task, self._member)

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._note(text)


def show_tasks(
    client: Client, screen: Screen, found: dict[str, Any], names: list[str], attempt: int | None,
    round: int | None, member: str | None,
) -> None:  # fmt: skip
    """What these tasks have written so far, one after the other."""
    for name in names:
        if found["tasks"][name].get("members") and member is None:
            screen.note(divided(found["id"], name))
            continue
        taken = found["tasks"].get(name, {}).get("taken_from")
        whose = "" if taken is None else f", taken over from run {taken}"
        if len(names) > 1:
            screen.heading(f"==> {name}{whose} <==")
        elif whose:
            screen.note(f"{name}{whose}:")
        reading = Reading(
            client, found["id"], name, attempt, write=screen.write, note=screen.note, round=round,
            member=member,
        )  # fmt: skip
        if not reading.now() and len(names) == 1:
            held = held_up_by(client, found, name)
            screen.note(f"nothing has started: it waits for {held}" if held else "nothing has started")
        screen.cut()


def divided(run: int, task: str) -> str:
    """Where the output of its members is."""
    return f"{task} is divided: cronclave run members {run} {task} lists what, --member NAME reads one"


def follow_run(client: Client, screen: Screen, run: int, attempt: int | None) -> None:
    """All tasks' output, in the order in which they begin, each round of it, until the run has ended."""
    done: set[tuple[str, int]] = set()
    noted: set[str] = set()
    said = ""
    began_s, pause_s = time.monotonic(), AGAIN_S
    while True:
        found = client.get(path_of("runs", run))
        for name, task in found["tasks"].items():
            if task.get("members") and name not in noted:
                noted.add(name)
                screen.note(divided(run, name))
        begun = [
            (each["id"], name, each["round"])
            for name, task in found["tasks"].items()
            for each in task["attempts"]
            if (name, each["round"]) not in done
        ]
        if begun:
            _, name, round = min(begun)
            if len(found["tasks"]) > 1:
                screen.heading(f"==> {name}{f', round {round + 1}' if round else ''} <==")
            Reading(client, run, name, attempt, write=screen.write, note=screen.note, round=round).follow()
            screen.cut()
            done.add((name, round))
            began_s, pause_s = time.monotonic(), AGAIN_S
            continue
        if found["finished"] is not None:
            return
        if time.monotonic() - began_s > SAY_S:
            held = held_up_by(client, found, None)
            if held and held != said:
                said = held
                screen.note(f"run {run} waits for {held}")
        time.sleep(pause_s)
        pause_s = min(PAUSE_MAX_S, 1.5 * pause_s)


def _told(
    client: Client, run: int, task: str | None, member: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run, and its task or the member of it that is meant: that may have ended long before the whole, or go
    on behind it."""
    found: dict[str, Any] = client.get(path_of("runs", run))
    whole: dict[str, Any] = found["tasks"].get(task, {})
    if task is None or member is None:
        return found, whole
    items = client.get(path_of("runs", run, "tasks", task, "members", member=member))["items"]
    of: dict[str, Any] = next(iter(items), {})
    return found, {**of, "round": whole["round"], "attempts": [of["attempt"]] if of.get("attempt") else []}


def need_success(
    client: Client, run: int, task: str | None, attempt: int | None, *, round: int | None = None,
    member: str | None = None,
) -> None:  # fmt: skip
    """Raises Failure where what was followed to its end did not succeed."""
    found, of = _told(client, run, task, member)
    what, state, why = f"run {run}", found["state"], found.get("reason")
    if task is not None and of.get("state"):
        what, state, why = f"task {task} of run {run}", of["state"], of.get("reason")
        what = what if member is None else f"member {member} of {what}"
    tries = (of if task is not None else next(iter(found["tasks"].values()), {})).get("attempts", [])
    if round is not None and round < of["round"]:  # the task is told as it is in the newest
        tries = [each for each in tries if each["round"] == round]
        what, state, why = f"round {round + 1} of {what}", "succeeded", None
        if tries:
            state, why = tries[-1]["state"], tries[-1].get("reason")
    meant = [each for each in tries if each["number"] == attempt]
    if meant:
        what, state, why = f"attempt {attempt} of run {run}", meant[0]["state"], meant[0].get("reason")
    if state != "succeeded":
        raise Failure(f"{what} {state}" + (f" ({why})" if why and why != state else ""), code=of_state(state))
