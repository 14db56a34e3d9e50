"""What is missing is said, with what to do about it; and what takes its place is said too."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from chaos import doctor
from chaos.commands import main
from chaos.interpreter import flags
from chaos.nemesis import NemesisError, toxi_server
from chaos.nemesis.toxi_server import CHOICE, STANDIN, build, buildable, start_server, why_not_real
from chaos.ports import Ports
from tests.chaos.conftest import PORTS


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing on it; gives the one directory of its PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(CHOICE, raising=False)
    monkeypatch.setattr(toxi_server, "_GO_PLACES", ())
    monkeypatch.setattr(toxi_server, "_FAILED", [])
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_every_driver_is_examined() -> None:
    found = {finding.driver: finding for finding in doctor.examine()}

    assert list(found) == [
        "process",
        "toxiproxy",
        "stand-in",
        "switch",
        "disk",
        "torn tail",
        "sync error",
        "clock",
    ]
    assert found["process"].unavailable is None
    assert found["stand-in"].unavailable is None


def test_a_bare_machine_gets_a_remedy_for_everything_and_the_stand_in(bare: Path) -> None:
    found = {finding.driver: finding.unavailable for finding in doctor.examine()}

    assert "golang-go" in found["toxiproxy"].remedy  # type: ignore[union-attr]  # what is asserted here
    assert "gcc" in found["clock"].remedy  # type: ignore[union-attr]  # what is asserted here
    server = start_server(Ports(*PORTS), seed=1)
    try:
        assert server.kind == STANDIN
        assert "no Go" in server.why
        assert server.control.running()
    finally:
        server.end()
    with pytest.raises(NemesisError, match="no Go"):
        start_server(Ports(*PORTS), seed=1, kind="toxiproxy")


def test_the_server_is_the_one_that_this_go_builds(bare: Path) -> None:
    for told, version in (("go1.18.1", None), ("go1.19", "v2.8.0"), ("go1.26.8", "v2.12.0"), ("devel", None)):
        go = program(bare / "go", f"echo go version {told} linux/amd64")
        assert buildable(str(go)) == version, told
    assert "1.19 or newer" in str(why_not_real())


def test_a_build_that_fails_is_told_and_not_tried_again(bare: Path, tmp_path: Path) -> None:
    counted = tmp_path / "builds"
    program(
        bare / "go",
        "if [ $1 = version ]; then echo go version go1.26.0; exit; fi\n"
        f"echo x >> {counted}; echo no network >&2; exit 1",
    )
    for _ in range(2):
        with pytest.raises(NemesisError, match="no network"):
            build()
    assert counted.read_text() == "x\n"


def test_a_server_on_the_path_or_named_is_taken(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = program(bare / "toxiproxy-server", "exit 0")
    assert build() == on_path
    named = program(bare / "mine", "exit 0")
    monkeypatch.setenv(CHOICE, str(named))
    assert build() == named
    monkeypatch.setenv(CHOICE, str(bare / "nothing"))
    with pytest.raises(NemesisError, match="no program there"):
        build()
    monkeypatch.setenv(CHOICE, STANDIN)
    assert CHOICE in str(why_not_real())


def test_the_ci_profile_refuses_a_machine_that_cannot_break_everything(
    bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--profile", "ci", "--seed", "1", "--out", str(tmp_path / "run")]) == 3

    said = capsys.readouterr().err
    for needed in ("missing: toxiproxy: ", "golang-go", "missing: clock: ", "gcc", "--skip-missing"):
        assert needed in said
    assert not (tmp_path / "run").exists()


def test_a_scenario_that_there_is_not_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--profile", "ci", "--skip-missing", "--scenario", "lions", "--out"]

    assert main([*arguments, str(tmp_path / "run")]) == 3
    assert "lions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "profile", "said"),
    [
        ("'--enable-optimizations' '--with-lto'", "-fprofile-use", "PGO yes, LTO yes"),
        ("'--enable-optimizations'", "-fprofile-use", "PGO yes, LTO no"),
        ("'--enable-shared'", "-fprofile-use", "PGO no, LTO no"),
        ("'--enable-shared'", None, "PGO yes, by its packager, LTO not told"),
    ],
)
def test_how_an_interpreter_was_built_is_told(arguments: str, profile: str | None, said: str) -> None:
    assert flags({"CONFIG_ARGS": arguments, "PGO_PROF_USE_FLAG": profile}) == said


def test_the_doctor_names_its_interpreter(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])

    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith(f"Python {platform.python_version()} (")
    assert "PGO" in first
