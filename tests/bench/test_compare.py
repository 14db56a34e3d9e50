"""Two builds beside each other: another revision runs its own code, and the table says what was found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgpack
import pytest

from bench.builds import HERE, PROJECT, Build, UnknownRevisionError, check_out
from bench.compare import Sample, main, table

AS_SOMEBODY = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose only package has the name of one of ours, with a revision `old` before its last."""
    if shutil.which("git") is None:
        pytest.skip("git is missing")
    project = tmp_path / "project"
    (project / "scheduler").mkdir(parents=True)

    def git(*arguments: str) -> None:
        subprocess.run(["git", *AS_SOMEBODY, *arguments], cwd=project, capture_output=True, check=True)

    git("init")
    for word in ("old", "new"):
        (project / "scheduler" / "__init__.py").write_text(f"WORD = {word!r}\n")
        git("add", ".")
        git("commit", "-m", word)
        git("tag", word)
    return project


def test_a_revision_runs_its_own_code_with_the_libraries_of_this_process(
    project: Path, tmp_path: Path
) -> None:
    build = check_out("old", tmp_path / "build", project)
    asked = "import scheduler, msgpack; print(scheduler.WORD, msgpack.__file__)"
    told = subprocess.run([build.python, "-c", asked], cwd="/", capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["old", msgpack.__file__]


@pytest.mark.parametrize("revision", ["no-such-revision", "--output=x", ""])
def test_an_unknown_revision_is_told(
    revision: str, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnknownRevisionError):
        check_out(revision, tmp_path / "build", project)
    assert not (project / "x").exists()
    assert main([f"--against={revision}", "--data", str(tmp_path), "idle"]) == 2
    assert "--against" in capsys.readouterr().err


def test_the_table_tells_medians_and_the_range_of_the_ratios() -> None:
    builds = (Build("old", PROJECT, "python"), HERE)
    pairs = [
        (Sample({"core": 2.0, "front": 2.0}), Sample({"core": 1.0, "front": 1.0})),
        (Sample({"core": 4.0, "front": 0.0}), Sample({"core": 3.0, "front": 1.0})),
        (Sample({"core": 1.0, "front": 3.0}), Sample({"core": 1.0, "front": 2.0})),
    ]
    row = table(builds, {"tick": pairs, "put": []}).splitlines()[2]
    assert "| 4 | 3 | × 0.75 (0.50 to 1.00) |" in row
    assert "core 2 → 1, front 2 → 1" in row
