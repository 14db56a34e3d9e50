"""`cronclave import FORMAT`: what it prints, writes, sends and ends with."""

from __future__ import annotations

import json

import pytest

from cli.importing.formats import FORMATS
from tests.cli.conftest import Command

DKRON = """\
[
{"name": "a", "schedule": "0 0 3 * * *", "timezone": "Europe/Berlin", "executor_config": {"command": "date"}},
{"name": "b", "schedule": "0 3 * * *", "executor_config": {"command": "date"}}
]
"""


async def test_it_prints_a_file_and_tells_by_line_what_was_not_taken(cronclave: Command) -> None:
    printed = await cronclave("import", "dkron", "-", "--source", "prod", stdin=DKRON)

    assert printed.code == 0
    assert "(stdin):3: not taken: '0 3 * * *' has 5 fields" in printed.err
    assert "1 job, 1 item not taken" in printed.err
    applied = await cronclave("job", "apply", "-", stdin=printed.out)
    assert "1 created" in applied.out
    again = await cronclave("import", "dkron", "-", "--source", "prod", "--apply", stdin=DKRON)
    assert "1 unchanged" in again.out


async def test_strict_sends_and_writes_nothing_where_something_is_not_taken(cronclave: Command) -> None:
    for more in ([], ["--apply"], ["--into", "jobs"]):
        result = await cronclave("import", "dkron", "-", "--strict", *more, stdin=DKRON)
        assert (result.code, result.out) == (1, "")
    assert json.loads((await cronclave("job", "list", "-o", "json")).out) == []
    assert not (cronclave.folder / "jobs").exists()


async def test_a_folder_gets_a_file_for_each_job_if_it_is_empty(offline: Command) -> None:
    written = await offline(
        "import", "dkron", "-", "--into", "jobs", "-n", "ops", "--pool", "db", stdin=DKRON
    )
    again = await offline("import", "dkron", "-", "--into", "jobs", stdin=DKRON)

    assert written.code == 0
    text = (offline.folder / "jobs" / "a.yaml").read_text()
    assert "namespace: ops" in text
    assert "pool: db" in text
    assert again.code == 2
    assert "not an empty folder" in again.err


async def test_what_left_the_source_is_named_and_pruned_when_that_is_said(cronclave: Command) -> None:
    words = ["import", "dkron", "-", "--source", "prod", "--apply"]
    both = DKRON.replace('"0 3 * * *"', '"0 0 4 * * *"')
    await cronclave(*words, stdin=both)

    left = await cronclave(*words, stdin=DKRON)
    pruned = await cronclave(*words, "--prune", stdin=DKRON)

    assert "1 job left the source, and it still runs: --prune deletes" in left.err
    assert "- default/b  deleted" in pruned.out
    assert [job["job"] for job in json.loads((await cronclave("job", "list", "-o", "json")).out)] == ["a"]


async def test_a_job_of_that_name_which_came_from_elsewhere_is_left_alone(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nrun: mine\n")
    for words in (["--source", "prod", "--apply"], ["--apply"], ["--source", "prod", "--dry-run"]):
        result = await cronclave("import", "dkron", "-", *words, stdin=DKRON)
        assert result.code == 2
        assert "nothing was sent" in result.err
    job = json.loads((await cronclave("job", "get", "a", "-o", "json")).out)
    assert job["tasks"]["main"]["run"] == "mine"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["dkron", "gone.json"], 2, "gone.json cannot be read"),
        (["dkron", "-", "--tz", "Mars/Base"], 2, "unknown time zone"),
        (["dkron", "-", "--into", "x", "--apply"], 2, "give one of them"),
        (["dkron", "-", "--prune"], 2, "--prune goes with --apply"),
        (["dkron", "."], 2, "no files in ."),
        (["anacron", "."], 2, ". is a folder"),
        (["dkron", "bad.txt"], 1, "bad.txt:2: the byte 0xE9 is no UTF-8"),
        (["jobscheduler", "-"], 1, "(stdin):1:1: not valid XML"),
        (["dkronn", "-"], 2, "Did you mean 'dkron'?"),
    ],
)
async def test_wrong_words_and_bad_files(words: list[str], code: int, said: str, offline: Command) -> None:
    (offline.folder / "bad.txt").write_bytes(b"[\n\xe9]")
    result = await offline("import", *words, stdin=DKRON)
    assert (result.code, result.out) == (code, "")
    assert said in result.err


async def test_a_folder_is_read_for_its_files_of_the_format(offline: Command) -> None:
    units = offline.folder / "units"
    units.mkdir()
    (units / "a.timer").write_text("[Timer]\nOnCalendar=daily\n")
    (units / "a.service").write_text("[Service]\nExecStart=/bin/x\n")
    (units / "README").write_text("no unit")
    result = await offline("import", "systemd", "units", "--tz", "Europe/Berlin")
    assert "cron: 0 0 * * *" in result.out
    assert "1 job, 0 items not taken" in result.err


async def test_each_format_has_a_command_and_a_module(offline: Command) -> None:
    told = (await offline("import", "--help")).out
    for name, kind in FORMATS.items():
        assert name in told
        assert kind.what.split()[0] in told
