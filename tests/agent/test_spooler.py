"""A spooler process alone, spoken to over its socket."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.clock import HostClock, boot_ms
from agent.exits import Exit
from agent.spool import starting
from agent.spool.groups import Groups, name_of
from agent.spool.server import Spooler, attempts_max
from agent.spool.wire import Command, Unpacker, pack
from tests.agent.fake_node import DEADLINE_S
from tests.agent.host import REPOSITORY


class Spool:
    def __init__(self, data: Path, *options: str, prefix: Sequence[str] = ()) -> None:
        (data / "output").mkdir(parents=True, exist_ok=True)
        self.data = data
        self._prefix = prefix
        self._options = options
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *self._prefix, sys.executable, "-m", "agent.spool", "--data", str(self.data),
                "--boot-id", "boot", "--installation", self.data.name, "--parent-pid", str(os.getpid()),
                *self._options,
            ],
            cwd=REPOSITORY,
        )  # fmt: skip
        self.messages: list[list[Any]] = []

    def connect(self) -> None:
        """Until it has told its state: one whose patience ends meanwhile takes the connection along."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(DEADLINE_S)
            self.unpacker = Unpacker()
            self.messages = []
            try:
                self.socket.connect(str(self.data / "spooler.socket"))
                while not self.messages:
                    data = self.socket.recv(65536)
                    if not data:
                        raise ConnectionResetError("it ended")
                    self.messages += self.unpacker.feed(data)
                return
            except OSError:
                self.socket.close()
                assert time.monotonic() < deadline
                if self.process.poll() is not None:
                    self.start()

    def sweep(self) -> None:
        """What one that was killed leaves of control groups, the next would end."""
        left = Groups(name_of(self.data.name, self.data))
        left.end(None)
        left.close()

    def tell(self, *messages: list[Any]) -> None:
        self.socket.sendall(b"".join(map(pack, messages)))

    def expect(self, kind: str) -> list[Any]:
        while True:
            for message in self.messages:
                if message[0] == kind:
                    self.messages.remove(message)
                    return message
            data = self.socket.recv(65536)
            assert data, "the spooler closed the connection"
            self.messages += self.unpacker.feed(data)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "s")
    made.connect()
    yield made
    made.socket.close()
    made.process.kill()
    made.process.wait()
    made.sweep()


def command(attempt: int, line: str, **changes: Any) -> list[Any]:
    values: dict[str, Any] = {
        "attempt": attempt, "argv": ["sh", "-c", line], "environment": {"PATH": "/usr/bin:/bin"},
        "cwd": "/tmp", "stdin": None, "timeout_ms": None, "grace_ms": 1_000, "kill_on_lease_end": False,
        "output_bytes_max": 10_000, "valid_until_boot_ms": boot_ms() + 60_000,
    }  # fmt: skip
    return Command(**{**values, **changes}).row()


def test_it_ends_when_there_is_neither_agent_nor_work(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", "--idle-ms", "300")
    spool.connect()
    go = spool.data / "go"
    spool.tell(command(1, f"while [ ! -e {go} ]; do sleep 0.02; done; exit 3"))
    spool.expect("started")
    spool.socket.close()
    with pytest.raises(subprocess.TimeoutExpired):  # three times its patience: work keeps it
        spool.process.wait(1.0)
    go.touch()
    assert spool.process.wait(DEADLINE_S) == 0
    again = Spool(spool.data)
    again.connect()
    state = again.expect("state")
    assert [(row[0], row[3]) for row in state[3]] == [(1, 3)]
    again.tell(["forget", [1]], ["end"])
    assert again.process.wait(DEADLINE_S) == 0
    again.socket.close()


@pytest.mark.parametrize(
    ("line", "wrote"),
    [
        ("echo out", False),
        ("echo out; exit 3", False),
        ("printf e >&2", True),
        ("(exec >&-; sleep 0.1; echo late >&2) & exec 2>&-", True),
        ("exec 2>&-", False),
    ],
)
def test_it_tells_whether_something_was_written_to_stderr(
    spool: Spool, line: str, wrote: bool
) -> None:
    spool.tell(command(1, line, looks_at_stderr=True))
    end = Exit(*spool.expect("exit")[1:])
    assert end.wrote_stderr is wrote
    assert end.output_bytes == len(end.tail)


def test_both_streams_are_kept_and_their_limit_is_one(spool: Spool) -> None:
    line = "echo out; sleep 0.1; echo err >&2; sleep 0.1; echo more"
    spool.tell(command(1, line, looks_at_stderr=True))
    end = Exit(*spool.expect("exit")[1:])
    assert (end.tail, end.output_bytes, end.wrote_stderr) == (b"out\nerr\nmore\n", 13, True)
    line = "head -c 8000 /dev/zero; head -c 8000 /dev/zero >&2"
    spool.tell(command(2, line, looks_at_stderr=True, output_bytes_max=10_000))
    end = Exit(*spool.expect("exit")[1:])
    assert "bytes of output discarded (limit 10000)" in end.detail


@pytest.mark.parametrize(("line", "wrote"), [("echo out", False), ("echo err >&2", True)])
def test_what_runs_around_the_work_does_not_count_as_its_stderr(spool: Spool, line: str, wrote: bool) -> None:
    around = {"before": "echo first >&2", "after": "echo last >&2"}
    spool.tell(command(1, line, looks_at_stderr=True, **around))
    end = Exit(*spool.expect("exit")[1:])
    assert (end.exit_code, end.wrote_stderr) == (0, wrote)
    assert sorted(end.tail.split()) == sorted([b"first", *line.encode().split()[1:2], b"last"])


def test_what_is_there_already_is_not_made_again(spool: Spool) -> None:
    made, ran = spool.data / "made", spool.data / "ran"
    line = f"echo x >> {ran}; touch {made}"
    around = {"before": f"echo b >> {ran}", "after": f"echo a >> {ran}"}
    for attempt in (1, 2):
        spool.tell(command(attempt, line, skip_if_exists=str(made), **around))
        end = Exit(*spool.expect("exit")[1:])
        first = attempt == 1
        assert (end.reason, end.exit_code) == (("exit", 0) if first else ("exists", None))
        assert end.detail == ("" if first else f"{made} is there")
    assert ran.read_text() == "b\nx\na\n", "nothing of the second"


@pytest.mark.parametrize(("line", "code"), [("true", 0), ("exit 3", 3)])
def test_what_is_not_there_after_the_work_was_not_made(spool: Spool, line: str, code: int) -> None:
    told = spool.data / "told"
    after = {"after": f"echo $CRONCLAVE_STATE > {told}"}
    spool.tell(command(1, line, skip_if_exists="no/such/file", cwd=str(spool.data), **after))
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.exit_code, end.detail) == ("unmet", code, "no/such/file: it is not there")
    assert told.read_text() == "failed\n"


def test_work_that_is_cancelled_is_not_looked_after(spool: Spool) -> None:
    spool.tell(command(1, "sleep 60", skip_if_exists="/no/such/file"))
    spool.expect("started")
    spool.tell(["cancel", 1])
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.detail) == ("cancelled", "")


def test_work_that_is_to_make_something_and_cannot_start_says_why(spool: Spool) -> None:
    spool.tell(command(1, "true", argv=["no-such-program"], skip_if_exists="/no/such/file"))
    end = Exit(*spool.expect("exit")[1:])
    assert end.reason == "start_failed"
    assert "no-such-program" in end.detail


def test_silence_is_told_once_and_so_is_its_end(spool: Spool) -> None:
    go = spool.data / "go"
    spool.tell(command(1, f"while [ ! -e {go} ]; do sleep 0.02; done; echo on; sleep 60", quiet_ms=1_000))
    _, _, started_ms = spool.expect("started")
    _, attempt, since_ms, silent = spool.expect("silent")
    assert (attempt, silent) == (1, True)
    assert abs(since_ms - started_ms) < 1_000
    go.touch()
    _, attempt, wrote_ms, silent = spool.expect("silent")
    assert (attempt, silent) == (1, False)
    assert wrote_ms > since_ms
    assert spool.expect("silent")[1:] == [1, wrote_ms, True]


def test_an_agent_that_comes_back_is_told_what_is_silent(spool: Spool) -> None:
    spool.tell(command(1, "sleep 60", quiet_ms=1_000), command(2, "sleep 60"))
    told = spool.expect("silent")
    spool.socket.close()
    spool.connect()
    assert spool.expect("silent") == told
    spool.tell(["ping"])
    spool.expect("pong")
    assert [message for message in spool.messages if message[0] == "silent"] == []


def test_nobody_looks_at_stderr_where_it_does_not_count(spool: Spool) -> None:
    spool.tell(command(1, "echo out; echo err >&2"))
    end = Exit(*spool.expect("exit")[1:])
    assert (end.tail, end.wrote_stderr) == (b"out\nerr\n", None)
    assert len(command(1, "true")) == 12, "as an older spooler reads it"


def test_a_repeated_or_void_start_makes_no_process(spool: Spool) -> None:
    evidence = spool.data / "evidence"
    start = command(1, f"echo x >> {evidence}")
    spool.tell(start, start)
    assert spool.expect("exit")[1] == 1
    spool.tell(start, command(2, f"echo y >> {evidence}", valid_until_boot_ms=boot_ms() - 1))
    void = spool.expect("exit")
    assert (void[1], void[6]) == (2, "unstarted")
    assert evidence.read_text() == "x\n"


def test_the_lease_is_renewed_or_kills(spool: Spool) -> None:
    doomed = command(1, "sleep 60", kill_on_lease_end=True)
    now = boot_ms()
    renewed_until = now + 900
    # In one piece, so that the renewal is never read too late.
    spool.tell(["lease", now + 400], doomed, command(2, "sleep 60"), ["lease", renewed_until])
    end = spool.expect("exit")
    assert (end[1], end[6]) == (1, "gone")
    assert boot_ms() >= renewed_until
    spool.tell(["cancel", 2])
    assert spool.expect("exit")[6] == "cancelled"


@pytest.mark.parametrize(
    "changes",
    [
        {"cwd": "/tmp\0x"},
        {"argv": ["sh\0"]},
        {"argv": ["true"], "environment": {"A=B": "c", "PATH": "/bin"}},
        {"run_as": "nobody-of-this-name"},
        {"cwd": "/etc/passwd"},
        {"argv": ["/tmp"]},
    ],
)
def test_work_that_cannot_start_ends_alone(spool: Spool, changes: dict[str, Any]) -> None:
    spool.tell(command(1, "true", **changes), command(2, "exit 2"))
    ends = {end[1]: end for end in (spool.expect("exit"), spool.expect("exit"))}
    assert ends[1][6] == "start_failed"
    assert ends[1][7]
    assert ends[2][4] == 2


def test_what_only_a_newer_spooler_knows_cannot_start_and_ends_nothing_else(spool: Spool) -> None:
    whole = command(2, "true", elsewhere=True)
    spool.tell(command(1, "sleep 60"), [*whole, "of a later version"], command(3, "exit 3"))
    newer, other = Exit(*spool.expect("exit")[1:]), Exit(*spool.expect("exit")[1:])
    assert (newer.attempt, newer.reason, newer.started_ms) == (2, "start_failed", None)
    assert "newer than its spooler" in newer.detail
    assert (other.attempt, other.exit_code) == (3, 3)
    spool.tell(["cancel", 1])
    assert Exit(*spool.expect("exit")[1:]).reason == "cancelled", "what ran before goes on"


def test_work_has_the_umask_and_the_niceness_that_it_asks_for(spool: Spool) -> None:
    spool.tell(
        command(1, "umask; nice", umask=0o027, nice=os.getpriority(os.PRIO_PROCESS, 0) + 3),
        command(2, "umask; nice"),
    )
    ends = {end[1]: end[8].split() for end in (spool.expect("exit"), spool.expect("exit"))}
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert (int(ends[1][0], 8), int(ends[1][1])) == (0o027, own + 3)
    assert int(ends[2][1]) == own


if os.geteuid() == 0:

    def test_work_runs_as_the_user_with_his_groups_and_nothing_of_root_s(spool: Spool) -> None:
        daemon = pwd.getpwnam("daemon")
        groups = set(os.getgrouplist("daemon", daemon.pw_gid))
        line = "id -u; id -g; id -G; test -r /etc/shadow && echo may-read; umask"
        spool.tell(command(1, line, run_as="daemon", umask=0o077, nice=-1, kill_on_lease_end=False))
        end = spool.expect("exit")
        uid, gid, told, umask = end[8].decode().splitlines()
        assert (int(uid), int(gid)) == (daemon.pw_uid, daemon.pw_gid)
        assert set(map(int, told.split())) == groups
        assert int(umask, 8) == 0o077

    def test_work_of_another_user_is_where_he_may_be(spool: Spool) -> None:
        """A folder that he cannot enter shields what is below: root's way in would take him past that."""
        shut = spool.data / "shut"
        (shut / "below").mkdir(parents=True)
        (shut / "below" / "file").write_text("of others")
        spool.data.parent.chmod(0o755)
        spool.data.chmod(0o755)
        shut.chmod(0o700)
        (shut / "below").chmod(0o755)
        for attempt, user in ((1, "daemon"), (2, "")):
            spool.tell(command(attempt, "cat file", run_as=user, cwd=str(shut / "below")))
        refused, own = Exit(*spool.expect("exit")[1:]), Exit(*spool.expect("exit")[1:])
        assert (refused.reason, refused.detail) == ("start_failed", f"cwd '{shut}/below': Permission denied")
        assert own.tail == b"of others"
        spool.tell(command(3, "id -u; id -G"))
        assert spool.expect("exit")[8].split()[0] == b"0", "the spooler is itself again"

    def test_work_of_another_user_opens_its_output_anew(spool: Spool) -> None:
        line = "echo out >/dev/stdout; echo bad >/dev/stderr"
        spool.tell(command(1, line, run_as="daemon", looks_at_stderr=True))
        end = Exit(*spool.expect("exit")[1:])
        assert (end.exit_code, sorted(end.tail.split()), end.wrote_stderr) == (0, [b"bad", b"out"], True)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"run_as": "daemon"}, "run_as 'daemon' needs an agent that runs as root"),
            ({"run_as": "root"}, "run_as 'root' needs an agent that runs as root"),
            ({"nice": -5}, "nice -5, below the agent's 0, needs an agent that runs as root"),
        ],
    )
    def test_an_agent_that_is_not_root_says_so(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
        command_ = Command.of_row(command(1, "true", **changes)[1:])
        told = forked_as("nobody", lambda: starting.wrapped(command_, command_.argv))
        assert told == f"StartFailed: {said}"

    def forked_as(user: str, asked: Callable[[], object]) -> str:
        """What it says in a process of this user: an answer, or what it raised."""
        read, write = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                os.setuid(pwd.getpwnam(user).pw_uid)
                said = str(asked())
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
            os.write(write, said.encode())
            os._exit(0)
        os.waitpid(pid, 0)
        os.close(write)
        with open(read, "rb") as file:
            return file.read().decode()


def test_a_new_connection_voids_what_the_old_one_left_unread(spool: Spool) -> None:
    spool.expect("state")
    old = spool.socket
    spool.connect()
    assert spool.expect("state")[2] == []
    evidence = spool.data / "evidence"
    with contextlib.suppress(OSError):
        old.sendall(pack(command(1, f"touch {evidence}")))
    spool.tell(command(2, "true"))
    assert spool.expect("exit")[1] == 2
    assert not evidence.exists()
    old.close()


def test_a_lease_that_has_ended_is_not_revived(tmp_path: Path) -> None:
    """The host slept past its end (epoll's clock stood still); the agent's renewal is read first."""
    numbers = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    wakeup = signal.set_wakeup_fd(-1)
    (tmp_path / "output").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(1)
        slept_ms = 0
        clock = HostClock(boot_ms=lambda: boot_ms() + slept_ms)
        spooler = Spooler(tmp_path, "boot", tmp_path.name, listener, job_umask=0o022, clock=clock)
        try:
            spooler._obey(["lease", boot_ms() + 20_000])
            spooler._obey(command(1, "sleep 60", kill_on_lease_end=True))
            spooler._obey(command(2, "sleep 60"))
            slept_ms = 25_000
            spooler._obey(["lease", boot_ms() + 60_000])
            assert {n: held.cause for n, held in spooler._running.items()} == {1: "gone", 2: ""}
        finally:
            for held in spooler._running.values():
                held.kill()
                os.waitpid(held.pid, 0)
            signal.set_wakeup_fd(wakeup)
            for number, handler in handlers.items():
                signal.signal(number, handler)


def living(mark: str) -> list[int]:
    """Processes with this word in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and mark.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


LATE = (
    "import os, sys, time\n"
    "began = time.monotonic()\n"
    "if os.fork(): os._exit(0)\n"
    "time.sleep(0.2)\n"
    "os.setsid()\n"
    "late = time.monotonic() - began\n"
    "if os.fork(): os._exit(0)\n"
    "os.close(os.open(f'{sys.argv[0]}.{os.getpid()}.{late < 0.9}', os.O_CREAT))\n"
    "os.execvp('sleep', ['sleep', sys.argv[1]])\n"
)
REPEATED, AT_ONCE = 100, 10


@pytest.mark.parametrize(
    ("recipe", "left"),
    [
        ("setsid sleep {mark} >/dev/null 2>&1 &", REPEATED),
        ("( setsid sleep {mark} >/dev/null 2>&1 & ) ; exit 0", REPEATED),
        ("setsid --fork sleep {mark} >/dev/null 2>&1", REPEATED),
        ("sleep {mark} >/dev/null 2>&1 &", 0),
        ("nohup sleep {mark} >/dev/null 2>&1 &", 0),
    ],
)
def test_what_has_a_session_of_its_own_is_left_and_nothing_else(spool: Spool, recipe: str, left: int) -> None:
    _leaves(spool, recipe, REPEATED, left)


def test_a_daemon_that_takes_its_session_late_is_left(spool: Spool) -> None:
    """Those that the host let take it within the second."""
    late = spool.data / "late.py"
    late.write_text(LATE)
    line = f"{sys.executable} -S -E {late} {{mark}} </dev/null >/dev/null 2>&1"
    with _sleepers() as mark:
        _ends(spool, line.format(mark=mark), 20)
        in_time = {int(path.name.split(".")[2]) for path in spool.data.glob("late.py.*.True")}
        assert in_time
        deadline = time.monotonic() + DEADLINE_S
        while not in_time <= set(living(mark)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert in_time <= set(living(mark))


def _leaves(spool: Spool, recipe: str, repeated: int, left: int) -> None:
    with _sleepers() as mark:
        _ends(spool, recipe.format(mark=mark), repeated)
        deadline = time.monotonic() + DEADLINE_S
        while len(living(mark)) != left and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(living(mark)) == left


def _ends(spool: Spool, line: str, repeated: int) -> None:
    """Few at once: each has a second, on whatever host."""
    for first in range(1, repeated + 1, AT_ONCE):
        for attempt in range(first, min(first + AT_ONCE, repeated + 1)):
            spool.tell(command(attempt, line))
        ends = [spool.expect("exit") for _ in range(first, min(first + AT_ONCE, repeated + 1))]
        assert {(end[4], end[6]) for end in ends} == {(0, "exit")}


@contextlib.contextmanager
def _sleepers() -> Iterator[str]:
    mark = f"{6_000 + os.getpid() / 1e7:.7f}"  # seconds that nobody else sleeps
    try:
        yield mark
    finally:
        for pid in living(mark):
            os.kill(pid, signal.SIGKILL)


def test_a_cancel_does_not_wait_for_what_may_leave(spool: Spool) -> None:
    spool.tell(command(1, "trap 'exit 7' TERM; sleep 60 & wait", grace_ms=60_000))
    spool.expect("started")
    spool.tell(["cancel", 1])
    end = spool.expect("exit")
    assert end[6] == "cancelled"


def test_the_end_that_came_first_stands_while_the_group_leaves(spool: Spool) -> None:
    note = spool.data / "pid"
    spool.tell(command(1, f"sleep 60 & echo $$ > {note}.new; mv {note}.new {note}; exit 3"))
    deadline = time.monotonic() + DEADLINE_S
    while not (note.exists() and has_ended(int(note.read_text()))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    spool.tell(["cancel", 1])
    end = spool.expect("exit")
    assert (end[4], end[6]) == (3, "exit")


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or is a zombie that nobody has reaped yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # ESRCH too: it went while being read
        return True
    return stat.rpartition(")")[2].split()[0] in ("Z", "X")


def test_work_finds_every_signal_at_its_default(spool: Spool) -> None:
    evidence = spool.data / "signals"
    spool.tell(command(1, f"grep -E '^Sig(Ign|Blk)' /proc/self/status > {evidence}"))
    spool.expect("exit")
    theirs = sum(1 << number - 1 for number in signal.valid_signals())  # two are the C library's own
    _, blocked, _, ignored = evidence.read_text().split()
    assert (int(blocked, 16) & theirs, int(ignored, 16) & theirs) == (0, 0)


def marked(spool: Spool, fence: int) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin", "CRONCLAVE_INSTALLATION": spool.data.name, "CRONCLAVE_FENCE": str(fence),
    }  # fmt: skip


def test_a_spooler_that_died_takes_its_running_work_and_leaves_what_was_left_behind(spool: Spool) -> None:
    behind, inside, left = (f"{seconds + os.getpid() / 1e7:.7f}" for seconds in (6_100, 6_200, 6_300))
    daemon = "setsid sleep {} >/dev/null 2>&1 &"
    try:
        spool.tell(command(1, daemon.format(behind), environment=marked(spool, 11)))
        assert spool.expect("exit")[4] == 0
        spool.tell(["forget", [1]])
        line = f"{daemon.format(inside)} sleep {left}"
        spool.tell(command(2, line, environment=marked(spool, 12)))
        deadline = time.monotonic() + DEADLINE_S
        while not (living(inside) and living(left)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        spool.process.kill()
        spool.process.wait()
        spool.socket.close()

        spool.start()
        spool.connect()

        assert [(row[0], row[5]) for row in spool.expect("state")[3]] == [(2, "gone")]
        assert (living(inside), living(left)) == ([], [])
        assert len(living(behind)) == 1
    finally:
        for pid in (pid for mark in (behind, inside, left) for pid in living(mark)):
            os.kill(pid, signal.SIGKILL)


def test_attempts_that_take_all_open_files_are_refused_and_never_end_the_spooler(tmp_path: Path) -> None:
    """Their output came while the agent was away and took the last descriptor: it ended in accept()."""
    files, wanted = 96, 60
    limited = ["sh", "-c", f'ulimit -n {files}; ulimit -S -n 48; exec "$@"', "sh"]
    spool = Spool(tmp_path / "s", "--idle-ms", "300", prefix=limited)
    spool.connect()
    spool.expect("state")
    go = tmp_path / "go"
    line = f"until test -e {go}; do sleep 0.1; done; ulimit -S -n; exec sleep 60"
    try:
        for attempt in range(1, wanted + 1):
            spool.tell(command(attempt, line, stdin="for a moment"))
        most = attempts_max(files)
        refused = [spool.expect("exit") for _ in range(wanted - most)]
        assert {(end[6], "open files" in end[7]) for end in refused} == {("start_failed", True)}
        spool.socket.close()
        go.touch()
        told = {tmp_path / "s" / "output" / "0" / f"{attempt}.log" for attempt in range(1, most + 1)}
        deadline = time.monotonic() + DEADLINE_S
        while not all(path.exists() and path.read_text() for path in told):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert {path.read_text() for path in told} == {"48\n"}, "the work has the limit of its host"
        spool.connect()
        assert len(spool.expect("state")[2]) == most
        spool.tell(["end"])
        assert spool.process.wait(DEADLINE_S) == 0
    finally:
        spool.socket.close()
        spool.process.kill()
        spool.process.wait()
