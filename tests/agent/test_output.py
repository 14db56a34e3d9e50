"""What becomes of output beyond its limit and beyond the disk, and where in it the last bytes stand."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.output import output_path
from agent.spool.child import TAIL_SUCCESS_BYTES
from tests.agent.fake_node import DEADLINE_S
from tests.agent.test_spooler import Spool, command

LOST = rb"\n\[(\d+) bytes of output lost: Not a directory\]\n(x*)kept\n"


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "s")
    made.connect()
    yield made
    made.socket.close()
    made.process.kill()
    made.process.wait()


def end_of(spool: Spool) -> tuple[int | None, str, str, bytes, int]:
    """Exit code, reason, detail, last bytes, and where the output ends."""
    row = spool.expect("exit")
    return row[4], row[6], row[7], row[8], row[9]


@pytest.mark.parametrize("rest", [b"yy", b"y" * 100_000])
def test_an_attempt_goes_on_at_its_output_limit(spool: Spool, rest: bytes) -> None:
    """job.md said that it is stopped."""
    evidence = spool.data / "evidence"
    line = f"printf 0123456789; head -c {len(rest)} /dev/zero | tr '\\0' y; touch {evidence}"

    spool.tell(command(1, line, output_bytes_max=10))
    code, reason, detail, tail, ends = end_of(spool)

    assert evidence.exists()
    assert (code, reason) == (0, "exit")
    assert detail == f"{len(rest)} bytes of output discarded (limit 10)"
    kept = output_path(spool.data / "output", 1).read_bytes()
    assert kept == b"0123456789\n[output limit of 10 bytes: the rest is discarded]\n"
    assert ends == len(kept + rest)
    assert tail == (kept + rest)[-TAIL_SUCCESS_BYTES:]


def test_a_mark_stands_for_what_a_disk_did_not_take(spool: Spool) -> None:
    evidence, go = spool.data / "evidence", spool.data / "go"
    in_the_way = output_path(spool.data / "output", 1).parent
    in_the_way.touch()
    line = f"head -c 200000 /dev/zero | tr '\\0' x; touch {evidence}"
    line += f"; while [ ! -e {go} ]; do sleep 0.02; done; echo kept"

    spool.tell(command(1, line, output_bytes_max=1 << 20))
    deadline = time.monotonic() + DEADLINE_S
    while not evidence.exists():  # more than a pipe takes: most of it was read by then
        assert time.monotonic() < deadline
        time.sleep(0.01)
    in_the_way.unlink()
    go.touch()
    code, _, detail, tail, ends = end_of(spool)

    kept = output_path(spool.data / "output", 1).read_bytes()
    found = re.fullmatch(LOST, kept)
    assert found, kept[:200]
    assert int(found[1]) + len(found[2]) == 200_000
    assert (code, detail) == (0, f"{int(found[1])} bytes of output lost (Not a directory)")
    assert (ends, tail) == (len(kept), kept[-TAIL_SUCCESS_BYTES:])


def test_the_last_bytes_are_known_though_the_disk_took_none(spool: Spool) -> None:
    output_path(spool.data / "output", 1).parent.touch()

    spool.tell(command(1, "head -c 5000 /dev/zero | tr '\\0' x; echo end", output_bytes_max=1 << 20))
    code, _, detail, tail, ends = end_of(spool)

    assert (code, detail) == (0, "5004 bytes of output lost (Not a directory)")
    assert (ends, tail) == (5_004, (b"x" * 5_000 + b"end\n")[-TAIL_SUCCESS_BYTES:])
