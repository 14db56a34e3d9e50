"""The client's distributions, built, and installed where nothing of ours is.

    make client-packages

An environment of its own for each interpreter that is here, from 3.10 on: the wheel and, built there anew,
the sdist. What runs in it is a user's program. Then what the import costs in CPU.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PROGRAM = """
import sys, importlib.metadata, importlib.util
import cronclave
assert importlib.metadata.version("cronclave-client") == cronclave.__version__
assert not [name for name in ("api", "cli", "node", "scheduler") if importlib.util.find_spec(name)]
cronclave.AsyncClient
try:
    cronclave.Client("http://127.0.0.1:1", "token", within_s=0).run(1)
except cronclave.UnreachableError as error:
    print("%d.%d" % sys.version_info[:2], "imports it, and is told:", error.message)
"""


def built(folder: Path) -> tuple[Path, Path]:
    """The wheel and the sdist."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT / "client", check=True, capture_output=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def interpreters() -> Iterator[str]:
    """Those that are here and can have an environment of their own, each version once."""
    seen: set[str] = set()
    kept = sorted(Path.home().glob(".pyenv/versions/*/bin/python"))
    for python in (sys.executable, *(f"python{version}" for version in PYTHONS), *map(str, kept)):
        try:
            told = subprocess.run(
                [python, "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"],
                capture_output=True, text=True, check=True, timeout=60,
            ).stdout.strip()  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            continue
        if told in PYTHONS and told not in seen:
            seen.add(told)
            yield python


def installed(python: str, distribution: Path, folder: Path) -> str:
    """What a user's program says in a clean environment of this interpreter, which brings its own pip."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    own = folder / "bin" / "python"
    options = ["--quiet", "--no-input", "--disable-pip-version-check"]
    subprocess.run([own, "-m", "pip", "install", *options, str(distribution)], check=True)
    told = subprocess.run(
        [own, "-I", "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=folder
    )
    return told.stdout.strip()


def cpu_ms(python: Path, program: str, times: int = 10) -> float:
    """CPU of a process that does nothing but this."""
    before = os.times()
    for _ in range(times):
        subprocess.run([python, "-I", "-c", program], check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent / times * 1_000


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for distribution in built(folder / "dist"):
            for number, python in enumerate(interpreters()):
                where = folder / f"{distribution.suffix}-{number}"
                print(f"{distribution.name}: {installed(python, distribution, where)}", flush=True)
                if distribution.suffix == ".whl":
                    own = where / "bin" / "python"
                    empty, whole = cpu_ms(own, "pass"), cpu_ms(own, "import cronclave")
                    print(f"  CPU: import cronclave {whole:.0f} ms, pass {empty:.0f} ms", flush=True)


if __name__ == "__main__":
    main()
