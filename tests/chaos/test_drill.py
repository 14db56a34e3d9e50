"""A drill touches only what is marked as staging, and says what is wrong with a file and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.commands import main
from chaos.drill import drill_plan
from chaos.faults import Kill
from chaos.staging import StagingDriver, read_staging

GOOD = """
staging = true
token_file = "token"
evidence = "/tmp"

[nodes.node-1]
zone = "zone-a"
url = "http://127.0.0.1:1"
kill = "echo kill node-1 >> {log}"
start = "echo start node-1 >> {log}"

[agents.agent-1]
zone = "zone-a"
kill = "false"
start = "true"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "token").write_text("secret\n")
    file = folder / "staging.toml"
    file.write_text(text.replace("{log}", str(folder / "log")))
    return file


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (GOOD.replace("staging = true", ""), "staging = true"),
        (GOOD.replace("staging = true", "staging = false"), "staging = true"),
        (GOOD.replace("staging = true", 'staging = "true"'), "staging = true"),
        (GOOD.replace("evidence", "evidense"), "evidense"),
        (GOOD.replace('zone = "zone-a"\nurl', "url"), "zone is missing"),
        (GOOD.replace("kill = \"echo", "kil = \"echo"), "kil"),
        ("staging = ", "staging.toml"),
    ],
)  # fmt: skip
def test_what_is_not_a_staging_cluster_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, word: str
) -> None:
    file = write(tmp_path, text)

    code = main(["run", "--profile", "drill", "--cluster", str(file), "--out", str(tmp_path / "out")])

    assert code == 3
    assert word in capsys.readouterr().err
    assert not (tmp_path / "log").exists()


def test_a_drill_breaks_and_mends_by_the_commands_of_the_file(tmp_path: Path) -> None:
    driver = StagingDriver(read_staging(write(tmp_path, GOOD)))
    fault = Kill(("node-1",))

    driver.inject(fault)
    driver.heal()

    assert (tmp_path / "log").read_text() == "kill node-1\nstart node-1\n"


def test_a_drill_plans_only_what_there_are_commands_for(tmp_path: Path) -> None:
    plan = drill_plan(read_staging(write(tmp_path, GOOD)), 3, 2)

    assert {step.action for step in plan.steps} <= {
        "leader-killed", "follower-killed", "majority-killed", "all-killed", "agent-killed",
    }  # fmt: skip
