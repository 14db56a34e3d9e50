"""No verdict stands on half of the evidence: a file that is cut, changed or gone is never a pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chaos.commands import main
from chaos.seal import SEAL
from chaos.suite import judge_case
from tests.chaos.stories import clean, write

FILES = (
    "history.jsonl",
    "evidence/agent-1",
    "events/node-1.jsonl",
    "final/jobs.json",
    "final/nodes.json",
    "final/revisions.json",
    "final/runs.json",
    "final/ticks.json",
    "final/verify.json",
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write(clean(), tmp_path)
    return tmp_path


def test_what_a_run_left_passes(run: Path) -> None:
    judged = judge_case(run)

    assert judged.verdict == "pass", judged.findings
    assert main(["check", str(run)]) == 0


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("at", ["byte", "line"])
def test_a_file_that_is_cut_is_no_pass(run: Path, name: str, share: float, at: str) -> None:
    file = run / name
    content = file.read_bytes()
    cut = content[: int(len(content) * share)]
    file.write_bytes(cut if at == "byte" else cut[: cut.rfind(b"\n") + 1])

    assert judge_case(run).verdict in ("violation", "invalid")
    assert main(["check", str(run)]) in (1, 2)


@pytest.mark.parametrize("name", [name for name in FILES if name != "history.jsonl"])
def test_a_file_that_is_gone_is_no_pass(run: Path, name: str) -> None:
    (run / name).unlink()

    assert judge_case(run).verdict in ("violation", "invalid")


@pytest.mark.parametrize("name", ["history.jsonl", "evidence/agent-1", "events/node-1.jsonl"])
def test_a_torn_line_in_the_middle_is_told(run: Path, name: str) -> None:
    file = run / name
    lines = file.read_text().splitlines(keepends=True)
    (run / SEAL).unlink()  # the torn line alone must do
    file.write_text("".join([*lines[:20], lines[20][:-9] + "\n", *lines[21:]]))

    offences = [o.detail for f in judge_case(run).findings for o in f.offences if o.kind == "damaged"]

    assert any("line 21" in detail for detail in offences), offences


def test_a_run_that_was_not_sealed_is_invalid(run: Path) -> None:
    (run / SEAL).unlink()

    judged = judge_case(run)

    assert judged.verdict == "invalid"
    assert any(SEAL in o.detail for f in judged.findings for o in f.offences)


def test_an_easier_plan_is_no_pass(run: Path) -> None:
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps({**plan, "minimum": {}}))

    assert judge_case(run).verdict == "invalid"


@pytest.mark.parametrize("name", ["history.jsonl", "plan.json"])
def test_what_is_no_run_is_an_error(run: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (run / name).unlink()

    assert main(["check", str(run)]) == 3
    assert str(run) in capsys.readouterr().err


def test_a_plan_that_is_no_json_is_an_error(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "plan.json").write_text('{"name": ')

    assert main(["check", str(run)]) == 3
    assert "plan.json is no JSON" in capsys.readouterr().err
