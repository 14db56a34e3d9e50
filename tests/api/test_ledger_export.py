"""The ledger taken out, and the checker of docs/guides/ledger.md over it: it accepts what the product wrote,
and sees whatever was done to it since."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import exporting
from api.instants import rfc3339
from scheduler.store.state import LEDGER_START
from scheduler.store.tables.ledger import Entry, chain
from scheduler.words.commands import Account, Fire
from tests.api.single_node import SingleNode
from tests.api.working import connect, every_second, must, run_it

ROOT = Path(__file__).parents[2]
CHECKER = ROOT / "docs/examples/ledger/check.py"
Line = dict[str, Any]


def checked(lines: list[Line], *head: str) -> tuple[bool, str]:
    """What the checker says, with nothing but the standard library in its reach."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    command = [sys.executable, "-I", "-S", str(CHECKER), *head]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.returncode == 0, done.stdout


def chained(entries: list[Entry]) -> list[Line]:
    head, lines = LEDGER_START, []
    for seq, entry in enumerate(entries, 1):
        numbered = entry._replace(seq=seq)
        head = chain(head, numbered)
        lines.append({**numbered._asdict(), "hash": head.hex()})
    return lines


def written_anew(lines: list[Line]) -> list[Line]:
    """By somebody who knows how the hashes are made."""
    return chained([Entry(*(line[name] for name in Entry._fields)) for line in lines])


def entry(number: int, **said: Any) -> Entry:
    plain = Entry(
        seq=0, job=1, trigger=7, kind="tick", key="", first_ms=number * 1_000, last_ms=number * 1_000,
        ticks=1, outcome="ran", reason="", run=number, into_ms=None, decided_ms=number * 1_000, epoch=1,
        idx=number, tzdata="2026a",
    )  # fmt: skip
    return plain._replace(**said)


LEDGER = chained(
    [
        entry(1),
        entry(2, outcome="skipped", reason="overlap", run=1),
        entry(3, last_ms=9_000, ticks=7, outcome="coalesced", reason="catchup", into_ms=10_000),
        entry(10),
        entry(11, trigger=8, kind="notice", key="hear/stock/1", run=5),
        entry(12, trigger=8, kind="notice", key="hear/stock/2", run=6),
        entry(10, trigger=9),
    ]
)


async def test_what_a_node_exports_is_whole_to_the_checker(
    client: httpx2.AsyncClient, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger, first = await every_second(client, node, overlap="allow")
    agent, epoch = connect(node), node.machine.state.epoch
    run_it(node, must(node, Fire(epoch, trigger.id, first, first + 1_000, agent))["run"], agent)
    for start in (first + 1_000, first + 21_000):
        missed = (start, start + 19_000, 20, start + 20_000, "missed", "window")
        must(node, Account(epoch, trigger.id, *missed))

    monkeypatch.setattr(exporting, "EXPORT_MAX", 2)  # lines of one reply
    lines: list[Line] = []
    while True:
        reply = await client.get(f"/v1/ledger/export?after={len(lines)}")
        assert reply.headers["content-type"].startswith("application/jsonl")
        if not reply.text:
            break
        lines += [json.loads(line) for line in reply.text.splitlines()]
    assert [(line["seq"], line["outcome"], line["ticks"]) for line in lines] == [
        (1, "ran", 1), (2, "missed", 20), (3, "missed", 20),
    ]  # fmt: skip
    assert {(line["namespace"], line["job_name"], line["trigger_id"]) for line in lines} == {
        ("default", "job", "t")
    }
    proof = await client.get("/v1/ledger/verify", params={"from": rfc3339(first - 1)})
    head = proof.json()["ledger_head"]
    whole, said = checked(lines, head[:16])
    assert whole, said
    assert f"3 entries, one outcome each, the chain is whole; head {head}" in said


@settings(max_examples=5)
@given(
    st.lists(
        st.builds(
            entry, st.integers(0, 1 << 40), kind=st.text(max_size=40),
            key=st.text("aé€/", min_size=1, max_size=300),
            first_ms=st.integers(-(1 << 63), (1 << 63) - 1), run=st.integers(0, (1 << 64) - 1),
            into_ms=st.none() | st.integers(-200, 70_000),
            epoch=st.sampled_from([127, 128, 255, 256, 65_535, 65_536]),
        ),
        min_size=40, max_size=60, unique_by=lambda each: (each.kind, each.key),
    )
)  # fmt: skip
def test_whatever_an_entry_holds_the_checker_packs_it_as_the_product(entries: list[Entry]) -> None:
    whole, said = checked(chained(entries))
    assert whole, said


def _without(*seqs: int) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [line for line in lines if line["seq"] not in seqs]


def _with(seq: int, **said: Any) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [{**line, **said} if line["seq"] == seq else line for line in lines]


HEAD = LEDGER[-1]["hash"]
TAMPERED: dict[str, tuple[Callable[[list[Line]], list[Line]], str]] = {
    "another outcome": (_with(2, outcome="ran", reason=""), "entry 2: its hash"),
    "another instant": (_with(4, first_ms=10_500, last_ms=10_500), "entry 4: its hash"),
    "another run": (_with(1, run=99), "entry 1: its hash"),
    "fewer ticks in a range": (_with(3, ticks=6), "entry 3: its hash"),
    "decided at another time": (_with(5, decided_ms=1), "entry 5: its hash"),
    "one taken out": (_without(2), "entry 3 stands behind entry 1"),
    "the first ones cut off": (_without(1, 2), "entry 3 stands behind entry 0"),
    "the last ones cut off": (_without(6, 7), f"no entry has the hash {HEAD}"),
    "two changed places": (
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "entry 3 stands behind entry 1",
    ),
    "one written twice": (lambda lines: [*lines[:2], *lines[1:]], "entry 2 stands behind entry 2"),
    "a hash of its own": (_with(7, hash="00" * 32), "entry 7: its hash"),
    "all written anew": (
        lambda lines: written_anew(_with(2, outcome="ran", reason="")(lines)),
        f"no entry has the hash {HEAD}",
    ),
    "a second outcome of a tick, written anew": (
        lambda lines: written_anew([*lines, {**lines[0], "outcome": "skipped"}]),
        "entries 1 and 8 are two outcomes of one",
    ),
    "a tick out of the midst of a range, written anew": (
        lambda lines: written_anew([*lines, {**lines[0], "first_ms": 5_000, "last_ms": 5_000}]),
        "entries 3 and 8 are two outcomes of one",
    ),
    "an event that fired twice, written anew": (
        lambda lines: written_anew([*lines, {**lines[4], "run": 9}]),
        "entries 5 and 8 are two outcomes of one",
    ),
}  # fmt: skip


def test_the_untouched_one_is_whole() -> None:
    assert checked(LEDGER, HEAD)[0]
    assert checked(LEDGER, LEDGER[3]["hash"])[0], "a head of an earlier day"


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_was_done_to_it_is_seen(what: str) -> None:
    tamper, said = TAMPERED[what]
    whole, told = checked(tamper(LEDGER), HEAD)
    assert not whole, told
    assert said in told


@pytest.mark.parametrize("line", ['{"seq": 8, "jo', "[]", "", "{}", '{"seq": 8}', "\x7fELF"])
def test_what_is_no_entry_is_told_in_a_sentence(line: str) -> None:
    text = "".join(json.dumps(each) + "\n" for each in LEDGER) + line + "\n"
    command = [sys.executable, "-I", "-S", str(CHECKER)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "behind entry 7 stands what is no entry, or not the whole of one\n"


@pytest.mark.parametrize("field", ["kind", "run", "key"])
@pytest.mark.parametrize("value", [9e99, 1 << 80, -1 << 80, [], {}])
def test_a_value_that_no_entry_has_is_told_so_too(field: str, value: object) -> None:
    line = json.dumps({**LEDGER[0], field: value}) + "\n"
    command = [sys.executable, "-I", "-S", str(CHECKER)]
    done = subprocess.run(command, input=line, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_head_is_read_in_capitals_too() -> None:
    assert checked(LEDGER, HEAD[:16].upper())[0]


def test_the_checker_is_short_and_needs_nothing_but_python() -> None:
    text = CHECKER.read_text()
    assert len(text.splitlines()) <= 50
    imports = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imports <= sys.stdlib_module_names
    assert text in (ROOT / "docs/guides/ledger.md").read_text()
