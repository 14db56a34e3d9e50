"""The ordinary life of an attempt on a real agent process."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from agent.spool import starting
from agent.work import environment
from scheduler.model import canonical, compile_job, parse_job
from scheduler.protocol import Cancel, Claim, Finished, Grant, Refuse, Running, Silent, TailChunk, TailRequest
from tests.agent.fake_node import DEADLINE_S, FakeNode, assign, shell
from tests.agent.host import Host, alive, noted_pids, until


async def test_a_shell_line_runs_and_its_end_is_reported(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    await node.send(shell(1, "echo hello; echo there >&2; exit 3"))
    end = await node.finished(1)
    assert (end.exit_code, end.signal, end.reason) == (3, None, "exit")
    assert end.tail == b"hello\nthere\n"
    assert end.started_ms is not None
    assert end.started_ms <= end.finished_ms


async def test_noop_and_exec_work(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    await node.send(
        assign(1, {"kind": "noop"}),
        assign(2, {"kind": "exec", "argv": ["printf", "%s-%s", "a b", "$HOME"]}),
        assign(3, {"kind": "exec", "argv": ["no-such-program-here"]}),
        assign(4, {"kind": "teleport"}),
    )
    assert (await node.finished(1)).exit_code == 0
    assert (await node.finished(2)).tail == b"a b-$HOME"
    failed = await node.finished(3)
    assert (failed.reason, failed.exit_code, failed.started_ms) == ("start_failed", None, None)
    assert "no-such-program-here" in failed.detail
    unknown = await node.finished(4)
    assert unknown.reason == "start_failed"
    assert "teleport" in unknown.detail


async def test_work_that_writes_nothing_is_told_until_the_node_knows_it(
    host: Host, node: FakeNode, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    host.start()
    await node.connected()
    node.acknowledges = False
    line = f"while [ ! -e {go} ]; do sleep 0.02; done; echo on; sleep 60"
    await node.send(assign(1, {"kind": "shell", "run": line, "quiet_ms": 1_000}))
    await node.until(lambda: node.all(Silent, 1))
    first = node.all(Silent, 1)[0]
    assert first.silent
    await node.close_sockets()
    await node.until(lambda: len(node.all(Silent, 1)) > 1)
    assert set(node.all(Silent, 1)) == {first}
    node.acknowledges = True
    go.touch()
    await node.until(lambda: len(set(node.all(Silent, 1))) == 3)
    _, wrote, again = dict.fromkeys(node.all(Silent, 1))
    assert (wrote.silent, again.silent) == (False, True)
    assert first.since_ms < wrote.since_ms == again.since_ms


async def test_the_environment_of_a_task(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    work = {"kind": "shell", "run": "env; pwd; cat", "env": {"A": "ü", "HOME": "/tmp"}, "stdin": "fed\n"}
    await node.send(assign(7, work), assign(8, {**work, "cwd": "/usr"}), assign(9, {**work, "cwd": "/none"}))
    lines = (await node.finished(7)).tail.decode().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    assert values["CRONCLAVE_JOB"] == "job"
    assert values["CRONCLAVE_ATTEMPT"] == "7"
    assert values["CRONCLAVE_FENCE"] == "1007"
    assert values["CRONCLAVE_AGENT"] == "agent-1"
    assert values["CRONCLAVE_ZONE"] == "zone-a"
    assert values["A"] == "ü"
    assert values["SHELL"] == "/bin/sh"
    assert not {"PYTHONPATH", "CRONCLAVE_AGENT_CONFIG", "VIRTUAL_ENV"} & set(values)
    assert "fed" in lines
    assert "/tmp" in lines
    assert "/usr" in (await node.finished(8)).tail.decode().splitlines()
    failed = await node.finished(9)
    assert failed.reason == "start_failed"
    assert "/none" in failed.detail


async def test_a_script_finds_its_files_and_none_is_left(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    python = "import os, sys; print(sys.argv[0]); print(open(os.environ['CRONCLAVE_FILES'] + '/a').read())"
    files = {"a": "of the file", "script.sql": "x"}
    await node.send(
        assign(1, {"kind": "script", "text": python, "interpreter": ["python3", "-u"], "files": files}),
        assign(2, {"kind": "script", "text": "#!/bin/sh\nid -u; stat -c %a $CRONCLAVE_FILES $0"}),
        assign(3, {"kind": "script", "text": "exit 3", "interpreter": ["sh"], "cwd": "/none"}),
    )
    own, said = (await node.finished(1)).tail.decode().splitlines()
    assert said == "of the file"
    assert not Path(own).parent.exists()
    assert (await node.finished(2)).tail.decode().split()[1:] == ["700", "700"]
    assert (await node.finished(3)).reason == "start_failed"
    installation = node.hellos[0].installation
    assert not list(Path(tempfile.gettempdir()).glob(f"cronclave-script-{installation}-*"))


async def test_limits_hold_each_process_and_leave_the_agent_as_it_was(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    eats = "x = bytearray(200 << 20); print('had it')"
    shows = "ulimit -d; ulimit -n; ulimit -Hn"
    both = {"memory": 64 << 20, "open_files": 99}
    python = [sys.executable, "-S", "-E", "-c", eats]
    await node.send(
        assign(1, {"kind": "shell", "run": shows, "limits": both}),
        assign(2, {"kind": "exec", "argv": python, "limits": {"memory": 64 << 20}}),
        assign(3, {"kind": "exec", "argv": python}),
        assign(4, {"kind": "shell", "run": f"{shows}; nice", "limits": {"open_files": 50}, "nice": 3}),
        assign(5, {"kind": "exec", "argv": [*python[:-1], "while True: pass"], "limits": {"cpu_time": 1}}),
        assign(6, {"kind": "shell", "run": "ulimit -St; ulimit -Ht", "limits": {"cpu_time": 60}}),
    )
    assert (await node.finished(1)).tail.decode().split() == [str(64 << 10), "99", "99"]
    assert b"MemoryError" in (await node.finished(2)).tail
    assert (await node.finished(3)).tail == b"had it\n"
    assert (await node.finished(4)).tail.decode().split() == ["unlimited", "50", "50", "3"]
    used = await node.finished(5)
    said = "limits: a process of it has used its cpu_time of 1 s"
    assert (used.signal, used.detail) == (signal.SIGXCPU, said)
    assert (await node.finished(6)).tail.decode().split() == ["60", str(60 + starting.XCPU_S)]


def test_a_user_that_the_host_gets_later_is_not_taken_for_missing_for_ever() -> None:
    kept = environment._known.cache_info().currsize
    assert environment._user("nobody-of-here") == ("nobody-of-here", "/")
    assert environment._known.cache_info().currsize == kept


async def test_a_function_of_a_module_is_called_and_gives_its_outputs(host: Host, node: FakeNode) -> None:
    (host.folder / "jobs").mkdir()
    (host.folder / "jobs" / "nightly.py").write_text(
        "import sys\n"
        "class Report:\n"
        "    def main(): print('called', len(sys.argv)); return {'rows': 3}\n"
        "def fails(): raise ValueError('no rows')\n"
    )
    host.start()
    await node.connected()

    def call(function: str, **fields: Any) -> dict[str, Any]:
        (task,) = compile_job(canonical(parse_job({"job": "j", "python": function, **fields}))).tasks
        return task.work

    cwd = str(host.folder)
    await node.send(
        assign(1, call("jobs.nightly:Report.main", cwd=cwd, outputs=["rows"])),
        assign(2, call("jobs.nightly:fails", cwd=cwd)),
        assign(3, call("jobs.none:main", cwd=cwd)),
    )
    good = await node.finished(1)
    assert (good.exit_code, good.tail, good.outputs) == (0, b"called 1\n", b'{"rows":3}')
    for attempt, said in ((2, "no rows"), (3, "No module named 'jobs.none'")):
        end = await node.finished(attempt)
        assert end.exit_code == 1
        assert said in end.tail.decode()


async def test_nothing_starts_before_it_is_due_by_the_nodes_clock(host: Host, node: FakeNode) -> None:
    node.clock_ahead_ms = -700  # the host's own clock would start everything too early
    host.start()
    await node.connected()
    dues = {attempt: node.now_ms() + 200 + 37 * attempt for attempt in range(1, 9)}
    stamps = host.folder / "stamps"
    await node.send(
        *[shell(a, f"echo {a} $(date +%s%3N) >> {stamps}", due_ms=due) for a, due in dues.items()],
        assign(20, {"kind": "noop"}, due_ms=node.now_ms() + 400),
    )
    await node.until(lambda: len(node.all(Finished)) == 9)
    for line in stamps.read_text().splitlines():
        attempt, stamp = map(int, line.split())
        assert stamp + node.clock_ahead_ms >= dues[attempt]


async def test_without_a_grant_nothing_starts(host: Host, node: FakeNode) -> None:
    node.grants = False
    host.start()
    await node.connected()
    evidence = host.folder / "evidence"
    await node.send(shell(1, f"touch {evidence}"))
    await node.until(lambda: len(node.all(Claim, 1)) >= 3)  # claimed again and again, with one id
    assert len({claim.claim for claim in node.all(Claim, 1)}) == 1
    assert not evidence.exists()
    await node.send(Refuse(1, node.all(Claim, 1)[0].claim, "revoked"))
    await node.send(shell(2, "true"))
    node.grants = True
    await node.finished(2)
    await node.send(Grant(1, node.all(Claim, 1)[0].claim, 1, 1), shell(3, "true"))
    await node.finished(3)
    assert not evidence.exists()
    assert not node.all(Finished, 1)


async def test_repeated_assignments_and_grants_start_once(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    evidence = host.folder / "evidence"
    work = shell(1, f"echo x >> {evidence}; sleep 0.4")
    noop = assign(3, {"kind": "noop"}, due_ms=node.now_ms() + 300)
    await node.send(work, work, noop, noop)
    await node.until(lambda: node.all(Running, 1))
    claim = node.all(Claim, 1)[0]
    await node.send(work, Grant(1, claim.claim, 1, 2), Grant(1, claim.claim, 1, 2))
    await node.finished(1)
    await node.send(work, Grant(1, claim.claim, 1, 2), shell(2, "true"))
    await node.finished(2)
    await node.finished(3)
    assert evidence.read_text() == "x\n"
    for attempt in (1, 3):
        assert len({claim.claim for claim in node.all(Claim, attempt)}) == 1
        assert len(node.all(Finished, attempt)) == 1


async def test_a_grant_that_comes_too_late_starts_nothing(host: Host, node: FakeNode) -> None:
    node.grants = False
    host.start()
    await node.connected()
    evidence = host.folder / "evidence"
    await node.send(shell(1, f"touch {evidence}"))
    await node.until(lambda: node.all(Claim, 1))
    assert host.agent is not None
    # The host sleeps: what was granted meanwhile is read eleven seconds after the claim.
    host.agent.send_signal(signal.SIGSTOP)
    claims = len(node.all(Claim, 1))
    await node.send(Grant(1, node.all(Claim, 1)[0].claim, 1, 5))
    asleep = time.monotonic()
    await until(lambda: time.monotonic() - asleep > 10.2)
    host.agent.send_signal(signal.SIGCONT)
    end = await node.finished(1)
    assert (end.reason, end.started_ms, end.exit_code) == ("unstarted", None, None)
    assert "void" in end.detail
    assert not evidence.exists()
    assert claims >= 1


async def test_cancel_ends_the_whole_group(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    pids = host.folder / "pids"
    stubborn = f"trap '' TERM; echo $$ >> {pids}; while :; do sleep 0.05; done"
    await node.send(
        shell(1, f"echo $$ >> {pids}; (sh -c '{'echo $$ >> ' + str(pids)}; sleep 60' & sleep 60) & sleep 60"),
        assign(2, {"kind": "exec", "argv": ["sh", "-c", stubborn]}, grace_ms=200),
    )
    groups = await noted_pids(pids, 3)
    await node.send(Cancel(1), Cancel(2))
    ends = [await node.finished(1), await node.finished(2)]
    assert [(e.reason, e.exit_code, e.signal) for e in ends] == [
        ("cancelled", None, signal.SIGTERM),
        ("cancelled", None, signal.SIGKILL),
    ]
    await until(lambda: not any(alive(pid) for pid in groups))


async def test_cancel_at_once_waits_for_no_grace(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    pids = host.folder / "pids"
    work = f"trap 'echo late >> {pids}' TERM; echo $$ >> {pids}; while :; do sleep 0.05; done"
    await node.send(assign(1, {"kind": "exec", "argv": ["sh", "-c", work]}, grace_ms=3_600_000))
    (pid,) = await noted_pids(pids, 1)
    await node.send(Cancel(1, at_once=True))
    end = await node.finished(1)
    assert (end.reason, end.exit_code, end.signal) == ("cancelled", None, signal.SIGKILL)
    assert not alive(pid)
    assert "late" not in pids.read_text(), "it was asked before"


async def test_cancel_before_the_start_and_after_the_end(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    evidence = host.folder / "evidence"
    await node.send(shell(1, f"touch {evidence}", due_ms=node.now_ms() + 60_000))
    await node.until(lambda: node.all(Claim, 1))
    await node.send(Cancel(1), shell(2, "exit 4"))
    assert (await node.finished(1)).reason == "cancelled"
    assert (await node.finished(2)).exit_code == 4
    await node.send(Cancel(2), shell(3, "true"))
    await node.finished(3)
    assert len(node.all(Finished, 2)) == 1
    assert not evidence.exists()


async def test_a_timeout_ends_the_group(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    await node.send(shell(1, "sleep 60 | cat", timeout_ms=300))
    end = await node.finished(1)
    assert (end.reason, end.signal) == ("timeout", signal.SIGTERM)
    assert end.started_ms is not None
    assert end.finished_ms - end.started_ms >= 300


@pytest.mark.parametrize("ended", ["cancel", "timeout"])
async def test_what_is_ended_by_force_ends_with_all_that_left_its_group(
    host: Host, node: FakeNode, ended: str
) -> None:
    """By its mark, and where that was cleared by its session; at its own end such things live on (below)."""
    host.start()
    await node.connected()
    pids = host.folder / "pids"
    stray = host.folder / "stray"
    stray.write_text(f"trap '' TERM; echo $$ >> {pids}; while :; do sleep 0.05; done")
    leave = f"import os; os.setpgid(0, 0); os.execvp('sh', ['sh', '{stray}'])"
    line = f'(setsid sh {stray} &); env -i {sys.executable} -c "{leave}" & sleep 60'
    timeout_ms = 2_000 if ended == "timeout" else None
    await node.send(shell(1, line, timeout_ms=timeout_ms))
    left = await noted_pids(pids, 2)
    if ended == "cancel":
        await node.send(Cancel(1))
    end = await node.finished(1)
    assert end.reason == ("timeout" if ended == "timeout" else "cancelled")
    assert not any(alive(pid) for pid in left), "it was told before all had ended"


async def test_what_the_first_process_leaves_in_its_group_ends_with_it(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    pid_file = host.folder / "pid"
    await node.send(shell(1, f"sleep 60 & echo $! > {pid_file}; exit 0"))
    assert (await node.finished(1)).exit_code == 0
    (left,) = await noted_pids(pid_file)
    await until(lambda: not alive(left))


async def test_output_is_limited_and_the_work_goes_on(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    line = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last; exit 9"
    await node.send(shell(1, line, output_bytes_max=10_000))
    end = await node.finished(1)
    assert end.exit_code == 9
    assert f"{3_000_006 - 10_000} bytes of output discarded" in end.detail
    assert end.tail.endswith(b"x\nlast\n")
    assert len(end.tail) == 16 << 10
    await node.send(TailRequest(1, 1, 9_990, 1_000), TailRequest(2, 1, 0, 100), TailRequest(3, 99, 0, 100))
    await node.until(lambda: len(node.all(TailChunk)) == 3)
    first, second, third = node.all(TailChunk)
    assert first.data.startswith(b"x" * 10 + b"\n[output limit of 10000 bytes")
    assert first.ended
    assert second.data == b"x" * 100
    assert not second.ended
    assert third.missing


async def test_output_can_be_read_while_it_is_written(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, f"echo one; while [ ! -e {go} ]; do sleep 0.02; done; echo two"))
    await node.until(lambda: node.all(Running, 1))

    async def asked(number: int, offset: int) -> TailChunk:
        await node.send(TailRequest(number, 1, offset, 100))
        await node.until(lambda: len(node.all(TailChunk)) == number)
        return node.all(TailChunk)[-1]

    number, chunk = 1, await asked(1, 0)
    deadline = time.monotonic() + DEADLINE_S
    while chunk.data != b"one\n":  # it runs, and may not have come to its first word
        assert time.monotonic() < deadline, chunk
        assert chunk.data == b""
        number, chunk = number + 1, await asked(number + 1, 0)
    assert not chunk.ended
    go.touch()
    await node.finished(1)
    chunk = await asked(number + 1, 4)
    assert (chunk.data, chunk.ended, chunk.size) == (b"two\n", True, 8)


async def test_many_at_one_instant(host: Host, node: FakeNode) -> None:
    host.settings["slots"] = "500"
    host.start()
    await node.connected()
    due_ms = node.now_ms() + 300
    evidence = host.folder / "evidence"
    await node.send(*[shell(a, f"echo {a} >> {evidence}", due_ms=due_ms) for a in range(1, 201)])
    await node.until(lambda: len(node.all(Finished)) == 200)
    assert sorted(map(int, Path(evidence).read_text().split())) == list(range(1, 201))
