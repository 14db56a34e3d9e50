"""`cronclave top`: what a frame says, at any width, and a terminal that is left as it was found."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from io import StringIO
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from api.agents.gateway import Gateway
from api.app import create_app
from api.ports import ApiSettings
from cli.top.frame import KEYS, VIEWS, fitted, frame
from cli.top.looks import Look
from scheduler.words.commands import ConnectAgent
from tests.api.served import served
from tests.api.single_node import ADMIN_TOKEN, SingleNode, peer
from tests.cli.conftest import DEADLINE_S, PROJECT, Command
from tests.scheduler.story import KINDS

ITEM = {
    "job": "nightly-report", "namespace": "data", "why": "its last 3 runs failed", "command": "cronclave"
    " run logs 17",
}  # fmt: skip
PATIENT = {"CRONCLAVE_RETRY": "50s"}  #: a machine with much else to do answers, too
NONE: dict[str, Any] = {"count": 0, "more": False, "items": []}
LOOK = Look(
    cluster={
        "node": "node-1", "zone": "zone-a", "leader": "node-1", "quorum": True, "epoch": 7,
        "peers": [
            {"node": "node-2", "zone": "zone-b", "reachable": False, "voter": True},
            {"node": "node-3", "zone": "zone-c", "reachable": True, "voter": False},
        ],
    },
    overview={
        "at": "2026-11-29T12:00:10Z",
        "late": NONE, "waiting": NONE, "unreachable": NONE,
        "failing": {"count": 1000, "more": True, "items": [ITEM]},
        "runs": {"running": 1, "pending": 2},
        "zones": [{"zone": "zone-a", "agents": 2, "connected": 1, "draining": 0, "slots": 4, "busy": 2}],
        "pauses": [{"namespace": None, "reason": "the database is moved", "since": "", "until": None}],
        "overload": {"since": "2026-11-29T11:00:00Z"},
        "outbox": {"waiting": 0, "given_up": 3, "oldest": None},
    },
    runs=[
        {
            "id": 42, "job": "backup", "namespace": "default",
            "started": "2026-11-29T11:58:10Z", "cause": "tick",
            "tick": "2026-11-29T11:58:10Z",
        }
    ],
)  # fmt: skip


def drawn(look: Look, width: int = 100, *, height: int | None = None, **more: Any) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    what = frame(look, width=width, **more)
    console.print(what if height is None else fitted(console, what, height))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_a_frame_says_it_all_in_words() -> None:
    text = "\n".join(drawn(LOOK))

    for said in (
        "12:00:10Z", "node-1 (zone-a, leader)", "node-2 (zone-b, OUT OF REACH)", "node-3 (zone-c, no vote"
        " yet)",
        "node-1 leads, epoch 7", "failing 1000+", "late 0", "running 1  pending 2", "everything: the"
        " database is moved",
        "OVERLOADED since", "3 notices were given up", "data/nightly-report: its last 3 runs failed",
        "→ cronclave run logs 17", "backup", "2m", "1 of 2", "2 of 4", "##########..........",
    ):  # fmt: skip
        assert said in text, said


@pytest.mark.parametrize("width", [20, 38, 71, 72, 200])
def test_it_fits_the_width(width: int) -> None:
    lines = drawn(LOOK, width)

    assert max(map(len, lines)) <= width
    assert any("backup" in line for line in lines)


@pytest.mark.parametrize("view", VIEWS)
def test_one_part_alone(view: str) -> None:
    text = "\n".join(drawn(LOOK, view=view))

    assert ("look at first" in text) == (view in ("all", "attention"))
    assert ("running now" in text) == (view in ("all", "runs"))
    assert ("agents by zone" in text) == (view in ("all", "zones"))


def test_what_does_not_fit_is_said() -> None:
    lines = drawn(LOOK, height=8)

    assert len(lines) == 8
    assert "more lines" in lines[-1]
    assert len(drawn(LOOK, height=500)) == len(drawn(LOOK))


def test_an_empty_cluster_and_one_without_a_quorum_are_readable() -> None:
    lost = Look(cluster={**LOOK.cluster, "quorum": False, "leader": None}, trouble="no node answers")
    text = "\n".join(drawn(lost, old_s=12.0))

    assert "NO QUORUM" in text
    assert "NO ANSWER, this is 12 s old: no node answers" in text
    assert "nothing" in text


def test_no_name_of_a_stranger_drives_the_terminal() -> None:
    evil = {**ITEM, "job": "a\x1b[2Jb[red]c", "why": "\x1b]0;title\x07", "command": "x\x9b2J"}
    look = Look(LOOK.cluster, {**LOOK.overview, "failing": {"count": 1, "more": False, "items": [evil]}}, [])
    text = "\n".join(drawn(look))

    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    assert "b[red]c" in text


async def test_once_prints_a_frame_into_a_pipe(cronclave: Command, node: SingleNode) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1", "node-2", KINDS))
    await cronclave("job", "apply", "-", stdin="job: backup\nrun: 'true'\non: {pool: gpu}\n")
    await cronclave("job", "run", "backup")

    result = await cronclave("top", "--once", "--width", "60", **PATIENT)

    assert result.code == 0, result.err
    assert "\x1b" not in result.out
    assert "node-1 leads" in result.out
    assert "zone-a" in result.out
    assert "pool gpu" in result.out
    assert max(map(len, result.out.splitlines())) <= 60


async def test_no_quorum_is_shown_and_is_an_exit_code(cronclave: Command, node: SingleNode) -> None:
    node.quorum, node.leader, node.peers = False, "", (peer("node-2", "zone-b", reachable=False),)

    result = await cronclave("top", "--once", **PATIENT)

    assert result.code == 6
    assert "NO QUORUM" in result.out
    assert "OUT OF REACH" in result.out


async def test_what_makes_no_sense_is_refused(cronclave: Command, offline: Command) -> None:
    assert "--once" in (await cronclave("top")).err
    assert (await cronclave("top", "--width", "50")).code == 2
    assert (await cronclave("top", "--once", "--width", "3")).code == 2
    assert (await cronclave("top", "--interval", "never")).code == 2
    assert (await offline("top", "--once", "--url", "http://127.0.0.1:24998")).code == 6
    assert (await offline("top", "--once")).code == 2


class Terminal:
    """A pseudo-terminal with `cronclave top` on it."""

    def __init__(self, command: Command, **environment: str) -> None:
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.text = ""
        termios.tcsetwinsize(self.theirs, (40, 100))
        told = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "PYTHONPATH": str(PROJECT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "top", "--interval", "100ms"],
            cwd=command.folder, env={**told, **command.environment, **PATIENT, **environment},
            stdin=self.theirs, stdout=self.theirs, stderr=self.theirs, start_new_session=True,
        )  # fmt: skip

    def press(self, key: str) -> None:
        os.write(self.ours, key.encode())

    def until(self, text: str) -> None:
        """Read until it has shown this; what comes after is for the next question."""
        deadline = time.monotonic() + DEADLINE_S
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            if wait([self.ours], 0.2):
                self.text += os.read(self.ours, 65_536).decode(errors="replace")
        self.text = self.text.partition(text)[2]

    def end(self) -> int:
        """What it left with, its terminal as it was before."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            if wait([self.ours], 0.2):
                self.text += os.read(self.ours, 65_536).decode(errors="replace")
        while wait([self.ours], 0):
            self.text += os.read(self.ours, 65_536).decode(errors="replace")
        assert termios.tcgetattr(self.theirs) == self.before
        assert self.text.rfind("\x1b[?1049l") > self.text.rfind("\x1b[?1049h"), "the other screen is left"
        assert self.text.rfind("\x1b[?25h") > self.text.rfind("\x1b[?25l"), "the cursor is back"
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda terminal: terminal.press("q"), 0),
        (lambda terminal: terminal.process.send_signal(signal.SIGINT), 0),
        (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 128 + signal.SIGTERM),
    ],
    ids=["q", "Ctrl-C", "SIGTERM"],
)
async def test_the_terminal_is_left_as_it_was(
    cronclave: Command, end: Callable[[Terminal], None], code: int
) -> None:
    terminal = Terminal(cronclave)

    def story() -> int:
        terminal.until("node-1 leads")
        terminal.press("\t")
        terminal.until("look at first")
        terminal.press(" ")
        terminal.until("HELD")
        terminal.press("\x1b[A")  # an arrow means nothing
        terminal.press(" ")
        terminal.until(KEYS)
        end(terminal)
        return terminal.end()

    try:
        assert await asyncio.to_thread(story) == code
    finally:
        terminal.close()


async def test_it_goes_on_when_nobody_answers_any_more(node: SingleNode, tmp_path: Path) -> None:
    settings = ApiSettings(insecure=False)
    app = create_app(node, settings, Gateway(node, settings))
    async with served(app) as url:
        told = {"CRONCLAVE_URL": url, "CRONCLAVE_TOKEN": ADMIN_TOKEN}
        terminal = Terminal(Command(tmp_path), **told)
        try:
            await asyncio.to_thread(terminal.until, "node-1 leads")
        except BaseException:
            terminal.close()
            raise
    try:
        await asyncio.to_thread(terminal.until, "NO ANSWER")
        terminal.press("q")
        assert await asyncio.to_thread(terminal.end) == 0
    finally:
        terminal.close()
