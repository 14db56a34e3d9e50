"""What a shell is told when a key is pressed in the middle of a command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.completing import KEPT_MAX, KEPT_S, Kept
from tests.api.single_node import ADMIN_TOKEN
from tests.cli.conftest import PROJECT, Command

PATIENT = {"CRONCLAVE_COMPLETE_WITHIN": "50s"}
SHELLS = ("bash", "zsh", "fish")


async def completed(command: Command, line: str, **environment: str) -> list[str]:
    """The values that bash is given at the end of this line."""
    words = line.split(" ")
    told = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), **PATIENT, **environment}
    result = await command(_CRONCLAVE_COMPLETE="bash_complete", **told)
    assert result.err == ""
    return [text.partition(",")[2] for text in result.out.splitlines() if text]


async def test_names_come_from_the_cluster(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: backup\nnoop: true\n---\njob: report\nnoop: true\n")
    await cronclave("job", "apply", "-", stdin="job: b2\nnamespace: data\nnoop: true\n")
    await cronclave("job", "run", "backup")

    assert await completed(cronclave, "cronclave job run b") == ["backup"]
    assert await completed(cronclave, "cronclave job run -n data b") == ["b2"]
    assert await completed(cronclave, "cronclave job list -n ") == ["data", "default"]
    assert await completed(cronclave, "cronclave run show ") == ["1"]
    assert await completed(cronclave, "cronclave run list --job r") == ["report"]
    assert await completed(cronclave, "cronclave cluster remove ") == ["node-1", "node-2"]
    assert await completed(cronclave, "cronclave token revoke ad") == ["admin"]


async def test_contexts_and_commands_are_completed(offline: Command) -> None:
    await offline("context", "add", "prod", "--url", "http://127.0.0.1:24998")

    assert await completed(offline, "cronclave context use ") == ["prod"]
    assert await completed(offline, "cronclave job list --context p") == ["prod"]
    assert await completed(offline, "cronclave clu") == ["cluster"]
    assert "status" in await completed(offline, "cronclave cluster ")
    assert "--state" in await completed(offline, "cronclave job list --s")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"CRONCLAVE_URL": "http://127.0.0.1:24998", "CRONCLAVE_TOKEN": "t"},
        {"CRONCLAVE_URL": "http://["},
        {"CRONCLAVE_CONTEXT": "nope"},
    ],
    ids=["no cluster", "a node that is away", "no URL", "no context"],
)
async def test_nothing_is_said_of_what_goes_wrong(offline: Command, environment: dict[str, str]) -> None:
    assert await completed(offline, "cronclave job run ", **environment) == []
    await completed(offline, "cronclave jobb run ", **environment)


async def test_a_refused_token_is_silent_too(cronclave: Command) -> None:
    assert await completed(cronclave, "cronclave job run ", CRONCLAVE_TOKEN="another") == []


async def test_what_is_kept_is_private_and_may_be_broken(cronclave: Command, tmp_path: Path) -> None:
    await cronclave("job", "apply", "-", stdin="job: backup\nnoop: true\n")
    assert await completed(cronclave, "cronclave job run ") == ["backup"]
    kept = next((tmp_path / "cache" / "cronclave").iterdir())

    assert kept.stat().st_mode & 0o777 == 0o600
    assert ADMIN_TOKEN not in kept.name + kept.read_text()
    assert await completed(cronclave, "cronclave job run ", CRONCLAVE_TOKEN="another") == []
    for broken in ("{broken", "[1]", "7", '{"job /v1/jobs": 1}'):
        kept.write_text(broken)
        assert await completed(cronclave, "cronclave job run ") == ["backup"]


def test_an_answer_is_good_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    Kept("me", 100.0).put("job", [("backup", "active")])

    assert Kept("me", 100.0 + KEPT_S / 2).get("job") == [("backup", "active")]
    assert Kept("me", 100.0 + KEPT_S).get("job") is None
    assert Kept("me", 99.0).get("job") is None, "a clock was set back"
    assert Kept("another", 100.0).get("job") is None
    for number in range(2 * KEPT_MAX):
        Kept("me", 101.0 + number).put(f"run {number}", [])
    assert len(json.loads(next(tmp_path.rglob("*.json")).read_text())) <= KEPT_MAX


@pytest.mark.parametrize("shell", SHELLS)
async def test_each_shell_gets_its_script(offline: Command, shell: str) -> None:
    printed = await offline("completion", shell)

    assert printed.code == 0
    assert "_CRONCLAVE_COMPLETE" in printed.out
    if found := shutil.which(shell):
        subprocess.run([found, "-n"], input=printed.out, text=True, check=True, timeout=60)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
async def test_shells_that_show_more_are_told_what_a_name_is(cronclave: Command, shell: str) -> None:
    await cronclave("job", "apply", "-", stdin="job: backup\nnoop: true\n")
    line = {"COMP_WORDS": "cronclave job run ", "COMP_CWORD": "3" if shell == "zsh" else ""}

    told = await cronclave(_CRONCLAVE_COMPLETE=f"{shell}_complete", **line, **PATIENT)

    assert "backup" in told.out
    assert "unplaceable" in told.out or "active" in told.out


def test_a_real_bash_completes(tmp_path: Path) -> None:
    """The script, the entry point and the variable's name fit together."""
    (tmp_path / "cronclave").write_text(f'#!/bin/sh\nexec {sys.executable} -m cli.main "$@"\n')
    (tmp_path / "cronclave").chmod(0o755)
    script = (
        'eval "$(cronclave completion bash)"; COMP_WORDS=(cronclave clu); COMP_CWORD=1;'
        ' _cronclave_completion cronclave; echo "${COMPREPLY[@]}"'
    )
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(PROJECT), "HOME": str(tmp_path)}

    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment, timeout=60, cwd=tmp_path
    )

    assert done.stdout.split() == ["cluster"], done.stderr
