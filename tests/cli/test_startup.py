"""What a command must not load: what makes starting slow is checked here, the time itself is no test."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import PROJECT, Command

HEAVY = {
    "asyncio", "cryptography", "croniter", "fastapi", "httpx2", "msgpack", "pydantic", "pysyncobj", "rich",
    "ruamel.yaml", "yaml", "starlette", "uvicorn", "websockets", "scheduler", "cluster", "agent", "api",
    "node",
}  # fmt: skip
LISTING = """
import sys
import cli.main
try:
    cli.main.cronclave.main(sys.argv[1:], prog_name="cronclave", standalone_mode=False)
except Exception as error:
    print(type(error).__name__, file=sys.stderr)
print("\\nLOADED", *sys.modules)
"""


def loaded_by(*arguments: str, cwd: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", LISTING, *arguments],
        capture_output=True, text=True, cwd=cwd, env={"PYTHONPATH": str(PROJECT)}, timeout=60, check=True,
    )  # fmt: skip
    return set(result.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize(
    "words", [("--help",), ("job", "--help"), ("job", "list"), ("run", "list")], ids=" ".join
)
def test_nothing_heavy_is_loaded(words: tuple[str, ...], offline: Command) -> None:
    assert not HEAVY & loaded_by(*words, cwd=str(offline.folder))


def test_help_does_not_load_the_commands(offline: Command) -> None:
    loaded = loaded_by("--help", cwd=str(offline.folder))

    assert "cli.main" in loaded
    assert "cli.job" not in loaded
    assert "http.client" not in loaded


#: Modules are what starting costs: 110 take 45 ms of CPU, 170 take 80; 250 would be some 120. Time differs
#: between machines, and this does not.
MOST = {"--help": 140, "job list": 210, "run list": 210, "run logs --help": 210, "context list": 210}


@pytest.mark.parametrize("words", MOST)
def test_few_modules_are_loaded(words: str, offline: Command) -> None:
    assert len(loaded_by(*words.split(), cwd=str(offline.folder))) <= MOST[words]
