"""What a user installs: the client and one library, nothing of the server, in each Python from 3.10 on."""

from __future__ import annotations

import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import cronclave
from tests.client.packages import PROJECT, built, installed, interpreters
from tests.test_architecture import PACKAGES

OTHERS_MAX = 2


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return built(tmp_path_factory.mktemp("dist"))


def test_the_wheel_holds_one_package_and_says_what_it_needs(distributions: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(distributions[0]) as wheel:
        tops = {name.partition("/")[0] for name in wheel.namelist()}
        about = f"cronclave_client-{cronclave.__version__}.dist-info"
        assert tops == {"cronclave", about}
        assert "cronclave/py.typed" in wheel.namelist()
        told = HeaderParser().parsestr(wheel.read(f"{about}/METADATA").decode())
    assert told["Name"] == "cronclave-client"
    assert told["Requires-Python"] == ">=3.10"
    needed = [each for each in told.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert 0 < len(needed) <= OTHERS_MAX


def test_the_server_leaves_the_name_to_it() -> None:
    """Both may be in one environment: the command `cronclave` is the server's, the module the client's."""
    assert "cronclave" not in PACKAGES


def test_the_sdist_has_all_that_the_wheel_is_built_of(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    sources = {path.relative_to(PROJECT / "client").as_posix() for path in (PROJECT / "client").rglob("*.py")}
    assert {*sources, "src/cronclave/py.typed", "pyproject.toml", "LICENSE", "README.md"} <= names


def test_it_is_installed_where_nothing_of_ours_is(distributions: tuple[Path, Path], tmp_path: Path) -> None:
    """One interpreter, the oldest that is here; `make client-packages` has them all, and the sdist."""
    python = sorted(interpreters(), key=lambda path: ("3.10" not in path, path))[0]
    assert installed(python, distributions[0], tmp_path / "venv").endswith("no node answers")
