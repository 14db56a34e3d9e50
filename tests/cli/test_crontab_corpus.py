"""Crontabs with the structure of public ones, each line against what Debian's cron did with it.

The files in crontabs/ keep the schedules, forms, spacing and line ends of crontabs that were found in more
than twenty public repositories (three are of their manual's odd corners); users, hosts, paths, commands and
words are others. The tables beside them were made by Debian's own cron (3.0pl1-162), unchanged, with a clock
that goes from minute to minute as fast as it works: see crontabs/record.py. They say what it started
(command, user, stdin, environment, folder, instants, in windows that hold both nights in which Berlin's
clocks change) and what it said where it refused a file.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cli.importing.formats.crontab import CrontabImport, parse_crontab
from scheduler.model import parse_job, prepare
from scheduler.ticks import schedule
from tests.cli.crontabs.record import WINDOWS

FILES = sorted((Path(__file__).parent / "crontabs").glob("*.crontab"))
#: What cron sets itself; the product's tasks have the agent's, and mail is told as left out.
CRONS_OWN = {"HOME": ("/home/", "/root"), "SHELL": ("/bin/sh",)}
_ROW = re.compile(r"(\S+?)(?:/(\d+) x(\d+))?")
CRONS_FOLDER = "/var/spool/cron"  #: where HOME is no folder
LEFT_OUT = ("LOGNAME", "MAILTO")

Doing = tuple[str, str, str, str, tuple[tuple[str, str], ...]]


def imported(file: Path) -> CrontabImport:
    place = f"/etc/cron.d/{file.stem}" if file.stem.endswith("-system") else "crontab"
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    return parse_crontab(text, filename=place, tz="Europe/Berlin", source=file.stem)


def table(file: Path) -> Any:
    return json.loads(file.with_suffix(".json").read_text())


def instants(shown: Mapping[str, list[str]]) -> Iterator[int]:
    for text in (text for texts in shown.values() for text in texts):
        match = _ROW.fullmatch(text)
        assert match is not None
        first, minutes, count = match.groups()
        start = round(datetime.fromisoformat(first).timestamp() * 1000)
        yield from (start + n * int(minutes or 0) * 60_000 for n in range(int(count or 1)))


def done_by_cron(file: Path) -> dict[Doing, list[int]]:
    found: dict[Doing, list[int]] = defaultdict(list)
    for run in table(file)["started"]:
        environment = {
            name: value
            for name, value in run["environment"].items()
            if name not in LEFT_OUT and not value.startswith(CRONS_OWN.get(name, ()))
            if name.isidentifier()  # others are told as lines that cannot be taken
        }
        home = run["environment"]["HOME"]
        assert run["folder"] == (home if " # " not in home else CRONS_FOLDER)
        command = run["command"].strip().removesuffix("\r")
        if command and not run.get("at its start"):
            doing = (run["user"], run["shell"], command, run["stdin"], tuple(sorted(environment.items())))
            found[doing] += instants(run["instants"])
    return found


def due_here(job: Mapping[str, Any]) -> list[int]:
    found: list[int] = []
    for begin, end in WINDOWS.values():
        start, until = (round(datetime.fromisoformat(text).timestamp() * 1000) for text in (begin, end))
        for trigger in prepare(parse_job(dict(job)), start).triggers:
            found += schedule(trigger.spec).between(start - 1, until - 1)
    return found


def done_here(file: Path) -> dict[Doing, list[int]]:
    found: dict[Doing, list[int]] = {}
    for job in imported(file).jobs:
        shell, _, command = job.get("exec", ("/bin/sh", "-c", job.get("run")))
        environment = {
            name: value
            for name, value in job.get("env", {}).items()
            if not value.startswith(CRONS_OWN.get(name, ()))
        }
        assert job.get("cwd") == job.get("env", {}).get("HOME")
        assert job["policies"] == {"overlap": "allow", "catchup": {"mode": "none"}}
        user = job["labels"].get("user", "worker")
        doing = (user, shell, command.strip(), job.get("stdin", ""), tuple(sorted(environment.items())))
        assert doing not in found
        found[doing] = due_here(job)
    return found


TAKEN = [file for file in FILES if not table(file)["said"]]
REFUSED = [file for file in FILES if table(file)["said"]]


@pytest.mark.parametrize("file", TAKEN, ids=lambda file: file.stem)
def test_each_line_does_what_it_did_under_debians_cron(file: Path) -> None:
    there, here = done_by_cron(file), done_here(file)
    made_up = {line.text for line in imported(file).notes if "makes up each" in line.reason}

    assert {doing for doing, due in here.items() if due} == set(there)
    for doing, due in there.items():
        more = Counter(due) - Counter(here[doing])
        # Of several times in the gap cron makes up each, a job one: a trigger has one tick an instant.
        is_told = set(more) <= set(here[doing]) and any(doing[2] in text for text in made_up)
        assert not more or is_told, doing
        assert not Counter(here[doing]) - Counter(due), doing


@pytest.mark.parametrize("file", TAKEN, ids=lambda file: file.stem)
def test_what_ran_only_at_its_start_or_did_nothing_is_told_by_line(file: Path) -> None:
    started = table(file)["started"]
    result = imported(file)
    said = [problem.reason for problem in result.problems]
    notes = [note.reason for note in result.notes]

    at_start = sum("at its start" in run for run in started)
    assert sum("@reboot names no instant" in text for text in said) == at_start
    assert any("command is missing" in text for text in said) is any(not run["command"] for run in started)
    assert any(text.startswith("MAILTO") for text in notes) is any(
        "MAILTO" in run["environment"] for run in started
    )
    assert any("CR LF" in text for text in notes) is any(run["command"].endswith("\r") for run in started)
    assert not any("refuses the whole file" in text for text in notes)


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.stem)
def test_a_file_that_debians_cron_refuses_is_told_to_be_one(file: Path) -> None:
    assert table(file)["started"] == []
    if "bad username" in table(file)["said"][0]:
        return  # whether a user exists is known on that host only
    assert any("refuses the whole file" in note.reason for note in imported(file).notes)


def test_the_corpus_holds_what_it_is_there_for() -> None:
    assert len(FILES) >= 20
    assert len(REFUSED) >= 5
    commands = [run for file in FILES for run in table(file)["started"]]
    assert any(run["stdin"] for run in commands)
    assert any("at its start" in run for run in commands)
    assert {run["user"] for run in commands} >= {"root", "worker", "www-data"}
    assert all(set(run["instants"]) <= set(WINDOWS) for run in commands)
