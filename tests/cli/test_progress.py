"""Long work shows how far it is on a terminal, and nothing anywhere else."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait

import pytest

from cli import ledger
from cli.client import Client
from cli.ledger import words
from cli.progress import bar, waiting
from cli.target import Target
from tests.cli.conftest import DEADLINE_S, Command


class Screen:
    """Standard error is a pseudo-terminal."""

    def __init__(self) -> None:
        self.ours, theirs = pty.openpty()
        self.stream = os.fdopen(theirs, "w")
        self.text = ""

    def until(self, text: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            self.read(0.1)

    def read(self, seconds: float = 0.0) -> str:
        self.stream.flush()
        while wait([self.ours], seconds):
            self.text += os.read(self.ours, 65_536).decode()
            seconds = 0.0
        return self.text


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch, term: str = "xterm") -> Iterator[Screen]:
    """Within a test: between a test and its fixtures pytest sets standard error anew."""
    found = Screen()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", found.stream)
        patch.setenv("TERM", term)
        yield found
    found.stream.close()
    os.close(found.ours)


def test_a_bar_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(monkeypatch) as screen:
        with bar("sending\x1b[2J jobs", 4, say_s=0.0) as step:
            step(1)
            screen.until(" 25%")
            step(2)
            screen.until(" 75%")
            step(1)

        screen.until("100%")
        screen.until("\x1b[?25h")
        assert "\x1b[2J" not in screen.text


def test_a_bar_whose_work_fails_leaves_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(monkeypatch) as screen:
        with suppress(ValueError), bar("jobs", 4, say_s=0.0) as step:
            step(1)
            raise ValueError("broken")

        screen.until("\x1b[?25l")
        screen.until("\x1b[?25h")


def test_waiting_tells_how_long_it_takes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(monkeypatch) as screen:
        with waiting("checking", say_s=0.01):
            screen.until("checking … ")

        screen.until("\r\x1b[K")


def test_how_far_it_is_is_told_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(monkeypatch) as screen, waiting("checking", far=lambda: "half\x1b[2J of it", say_s=0.01):
        screen.until("half")
        screen.until("of it")
        assert "\x1b[2J" not in screen.text


def test_a_proof_of_the_ledger_tells_how_far_it_is() -> None:
    proof = {"from": "a", "to": "b", "began": True, "checked": 1200, "entries": 3000, "due": 7}

    assert words([proof], ("a", "b")) == "1,200 of 3,000 entries, 7 ticks"
    assert words([{**proof, "began": False}], ("a", "b")) == "another proof comes first"
    assert words([proof], ("a", "c")) == words([], ("a", "b")) == ""


async def test_how_far_is_asked_of_the_node_that_is_at_work(cronclave: Command) -> None:
    """And is as good as not asked where nobody answers."""
    told = cronclave.environment
    here = Target((told["CRONCLAVE_URL"],), told["CRONCLAVE_TOKEN"], "a test")

    for target in (here, here.at("http://127.0.0.1:24998")):
        assert await asyncio.to_thread(ledger.how_far, Client(target), ("a", "b")) == ""


def test_what_is_over_soon_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(monkeypatch) as screen:
        with bar("jobs", 4, say_s=3600.0) as step:
            step(4)
        with bar("nothing", 0, say_s=0.0) as step:
            step(1)

        assert screen.read() == ""


def test_a_terminal_that_can_nothing_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(monkeypatch, "dumb") as screen:
        with waiting("checking", say_s=0.0), bar("jobs", 4, say_s=0.0) as step:
            step(2)

        assert screen.read() == ""


def test_pipes_and_files_get_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("checking", say_s=0.0), bar("jobs", 4, say_s=0.0) as step:
        step(2)

    assert capsys.readouterr() == ("", "")
