"""A Toxiproxy server to talk to: the real one where it can be had, else the stand-in.

Looked for in this order: `toxiproxy-server` on the PATH; the cache directory ($XDG_CACHE_HOME/cronclave,
else ~/.cache/cronclave); built into the cache by Go; the stand-in. CRONCLAVE_CHAOS_TOXIPROXY decides
otherwise: a path, or "standin".
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from chaos.nemesis import NemesisError, Unavailable
from chaos.nemesis.toxi import ToxiControl
from chaos.ports import LOOPBACK, Ports
from chaos.programs import start_process, wait_for

MODULE = "github.com/Shopify/toxiproxy/v2/cmd/server"
#: What a Go from this version on builds; both pass tests/chaos/test_conformance.py. (@latest is the old 2.5.)
VERSIONS = (((1, 23), "v2.12.0"), ((1, 19), "v2.8.0"))
BUILD_S = 300
ASK_S = 20
_FAILED: list[NemesisError] = []  #: a build that failed is not tried again by this process
START_S = 20.0
CHOICE = "CRONCLAVE_CHAOS_TOXIPROXY"
STANDIN = "standin"
#: Go may be installed without being on the PATH.
_GO_PLACES = ("/usr/local/go/bin/go", "/usr/lib/go/bin/go")


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "cronclave"


def go() -> str | None:
    found = shutil.which("go")
    return found or next((place for place in _GO_PLACES if os.access(place, os.X_OK)), None)


def buildable(compiler: str) -> str | None:
    """The server's version that this Go builds; None: it is too old for any."""
    told = subprocess.run([compiler, "version"], capture_output=True, text=True, timeout=ASK_S)
    found = re.search(r"go(\d+)\.(\d+)", told.stdout)
    has = (int(found[1]), int(found[2])) if found else (0, 0)
    return next((version for least, version in VERSIONS if has >= least), None)


def _built(version: str) -> Path:
    return cache() / f"toxiproxy-{version}" / "server"


def real_server() -> Path | None:
    """The real server, where it is already."""
    choice = os.environ.get(CHOICE, "")
    if choice == STANDIN:
        return None
    if choice:
        if not os.access(choice, os.X_OK):
            raise NemesisError(f"{CHOICE}={choice}: no program there; give a path, or {STANDIN!r}")
        return Path(choice)
    on_path = shutil.which("toxiproxy-server")
    if on_path:
        return Path(on_path)
    built = (_built(version) for _, version in VERSIONS)
    return next((server for server in built if os.access(server, os.X_OK)), None)


def why_not_real() -> Unavailable | None:
    """Why the real server would not be used; None: it is there, or can be built."""
    if real_server() is not None:
        return None
    if os.environ.get(CHOICE) == STANDIN:
        return Unavailable(f"{CHOICE} asks for the stand-in", f"unset {CHOICE}")
    compiler = go()
    if compiler is not None and buildable(compiler) is not None:
        return None
    return Unavailable(
        "toxiproxy-server is not on the PATH, and there is no Go that builds it",
        f"install Go {_dotted(VERSIONS[-1][0])} or newer (Debian: golang-go), or put a toxiproxy-server "
        f"{VERSIONS[0][1].lstrip('v')} on the PATH; until then the stand-in is used",
    )


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def build() -> Path:
    """The real server, built by Go if it is not there. Raises NemesisError."""
    server = real_server()
    if server is not None:
        return server
    why, compiler = why_not_real(), go()
    version = None if compiler is None else buildable(compiler)
    if why is not None or compiler is None or version is None:
        raise NemesisError(f"toxiproxy-server: {why}")
    if _FAILED:
        raise _FAILED[0]
    try:
        return _build(compiler, version)
    except NemesisError as error:
        _FAILED.append(error)
        raise


def _build(compiler: str, version: str) -> Path:
    """Takes half a minute, and the Go module proxy."""
    module, target = f"{MODULE}@{version}", _built(version).parent
    staging = target.with_name(f"{target.name}.{os.getpid()}")
    staging.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [compiler, "install", module],
            env={**os.environ, "GOBIN": str(staging), "GOFLAGS": "-mod=mod"},
            capture_output=True,
            text=True,
            timeout=BUILD_S,
        )
        if done.returncode != 0 or not (staging / "server").exists():
            raise NemesisError(f"go install {module}: {done.stderr.strip()[-500:]}")
        target.mkdir(exist_ok=True)
        os.replace(staging / "server", target / "server")
    except subprocess.TimeoutExpired:
        raise NemesisError(f"go install {module}: not done within {BUILD_S} s") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target / "server"


@dataclass(slots=True)
class ToxiServer:
    """A server that runs."""

    control: ToxiControl
    kind: str  #: "toxiproxy" or "standin"
    why: str  #: the stand-in was taken
    process: subprocess.Popen[bytes]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def start_server(ports: Ports, *, seed: int, log: Path | None = None, kind: str = "") -> ToxiServer:
    """A server on a free port. kind: "toxiproxy" or "standin"; else the real one if it can be had."""
    why = ""
    command: list[str] = []
    if kind != STANDIN:
        try:
            command = [str(build())]
        except NemesisError as error:
            if kind:
                raise
            why = str(error)
    real = bool(command)
    port = ports.take()
    if not real:
        command = [sys.executable, "-m", "chaos.nemesis.standin"]
    process = start_process([*command, "-host", LOOPBACK, "-port", str(port), "-seed", str(seed)], log=log)
    control = ToxiControl(LOOPBACK, port)
    try:
        wait_for(
            lambda: process.poll() is not None or control.running(),
            START_S,
            f"{command[0]} listens on {port}",
        )
        if process.poll() is not None:
            raise NemesisError(f"{command} ended at once, with {process.returncode}")
    except BaseException:
        process.kill()
        process.wait()
        raise
    return ToxiServer(control, "toxiproxy" if real else STANDIN, why, process)
