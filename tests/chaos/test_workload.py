"""What the load tells of itself as it puts its jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chaos import completions, days, hands
from chaos.case import Case
from chaos.history import History, read_lines
from chaos.workload import Workload


class _Takes(BaseHTTPRequestHandler):
    """Says yes to whatever is put."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_PUT

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def taker() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Takes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_every_task_that_may_be_tried_again_is_told_of(taker: str, tmp_path: Path) -> None:
    """By hand, from the jobs as they stand: the judge of attempts takes any other for tried once."""
    path = tmp_path / "history.jsonl"
    with History(path) as history:
        load = Workload(
            [taker], "token", history, tmp_path / "evidence", agents=["agent-1"], hook=f"{taker}/failed",
            seed=1, load="full",
        )  # fmt: skip
        load.declare()
    tries = Case({}, read_lines(path), [], {}, {}).tries

    assert tries == {
        ("lost-retry", "main"): 2,
        (days.FILLED, "main"): 6,
        (hands.JOB, hands.TWO): 2,
        (completions.JOB, completions.SUBMIT): 2,
    }
