"""`cronclave job edit`: a change is applied, a mistake comes back, and no text is lost."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import DEADLINE_S, PROJECT, Command

JOB = "job: mine\ntriggers: [{every: 10s}]\nnoop: true\n"


@pytest.fixture
async def mine(cronclave: Command, tmp_path: Path) -> Command:
    cronclave.environment["TMPDIR"] = str(tmp_path)  # where a text that was refused stays
    assert (await cronclave("job", "apply", "-", stdin=JOB)).code == 0
    return cronclave


def kept(text: str) -> str:
    """What is in the file that the words name."""
    found = re.search(r"your text is kept in (\S+)", text)
    assert found, text
    return Path(found[1]).read_text()


async def revision(command: Command) -> str:
    return (await command("job", "get", "mine")).out.partition("revision")[2].split(",")[0].strip()


async def test_what_the_editor_saves_is_applied(mine: Command) -> None:
    done = await mine("job", "edit", "mine", EDITOR="sed -i s/10s/5s/")

    assert (done.code, done.out) == (0, "default/mine is changed, revision 2\n"), done.err
    assert "every=5s" in (await mine("job", "get", "mine")).out


async def test_what_is_left_as_it_is_changes_nothing(mine: Command) -> None:
    done = await mine("job", "edit", "mine", EDITOR="true")

    assert (done.code, done.out) == (0, "default/mine is left as it is\n"), done.err
    assert await revision(mine) == "1"


@pytest.mark.parametrize(
    ("editor", "code", "said"),
    [
        ("sed -i s/every/evry/", 1, "mine.yaml:3:"),
        ("sed -i s/every/[/", 1, "mine.yaml:"),
        ("sed -i s/mine/yours/", 2, "the text is of job default/yours"),
        ("sed -i '$a\\---\\njob: b\\nnoop: true'", 2, "these are 2 jobs"),
        ("truncate -s 0", 1, "no jobs in"),
        ("rm", 1, "cannot be read"),
        ("/no/such/editor", 1, "/no/such/editor"),
        ("false", 1, "Editing failed"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_and_changes_nothing(
    mine: Command, editor: str, code: int, said: str
) -> None:
    done = await mine("job", "edit", "mine", EDITOR=editor)

    assert done.code == code, done.err
    assert said in done.err
    assert "your text is kept in" in done.err
    assert "Traceback" not in done.err
    assert await revision(mine) == "1"


async def test_what_somebody_else_changed_meanwhile_is_not_written_over(
    mine: Command, tmp_path: Path
) -> None:
    (tmp_path / "theirs.yaml").write_text(JOB.replace("10s", "7s"))
    editor = tmp_path / "editor"
    theirs = f"{sys.executable} -m cli.main job apply theirs.yaml"
    editor.write_text(f'#!/bin/sh\n{theirs}\nsed -i s/10s/5s/ "$1"\n')
    editor.chmod(0o755)

    done = await mine("job", "edit", "mine", EDITOR=str(editor))

    assert done.code == 5, done.err
    assert "It was changed meanwhile" in done.err
    assert "every: 5s" in kept(done.err)
    assert "every=7s" in (await mine("job", "get", "mine")).out


async def test_a_job_that_is_not_there_is_not_edited(cronclave: Command) -> None:
    assert (await cronclave("job", "edit", "nope", EDITOR="true")).code == 3


async def test_a_mistake_brings_the_editor_back_with_the_words_about_it(
    mine: Command, tmp_path: Path
) -> None:
    """The first time it breaks the text, the second time it finds what was said, and mends it."""
    editor = tmp_path / "editor"
    editor.write_text(
        '#!/bin/sh\nif grep -q "^#! line 5:3 .*evry" "$1"; then sed -i "s/evry: 10s/every: 3s/" "$1";'
        ' else sed -i s/every/evry/ "$1"; fi\n'
    )
    editor.chmod(0o755)
    ours, theirs = pty.openpty()
    environment = {**os.environ, **mine.environment, "PYTHONPATH": str(PROJECT), "EDITOR": str(editor)}

    def story() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "job", "edit", "mine"], stdin=theirs, cwd=tmp_path,
            env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip

    try:
        done = await asyncio.to_thread(story)
    finally:
        os.close(ours)
        os.close(theirs)

    assert (done.returncode, done.stdout) == (0, "default/mine is changed, revision 2\n"), done.stderr
    assert "every=3s" in (await mine("job", "get", "mine")).out


@pytest.mark.parametrize("editor", ["", "vim -n", "/usr/bin/nano"])
async def test_without_a_terminal_it_says_what_to_do(mine: Command, editor: str) -> None:
    done = await mine("job", "edit", "mine", EDITOR=editor, VISUAL="")

    assert done.code == 2
    assert "there is no terminal to edit in" in done.err
    assert "cronclave job get mine --definition -o yaml > mine.yaml" in done.err
    assert await revision(mine) == "1"
