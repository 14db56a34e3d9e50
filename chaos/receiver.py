"""Who is told of failures: it writes into the history what it hears, each time, and says yes."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chaos.history import History

BODY_MAX = 1 << 20


class Receiver(ThreadingHTTPServer):
    """On loopback: nodes in network namespaces of their own do not reach it, and their outbox keeps all."""

    daemon_threads = True

    def __init__(self, history: History) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.history = history
        self._thread = threading.Thread(target=self.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/failed"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers["content-length"]), BODY_MAX))
        run = json.loads(body)["data"]["run"]
        told = hashlib.sha256(body).hexdigest()
        self.server.history.write("heard", notice=self.headers["webhook-id"], run=run, sha256=told)
        with suppress(OSError):  # who sent it may be dead
            self.send_response(204)
            self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass
