"""A Toxiproxy server to talk to: the real one where it can be had, else the stand-in.

Looked for in this order: `toxiproxy-server` on the PATH; the cache directory ($XDG_CACHE_HOME/cronclave,
else ~/.cache/cronclave); built into the cache by Go; the stand-in. CRONCLAVE_CHAOS_TOXIPROXY decides
otherwise: a path, or "standin".
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from chaos.links import LOOPBACK, Ports
from chaos.nemesis import NemesisError, Unavailable
from chaos.nemesis.toxi import ToxiControl
from chaos.programs import start_process, wait_for

VERSION = "v2.12.0"
MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@{VERSION}"  # a bare @latest is the old 2.5
BUILD_S = 300
_FAILED: list[NemesisError] = []  #: a build that failed is not tried again by this process
START_S = 20.0
CHOICE = "CRONCLAVE_CHAOS_TOXIPROXY"
STANDIN = "standin"
#: Go may be installed without being on the PATH.
_GO_PLACES = ("/usr/local/go/bin/go", "/usr/lib/go/bin/go")


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "cronclave" / f"toxiproxy-{VERSION}"


def go() -> str | None:
    found = shutil.which("go")
    return found or next((place for place in _GO_PLACES if os.access(place, os.X_OK)), None)


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
    built = cache() / "server"
    return built if os.access(built, os.X_OK) else None


def why_not_real() -> Unavailable | None:
    """Why the real server would not be used; None: it is there, or can be built."""
    if real_server() is not None:
        return None
    if os.environ.get(CHOICE) == STANDIN:
        return Unavailable(f"{CHOICE} asks for the stand-in", f"unset {CHOICE}")
    if go() is not None:
        return None
    return Unavailable(
        "toxiproxy-server is not on the PATH, and there is no Go to build it",
        f"install Go (Debian: golang-go), or put a toxiproxy-server {VERSION} on the PATH",
    )


def build() -> Path:
    """The real server, built by Go if it is not there. Raises NemesisError."""
    server = real_server()
    if server is not None:
        return server
    compiler = go()
    if compiler is None or os.environ.get(CHOICE) == STANDIN:
        raise NemesisError(f"toxiproxy-server: {why_not_real()}")
    if _FAILED:
        raise _FAILED[0]
    try:
        return _build(compiler)
    except NemesisError as error:
        _FAILED.append(error)
        raise


def _build(compiler: str) -> Path:
    target = cache()
    staging = target.with_name(f"{target.name}.{os.getpid()}")
    staging.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [compiler, "install", MODULE],
            env={**os.environ, "GOBIN": str(staging), "GOFLAGS": "-mod=mod"},
            capture_output=True,
            text=True,
            timeout=BUILD_S,
        )
        if done.returncode != 0 or not (staging / "server").exists():
            raise NemesisError(f"go install {MODULE}: {done.stderr.strip()[-500:]}")
        target.mkdir(exist_ok=True)
        os.replace(staging / "server", target / "server")
    except subprocess.TimeoutExpired:
        raise NemesisError(f"go install {MODULE}: not done within {BUILD_S} s") from None
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
