#!/usr/bin/env python3
"""A stand-in that answers as one of Dkron's servers does: the first is the leader, and runs what it is told
to at once. For the program that measures Dkron; it says nothing of Dkron."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JOBS: dict[str, dict[str, Any]] = {}
RUNS: dict[str, int] = {}
LATE_S = 0.25


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    leads = False

    def do_GET(self) -> None:
        if self.path == "/v1/isleader":
            self.answer(200 if self.leads else 404, {})
        elif self.path == "/v1/members":
            self.answer(200, [{"Status": 1}] * 3)
        elif self.path == "/v1/jobs":
            self.answer(200, [{"name": name, "success_count": RUNS.get(name, 0)} for name in JOBS])
        elif "/executions" in self.path:
            self.answer(200, self.executions(self.path.split("/")[3]))
        else:
            self.answer(404, {})

    def executions(self, name: str) -> list[dict[str, Any]]:
        """A job of every second ran each second since it was put, a quarter of a second late."""
        found = []
        for due_s in range(int(JOBS[name]["put_s"]) + 1, int(time.time() - LATE_S) + 1):
            started = datetime.fromtimestamp(due_s + LATE_S, UTC).isoformat(timespec="milliseconds")
            found.append({"group": due_s * 10**9, "started_at": started.replace("+00:00", "123Z")})
        return found

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/v1/jobs":
            job = json.loads(body)
            JOBS[job["name"]] = {**job, "put_s": time.time()}
            self.answer(201, {"name": job["name"]})
        else:
            name = self.path.rsplit("/", 1)[-1]
            RUNS[name] = RUNS.get(name, 0) + 1
            self.answer(202, {"name": name})

    def answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--http-addr")
    parser.add_argument("--node-name")
    asked, _ = parser.parse_known_args()
    host, _, port = asked.http_addr.partition(":")
    Hook.leads = asked.node_name == "n1"
    ThreadingHTTPServer((host, int(port)), Hook).serve_forever()


if __name__ == "__main__":
    main()
