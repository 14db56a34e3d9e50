"""The ordinary life of an attempt on a real agent process."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from scheduler.protocol import Cancel, Claim, Finished, Grant, Running, TailChunk, TailRequest
from tests.agent.fake_node import FakeNode, assign, shell
from tests.agent.host import Host, alive, until


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
