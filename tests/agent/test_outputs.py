"""What a command gives to the tasks after it, in a real spooler."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.exits import Exit
from agent.spool.wire import Secret
from tests.agent.fake_node import DEADLINE_S
from tests.agent.test_spooler import Spool, command

NAMES = ("rows", "path", "done")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    # Its name is the installation's, of which a spooler that starts sweeps what is left.
    made = Spool(tmp_path / f"outputs-{os.getpid()}")
    made.connect()
    yield made
    made.socket.close()
    made.process.kill()
    made.process.wait()


def end_of(spool: Spool, line: str, **changes: Any) -> Exit:
    spool.tell(command(1, line, **{"outputs": NAMES, "outputs_bytes_max": 200, **changes}))
    return Exit(*spool.expect("exit")[1:])


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("rows=42\\npath=/a b=c \\n", {"rows": "42", "path": "/a b=c "}),
        ("rows=1\\n\\nrows=2\\n", {"rows": "2"}),
        ("rows=", {"rows": ""}),
        ("rows=1\\r\\npath=a\u2028b\\n", {"rows": "1", "path": "a\u2028b"}),
        ('{"rows": 42, "done": true, "path": null}', {"rows": 42, "done": True}),
        ('\\n {"rows": 1.5, "path": "a\\\\u00e9"}\\n', {"rows": 1.5, "path": "aé"}),
        ("{}", {}),
    ],
)
def test_lines_or_an_object_are_told_with_the_end(spool: Spool, written: str, told: dict[str, Any]) -> None:
    end = end_of(spool, f"""printf '{written}' > "$CRONCLAVE_OUTPUT" """)

    assert (end.reason, end.exit_code, json.loads(end.outputs)) == ("exit", 0, told)


@pytest.mark.parametrize(
    ("written", "detail"),
    [
        ("rows", "line 1 is no KEY=VALUE"),
        ("rows=1\\nwhat is this\\n", "line 2 is no KEY=VALUE"),
        ("rwos=1", "'rwos' is no output of this task: rows, path, done"),
        ('{"rows": [1]}', "rows is no text, number, true or false"),
        ('{"rows": 1', "no JSON: Expecting"),
        ('{"rows": NaN}', "rows is a number that is too large"),
        ('{"rows": 9223372036854775808}', "rows is a number that is too large"),
        ('{"rows": ' + "9" * 400 + "}", "rows is a number that is too large"),
        ('{"path": "a\\\\u0000"}', "path holds a NUL character"),
        ('{"path": "a\\\\ud800"}', "path holds a NUL character, or half of one"),
        ("\\377=1", "no UTF-8 at byte 1"),
        ("path=" + "x" * 200, "more than 200 bytes"),
    ],
)
def test_what_cannot_be_read_is_told_in_words(spool: Spool, written: str, detail: str) -> None:
    most = 200 if len(written) < 300 else 1_000
    end = end_of(spool, f"""printf '{written}' > "$CRONCLAVE_OUTPUT" """, outputs_bytes_max=most)

    assert (end.reason, end.exit_code, end.outputs) == ("exit", 0, b"")
    assert end.outputs_wrong.startswith(detail)


def test_nothing_written_is_nothing_told(spool: Spool) -> None:
    end = end_of(spool, 'test -f "$CRONCLAVE_OUTPUT"')
    assert (end.reason, end.exit_code, end.outputs) == ("exit", 0, b"")


def test_work_without_outputs_is_told_no_file(spool: Spool) -> None:
    end = end_of(spool, 'echo "<$CRONCLAVE_OUTPUT>"', outputs=(), outputs_bytes_max=0)
    assert end.tail == b"<>\n"


def test_a_failure_keeps_its_own_reason_and_tells_what_it_wrote(spool: Spool) -> None:
    end = end_of(spool, 'echo rows=3 > "$CRONCLAVE_OUTPUT"; exit 4')
    assert (end.reason, end.exit_code, json.loads(end.outputs)) == ("exit", 4, {"rows": "3"})
    spool.tell(command(2, 'echo what > "$CRONCLAVE_OUTPUT"; exit 4', outputs=NAMES, outputs_bytes_max=200))
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.exit_code, end.outputs) == ("exit", 4, b"")
    assert end.outputs_wrong == "line 1 is no KEY=VALUE"


def test_secrets_are_taken_out_of_values(spool: Spool) -> None:
    secrets = (Secret("KEY", "tell-nobody", False), Secret("PIN", "123456", False))
    line = """printf '{"path": "a/%s/b", "rows": %s}' "$KEY" "$PIN" > "$CRONCLAVE_OUTPUT" """
    end = end_of(spool, line, secrets=secrets)
    assert json.loads(end.outputs) == {"path": "a/***/b", "rows": "***"}


@pytest.mark.parametrize("written", ["%s", "%s=1", '{"%s": 1}'])
def test_secrets_are_taken_out_of_what_is_said_of_wrong_lines(spool: Spool, written: str) -> None:
    line = f"""printf '{written}' "$KEY" > "$CRONCLAVE_OUTPUT" """
    end = end_of(spool, line, secrets=(Secret("KEY", "dGVsbCBub2JvZHkgdGhpcw==", False),))
    assert end.outputs_wrong == "'***' is no output of this task: rows, path, done"


def test_what_runs_after_the_work_changes_none(spool: Spool) -> None:
    end = end_of(spool, 'echo rows=1 > "$CRONCLAVE_OUTPUT"', after='echo what > "$CRONCLAVE_OUTPUT"')
    assert (json.loads(end.outputs), end.outputs_wrong) == ({"rows": "1"}, "")


def test_a_user_who_is_not_there_is_told_as_without_outputs(spool: Spool) -> None:
    end = end_of(spool, "true", run_as="nobody-of-here", secrets=(Secret("KEY", "tell-nobody", True),))
    assert (end.reason, end.detail) == ("start_failed", "run_as: no user 'nobody-of-here' on this host")


@pytest.mark.parametrize("what", ["ln -s /etc/hostname", "mkfifo", "mkdir"])
def test_only_a_file_is_read(spool: Spool, what: str) -> None:
    made = f"{what} $CRONCLAVE_OUTPUT" if what.startswith("mk") else f'{what} "$CRONCLAVE_OUTPUT"'
    end = end_of(spool, f'rm "$CRONCLAVE_OUTPUT"; {made}')
    assert end.outputs_wrong


def test_the_file_goes_with_the_attempt_and_with_a_spooler_that_died(spool: Spool) -> None:
    end = end_of(spool, 'echo "$CRONCLAVE_OUTPUT"')
    path = Path(end.tail.decode().strip())
    assert path.is_relative_to(tempfile.gettempdir())
    assert not path.parent.exists()
    spool.tell(command(2, 'echo "$CRONCLAVE_OUTPUT"; sleep 60', outputs=NAMES, outputs_bytes_max=9))
    pattern, deadline = f"{path.parent.name.rsplit('-', 1)[0]}-*", time.monotonic() + DEADLINE_S
    while not (left := list(Path(tempfile.gettempdir()).glob(pattern))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    spool.process.kill()
    spool.process.wait()
    again = Spool(spool.data)
    again.connect()
    again.expect("state")
    assert not any(each.exists() for each in left)
    again.socket.close()
    again.process.kill()
    again.process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="another user needs root")
def test_another_user_writes_it_and_cannot_replace_it(spool: Spool) -> None:
    replaced = 'rm -f "$CRONCLAVE_OUTPUT"; ln -s /etc/shadow "$CRONCLAVE_OUTPUT"; true'
    end = end_of(spool, f'echo rows=7 > "$CRONCLAVE_OUTPUT"; {replaced}', run_as="nobody", cwd="/")
    assert (end.reason, json.loads(end.outputs)) == ("exit", {"rows": "7"})
