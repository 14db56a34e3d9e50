"""Another revision of the product, ready to run beside this one: the same interpreter and libraries.

Its files come from git into a directory of their own, and a virtual environment there puts them before the
libraries that this process runs with. So a comparison shows the code and nothing else; a revision that needs
a library which is not here does not start, and says so in its log.
"""

from __future__ import annotations

import io
import subprocess
import sys
import sysconfig
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Build:
    """Where a product is, and what runs it."""

    name: str
    project: Path
    python: str


HERE = Build("this", PROJECT, sys.executable)


class UnknownRevisionError(Exception):
    """Git knows no such revision."""


def check_out(revision: str, directory: Path, project: Path = PROJECT) -> Build:
    """The build of this revision of `project` in a new directory. Raises UnknownRevisionError."""
    source, environment = directory / "source", directory / "environment"
    try:
        commit = _git(project, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        archive = _git(project, "archive", "--format=tar", commit.decode().strip())
    except subprocess.CalledProcessError as error:
        raise UnknownRevisionError(error.stderr.decode(errors="replace").strip()) from None
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        # Python 3.11.4 and later have the filter. The archive is git's own, of this very repository.
        files.extraction_filter = getattr(tarfile, "data_filter", None)
        files.extractall(source)
    venv.create(environment, with_pip=False, symlinks=True)
    paths = [source, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = environment / "lib" / version / "site-packages" / "build.pth"
    site.write_text("".join(f"{path}\n" for path in dict.fromkeys(map(str, paths))))
    return Build(revision, source, str(environment / "bin" / "python"))


def _git(project: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=project, capture_output=True, check=True).stdout
