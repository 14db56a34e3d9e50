"""Each page of docs/coming-from is gone through as its reader would: the files that it shows are written, its
commands run in their order against a node, and what it shows of their output is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Command

PAGES = sorted((Path(__file__).parents[2] / "docs" / "coming-from").glob("*.md"))
FILE = re.compile(r"^`([\w./-]+)`:\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ {4}\$ (cronclave .*)\n((?: {4}[^$\s].*\n)*)", re.MULTILINE)
BY_HAND = {"README.md"}  #: it shows no commands of one system


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_its_commands_do_what_it_says(page: Path, cronclave: Command) -> None:
    text = page.read_text()
    for name, content in FILE.findall(text):
        (cronclave.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (cronclave.folder / name).write_text(content)
    commands = COMMAND.findall(text)
    assert bool(commands) is (page.name not in BY_HAND)
    for line, shown in commands:
        result = await cronclave(*shlex.split(line)[1:])
        assert result.code == 0, f"{line}\n{result.err}"
        for expected in shown.splitlines():
            assert expected.strip() in result.out + result.err, f"{line}\n{result.out}{result.err}"


def test_each_system_that_is_replaced_has_its_page_and_says_what_is_not_there() -> None:
    systems = ["cron", "chronos", "luigi", "jumpcloud", "jams", "sos-jobscheduler", "js7", "dkron", "rundeck"]
    assert {page.stem for page in PAGES} == {"README", *systems}
    for page in PAGES:
        assert page.name in BY_HAND or "**Not there.**" in page.read_text()
        assert page.name in BY_HAND or f"({page.name})" in (page.parent / "README.md").read_text()
