"""A git repository, read by the git program, into a bare copy that may be thrown away.

Rules of this file:

1. Nothing is checked out: trees and files are read by their ids, so no hook, filter, attribute or link of the
   repository does anything. Links, submodules and pointers of Git LFS are refused by name.
2. Git is told nothing by this host's environment or configuration, asks nobody anything, follows no
   redirection (which would take the password along), and ends after TIME_S with all that it started.
3. A password goes by the environment, which only the node's user sees; a key by a file that lives as long as
   the call.
4. A copy that a killed git left locked is made anew.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from node.effects.sources.contract import Budget, Snapshot, UnreachableError, Wanted, WrongError, is_wanted
from node.effects.sources.folder import Folder

TIME_S = 120.0
DEPTH = 50
"""Of history: enough to tell a push that went on from one that rewrote it."""
REF = "refs/cronclave/source"
LFS = b"version https://git-lfs.github.com/spec/"
ODD = {"120000": "a link", "160000": "a submodule"}
CONFIGURATION = """[safe]
\tdirectory = *
[gc]
\tauto = 0
[http]
\tlowSpeedLimit = 1000
\tlowSpeedTime = 30
\tfollowRedirects = false
[protocol]
\tallow = never
[protocol "https"]
\tallow = always
[protocol "ssh"]
\tallow = always
[protocol "file"]
\tallow = always
"""


class Git:
    def __init__(self, scratch: Path, folders: Folder) -> None:
        """`scratch`: for the copies; `folders`: where repositories of this host may lie."""
        self._scratch = scratch
        self._folders = folders

    async def look(self, wanted: Wanted) -> Snapshot:
        """Its revision is a commit's id."""
        if shutil.which("git") is None:
            raise UnreachableError("this node has no git program")
        git = wanted.given["git"]
        if git["url"].startswith("file:"):
            self._folders.resolved(unquote(urlsplit(git["url"]).path))
        copy = self._scratch / f"{wanted.given['namespace']}_{wanted.given['source']}.git"
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=copy.parent, prefix="call-") as home:
            run = _Call(copy, _environment(Path(home), wanted.secrets))
            try:
                await _fetch(run, git)
            except UnreachableError:
                if not any(copy.rglob("*.lock")):
                    raise
                shutil.rmtree(copy)
                await _fetch(run, git)
            commit = (await run.git("rev-parse", f"{REF}^{{commit}}")).decode().strip()
            if commit == wanted.needless:
                return Snapshot(commit)
            is_rewritten = commit != wanted.live and await _is_rewritten(run, commit, wanted.live)
            return Snapshot(commit, await _files(run, commit, git["path"]), is_rewritten)


class _Call:
    """Git's, on one copy."""

    def __init__(self, copy: Path, environment: Mapping[str, str]) -> None:
        self.copy = copy
        self._environment = dict(environment)

    async def git(self, *words: str, given: bytes = b"") -> bytes:
        """What it prints. Raises UnreachableError."""
        process = await asyncio.create_subprocess_exec(
            "git", *words, cwd=self.copy, env=self._environment, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(TIME_S):
                printed, said = await process.communicate(given)
        except TimeoutError:
            raise UnreachableError(f"git {words[0]} took more than {TIME_S:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
            lines = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-1:]
            told = lines[0] if lines else ""
            raise UnreachableError(f"git {words[0]}: {told[:300] or f'exit code {process.returncode}'}")
        return printed


def _environment(home: Path, secrets: Mapping[str, str]) -> dict[str, str]:
    configuration = home / "config"
    configuration.write_text(CONFIGURATION)
    found = {
        "PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": str(configuration), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "", "GIT_NO_REPLACE_OBJECTS": "1",
    }  # fmt: skip
    ssh = ["ssh", "-oBatchMode=yes", "-oConnectTimeout=10", "-F/dev/null"]
    if "ssh_key" in secrets:
        ssh += ["-oIdentitiesOnly=yes", f"-i{_kept(home / 'key', secrets['ssh_key'])}"]
    if "known_hosts" in secrets:
        ssh.append(f"-oUserKnownHostsFile={_kept(home / 'known_hosts', secrets['known_hosts'])}")
    found["GIT_SSH_COMMAND"] = shlex.join(ssh)
    if "password" in secrets:
        pair = f"{secrets.get('username', 'git')}:{secrets['password']}".encode()
        found |= {
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {base64.b64encode(pair).decode()}",
        }  # fmt: skip
    return found


def _kept(path: Path, value: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(value if value.endswith("\n") else f"{value}\n")
    return path


async def _fetch(run: _Call, git: Mapping[str, Any]) -> None:
    if not (run.copy / "HEAD").exists():
        run.copy.mkdir(mode=0o700, exist_ok=True)
        await run.git("init", "--bare", "--quiet", ".")
    refspec = f"+{git['ref']}:{REF}"
    await run.git("fetch", "--quiet", "--no-tags", f"--depth={DEPTH}", "--", git["url"], refspec)


async def _is_rewritten(run: _Call, commit: str, known: str) -> bool:
    """What lies further back than the copy goes is not known, and nothing is said of it."""
    if not known:
        return False
    history = (await run.git("rev-list", commit)).decode().split()
    is_whole = (await run.git("rev-parse", "--is-shallow-repository")).strip() == b"false"
    return is_whole and known not in history


async def _files(run: _Call, commit: str, below: str) -> dict[str, bytes]:
    """Raises WrongError for what nobody could take for a file."""
    tree = f"{commit}:{below}" if below else commit
    try:
        listed = await run.git("ls-tree", "-rlz", "--full-tree", tree)
    except UnreachableError:
        raise WrongError(f"there is no folder {below!r} in it at {commit[:12]}") from None
    wanted: list[tuple[str, str]] = []
    budget = Budget()
    for line in listed.split(b"\0")[:-1]:
        about, _, name = line.partition(b"\t")
        mode, _, oid, size = about.decode().split()
        path = name.decode("utf-8", "replace")
        if mode in ODD and not path.startswith("."):
            raise WrongError(f"{path} is {ODD[mode]}: only files are read", (f"{path}:1:1",))
        if is_wanted(path):
            budget.take(path, int(size))  # before a byte of it is read
            wanted.append((path, oid))
    printed = await run.git("cat-file", "--batch", given="".join(f"{oid}\n" for _, oid in wanted).encode())
    return _contents(wanted, printed)


def _contents(wanted: Sequence[tuple[str, str]], printed: bytes) -> dict[str, bytes]:
    """Of each a line with id, type and size, its bytes, and a line's end."""
    files: dict[str, bytes] = {}
    place = 0
    for path, _ in wanted:
        end = printed.index(b"\n", place)
        size = int(printed[place:end].rsplit(b" ", 1)[1])
        files[path] = printed[end + 1 : end + 1 + size]
        place = end + size + 2
        if files[path].startswith(LFS):
            raise WrongError(f"{path} is a pointer of Git LFS: its words are elsewhere", (f"{path}:1:1",))
    return files
