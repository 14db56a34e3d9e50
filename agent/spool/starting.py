"""A process of an attempt is made: as another user, with a niceness of its own, or not at all, with words.

posix_spawn, no interpreter per attempt. The working directory, the umask and the limit of open files are set
around the spawn: the spooler has one thread. Where the lease must kill, setpriv (util-linux) adds PDEATHSIG:
it dies with the spooler.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import signal
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agent import program
from agent.spool.wire import Command


class Surroundings(NamedTuple):
    """What the work has of the host."""

    null: int  #: /dev/null, opened
    umask: int  #: that the agent was started with
    files: tuple[int, int]  #: open ones, soft and hard


def _tool(name: str) -> str:
    """Empty: the host does not have it."""
    paths = (f"/usr/bin/{name}", f"/bin/{name}")
    return next((path for path in paths if os.access(path, os.X_OK)), "")


_SETPRIV = _tool("setpriv")
_NICE = _tool("nice")
_PRLIMIT = _tool("prlimit")
XCPU_S = 5  #: from SIGXCPU to SIGKILL, of a processor
LIMITS = bool(_PRLIMIT)  #: whether processes can be limited here
#: The work finds every signal at its default, whatever Python and the spooler ignore for themselves.
_DEFAULTS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
#: What asks for work elsewhere to be ended: it waits until whoever speaks for that work can heed it.
ENDING = (signal.SIGTERM, signal.SIGQUIT)


class StartFailed(Exception):
    """No process was made; the text says why, for people."""


def wrapped(command: Command, wanted: list[str]) -> list[str]:
    """The argv, behind setpriv where another user or death with the spooler is wanted, nice and prlimit.
    Raises StartFailed."""
    before = [*_niceness(command), *_limits(command)]
    options = as_user(command) if command.run_as else []
    if command.kill_on_lease_end and _SETPRIV:
        options += ["--pdeathsig", "KILL"]
    argv = [_SETPRIV, *options, "--", *wanted] if options else wanted
    return [*before, *argv] if before else argv


def as_user(command: Command) -> list[str]:
    """What setpriv is told for its `run_as`; empty: that is the agent's own. Raises StartFailed."""
    try:
        user = pwd.getpwnam(command.run_as)
    except KeyError:
        raise StartFailed(f"run_as: no user {command.run_as!r} on this host") from None
    if user.pw_uid == os.geteuid():
        return []
    if os.geteuid() != 0 or not _SETPRIV:
        lacks = "an agent that runs as root" if os.geteuid() else "setpriv (util-linux) on its host"
        raise StartFailed(f"run_as {command.run_as!r} needs {lacks}")
    return [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]


@contextlib.contextmanager
def acting_as(command: Command) -> Iterator[None]:
    """What root may and its user may not, fails within. The spooler has one thread. Raises StartFailed."""
    if not (command.run_as and as_user(command)):
        yield
        return
    user = pwd.getpwnam(command.run_as)
    own_groups, own_group, own_user = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups(os.getgrouplist(command.run_as, user.pw_gid))
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        yield
    finally:
        os.seteuid(own_user)
        os.setegid(own_group)
        os.setgroups(own_groups)


def give_streams(command: Command, handles: Iterable[int]) -> None:
    """To its user: by /dev/stdout and /dev/stderr a process opens them anew. Raises StartFailed."""
    if as_user(command):
        user = pwd.getpwnam(command.run_as)
        for handle in handles:
            os.fchown(handle, user.pw_uid, user.pw_gid)


def _niceness(command: Command) -> list[str]:
    """What sets it and then runs what follows. As root still: another user may not lower his own."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    if command.nice is None or command.nice == own:
        return []
    if command.nice < own and os.geteuid() != 0:
        raise StartFailed(f"nice {command.nice}, below the agent's {own}, needs an agent that runs as root")
    if not _NICE:
        raise StartFailed("nice needs the program nice (coreutils) on the agent's host")
    return [_NICE, "-n", str(command.nice - own), "--"]


def _limits(command: Command) -> list[str]:
    """What sets them, hard and soft, and then runs what follows. As the agent's user, who may raise none
    above what he has."""
    if not (command.memory_bytes or command.open_files or command.cpu_s):
        return []
    if not _PRLIMIT:
        raise StartFailed("limits need the program prlimit (util-linux) on the agent's host")
    limits = [f"--data={command.memory_bytes}"] if command.memory_bytes else []
    if command.cpu_s:  # SIGXCPU at the first; at the second SIGKILL, which comes alone where both are one
        limits.append(f"--cpu={command.cpu_s}:{command.cpu_s + XCPU_S}")
    if command.open_files:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if command.open_files > most != resource.RLIM_INFINITY and os.geteuid() != 0:
            raise StartFailed(f"limits: open_files {command.open_files}, the agent's host allows it {most}")
        limits.append(f"--nofile={command.open_files}")
    return [_PRLIMIT, *limits, "--"]


def spawn(
    command: Command, argv: list[str], host: Surroundings, output: int, text: str | None,
    errors: int | None = None,
) -> int:  # fmt: skip
    """The process of this argv, which has the command's surroundings, and the text for its standard input.
    `errors`: where its stderr goes; None: with the output. Raises StartFailed."""
    stdin = host.null
    try:
        if text is not None:
            stdin = os.memfd_create("stdin", os.MFD_CLOEXEC)
            with open(stdin, "wb", closefd=False) as file:
                file.write(text.encode("utf-8", "surrogateescape"))
            os.lseek(stdin, 0, os.SEEK_SET)
        return _spawn(command, argv, (stdin, output, output if errors is None else errors), host)
    finally:
        if stdin != host.null:
            os.close(stdin)


def _spawn(command: Command, wanted: list[str], streams: tuple[int, int, int], host: Surroundings) -> int:
    cwd = command.cwd or "/"
    try:
        with acting_as(command):
            os.chdir(cwd)
    except (OSError, ValueError) as error:
        raise StartFailed(f"cwd {cwd!r}: {getattr(error, 'strerror', error)}") from error
    own_umask = os.umask(host.umask if command.umask is None else command.umask)
    own_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    executable = wanted[0]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, host.files)
        executable = program.find(wanted[0], command.environment.get("PATH", ""), cwd)
        argv = wrapped(command, wanted)
        # Checked before setpriv hides it behind its own exit code.
        if argv is not wanted and (why := program.why_not(executable, cwd)):
            raise StartFailed(why)
        return os.posix_spawn(
            executable if argv is wanted else argv[0],
            argv,
            command.environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, handle, place) for place, handle in enumerate(streams)],
            setsid=True,
            setsigmask=ENDING if command.elsewhere and wanted is command.argv else [],
            setsigdef=_DEFAULTS,
        )
    except program.Unstartable as error:
        raise StartFailed(str(error)) from error
    except OSError as error:
        why = program.why_not(executable, cwd) or f"{wanted[0]}: {error.strerror}"
        raise StartFailed(why) from error
    except ValueError as error:  # a NUL in an argument or the environment
        raise StartFailed(f"{wanted[0]!r}: {error}") from error
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, own_files)
        os.umask(own_umask)
        os.chdir("/")
