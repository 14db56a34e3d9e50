"""No text of a job or a stranger drives the terminal that it is shown on."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.terminal import ByteSieve, Sieve, escaped_json, plain
from scheduler.store.reads import attempts as attempt_reads
from scheduler.words.commands import ConnectAgent, Finish, Grant
from tests.api.single_node import SingleNode
from tests.cli.conftest import DEADLINE_S, PROJECT, Command
from tests.scheduler.story import KINDS

#: What a terminal may get, and nothing else: letters, line ends, tabs, and whole colours.
HARMLESS = re.compile("(?:\x1b\\[[0-9;:]*m|[^\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069])*")
PIECES = st.sampled_from(
    [
        "\x1b", "\x1b[", "\x9b", "\x1b]", "\x9d", "\x1bP", "\x90", "\x1b_", "\x1b\\", "\x9c", "\x07", "\x08",
        "\r", "\n", "\r\n", "\t", "\0", "\x7f", "\x18", "31", ";", ":", "?", "m", "H", "2J", "0;title", "a",
        "ä", "\U0001f600", "\u202e", " ", "#", "(0", "c", "\x1b[1;31m", "\x1b[m", "\x1b]52;c;cm0=\x07",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES).map("".join))


def sieved(*parts: str, colours: bool = True) -> str:
    sieve = Sieve(colours=colours)
    return "".join([*(sieve.feed(part) for part in parts), sieve.end()])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 漢 \U0001f600\n\ttab\n", "plain ä 漢 \U0001f600\n\ttab\n"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[38:2::1:2:3mtrue\x1b[m", "\x1b[38:2::1:2:3mtrue\x1b[m"),
        ("\x9b32mC1\x9b0m", "\x1b[32mC1\x1b[0m"),
        ("\x1b[31mleft on", "\x1b[31mleft on\x1b[0m"),
        ("a\x1b[2J\x1b[10;10Hb", "ab"),
        ("a\x1b[?1049hb", "ab"),
        ("a\x1b[>4;1mb", "ab"),
        ("a\x1b[6nb", "ab"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]52;c;cm0gLXJmIC8=\x1b\\b", "ab"),
        ("\x1b]8;;http://evil\x1b\\good\x1b]8;;\x1b\\", "good"),
        ("a\x9d0;title\x9cb", "ab"),
        ("a\x1bP1$r0m\x1b\\b", "ab"),
        ("a\x1b_private\x1b\\b\x1b^x\x1b\\c\x1bXy\x1b\\d", "abcd"),
        ("a\x1bcb\x1b7c\x1b(0d\x1b#8e", "abcde"),
        ("hidden\rseen\n", "hidden\nseen\n"),
        ("dos\r\nlines\r\r\n", "dos\nlines\n"),
        ("10%\r20%\r", "10%\n20%\n"),
        ("a\x08\x07\0\x7fb\x0cc", "ab\nc"),
        ("user\u202egnp.exe\u2066", "usergnp.exe"),
        ("\x1b]never ended\nnext line", "\nnext line"),
        ("\x1b[" + "1;" * 5_000 + "mlong", "1;" * 5_000 + "mlong"),
    ],
)
def test_colours_stay_and_what_drives_the_terminal_goes(text: str, shown: str) -> None:
    assert sieved(text) == shown


def test_no_color_drops_the_colours_too() -> None:
    assert sieved("\x1b[31mred\x1b[0m\x1b[2J", colours=False) == "red"
    assert plain("\x1b[31mred\n") == "red\n"


@given(TEXTS)
@example("\x1b[\x1b[31m\x1b]\x1b[2J")
def test_nothing_but_letters_line_ends_and_whole_colours_is_left(text: str) -> None:
    assert HARMLESS.fullmatch(sieved(text))
    assert "\x1b" not in sieved(text, colours=False)


@given(st.lists(TEXTS, max_size=6))
@example(["\x1b", "]0;t", "itle\x1b", "\\seen"])
@example(["a\r", "\nb"])
def test_a_sequence_cut_by_chunks_is_the_same_sequence(parts: list[str]) -> None:
    assert sieved(*parts) == sieved("".join(parts))


@given(TEXTS, st.integers(0, 50))
def test_bytes_may_be_cut_within_a_letter(text: str, cut: int) -> None:
    data = text.encode()
    sieve = ByteSieve()

    shown = sieve.feed(data[:cut]) + sieve.feed(data[cut:]) + sieve.end()

    assert shown.decode() == sieved(text)


@given(TEXTS)
def test_what_is_harmless_is_not_touched(text: str) -> None:
    once = sieved(text)

    assert sieved(once).removesuffix("\x1b[0m") == once.removesuffix("\x1b[0m")


def test_of_an_endless_string_next_to_nothing_is_kept() -> None:
    sieve = Sieve()
    sieve.feed("\x1b]52;c;")
    for _ in range(1_000):
        assert sieve.feed("A" * 1_000) == ""

    assert len(sieve._held) < 10


@given(st.dictionaries(TEXTS, TEXTS))
def test_json_stays_the_same_document(document: dict[str, str]) -> None:
    text = escaped_json(json.dumps(document, ensure_ascii=False, indent=2))

    assert json.loads(text) == document
    assert HARMLESS.fullmatch(text)


# -- the command on a terminal ------------------------------------------------------------------------------

EVIL = "\x1b[32mgood\x1b[0m \x1b]0;owned\x07\x1b[2J\x9b5n\u202eend\x9d52;c;x\x9c.".encode()


async def ended_run(cronclave: Command, node: SingleNode, output: bytes) -> str:
    """The id of a run that an agent has ended with that output."""
    hello = ConnectAgent(
        name="agent-1", installation="i", session="s", boot_id="b", zone="zone-a", pool="default",
        labels=b"{}", slots=4, version="0.1.0", node="node-2", kinds=KINDS,
    )  # fmt: skip
    connected = node.apply(hello)[0]
    assert connected.ok
    agent = int(str((connected.value or {})["agent"]))
    await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\n")
    started = await cronclave("job", "run", "a", "-o", "json")
    run = int(json.loads(started.out)["id"])
    with node.read() as store:
        attempt = attempt_reads.of_runs(store, [run])[0].attempt.id
    now = node.now_ms()
    assert node.apply(Grant(attempt, agent, "s", "c"))[0].ok
    assert node.apply(Finish(attempt, agent, now, now + 5, 0, "exit", tail=output))[0].ok
    return str(run)


async def on_a_terminal(command: Command, *arguments: str, **environment: str) -> bytes:
    """What the command writes on a terminal of its own."""
    ours, theirs = pty.openpty()
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("CRONCLAVE_", "NO_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", *arguments, stdin=theirs, stdout=theirs, stderr=theirs,
        cwd=command.folder,
        env={**inherited, "PYTHONPATH": str(PROJECT), "TERM": "xterm", **command.environment, **environment},
    )  # fmt: skip
    os.close(theirs)
    shown = b""

    def read() -> bytes:
        try:
            return os.read(ours, 65_536)
        except OSError:  # the last one has closed it
            return b""

    async with asyncio.timeout(DEADLINE_S):
        while data := await asyncio.to_thread(read):
            shown += data
        await process.wait()
    os.close(ours)
    return shown.replace(b"\r\n", b"\n")


async def test_run_logs_shows_a_terminal_text_and_colours_alone(cronclave: Command, node: SingleNode) -> None:
    run = await ended_run(cronclave, node, EVIL)

    shown = await on_a_terminal(cronclave, "run", "logs", run)
    without = await on_a_terminal(cronclave, "run", "logs", run, NO_COLOR="1")
    raw = await on_a_terminal(cronclave, "run", "logs", run, "--raw")

    assert shown == b"\x1b[32mgood\x1b[0m end."
    assert without == b"good end."
    assert raw == EVIL


async def test_run_logs_gives_a_pipe_every_byte(cronclave: Command, node: SingleNode) -> None:
    run = await ended_run(cronclave, node, EVIL)

    piped = await cronclave("run", "logs", run)
    asked = await cronclave("run", "logs", run, "--no-raw")

    assert piped.out.encode() == EVIL
    assert asked.out == "\x1b[32mgood\x1b[0m end."


async def test_no_other_text_of_strangers_drives_the_terminal(cronclave: Command, node: SingleNode) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b5n\u202e"
    hello = ConnectAgent(
        name=f"agent{evil}", installation="i", session="s", boot_id="b", zone=evil, pool=f"p{evil}",
        labels=json.dumps({evil: evil}).encode(), slots=4, version=evil, node="node-2", kinds=KINDS,
    )  # fmt: skip
    assert node.apply(hello)[0].ok

    connects = ("events", "--after", "0.0", "--count", "1", "--types", "agent_connected")
    for words in (
        ("agents", "list"), ("agents", "list", "-o", "json"), ("agents", "list", "-o", "yaml"),
        ("agents", "show", f"agent{evil}"), ("agents", "show", f"nobody{evil}"),
        (*connects,), (*connects, "-o", "json"),
    ):  # fmt: skip
        shown = (await on_a_terminal(cronclave, *words)).decode()

        assert HARMLESS.fullmatch(shown), (words, shown)
        assert "agent" in shown or "nobody" in shown
