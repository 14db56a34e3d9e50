"""From inside of a task that hands its work on (`async:`): what its own token may say, with nothing else
known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cronclave.client import Client
from cronclave.errors import CronclaveError


@dataclass(frozen=True, slots=True)
class Callback:
    """The way back of one attempt: hand `url` and `token` to whoever completes it."""

    url: str
    token: str

    @classmethod
    def from_environment(cls) -> Callback:
        """That of this attempt. Raises CronclaveError outside of an async task."""
        url, token = (
            os.environ.get("CRONCLAVE_CALLBACK_URL", ""),
            os.environ.get("CRONCLAVE_CALLBACK_TOKEN", ""),
        )
        if not (url and token):
            raise CronclaveError(
                "there is no way back: CRONCLAVE_CALLBACK_URL and CRONCLAVE_CALLBACK_TOKEN are not set",
                hint="Tasks with `async: {timeout: …}` have them.",
            )
        return cls(url, token)

    def complete(
        self, *, failed: bool = False, message: str | None = None, outputs: Mapping[str, Any] | None = None,
        ca: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """End the task."""
        client, run, task, member = self._parts(ca)
        with client:
            return client.complete(run, task, failed=failed, message=message, outputs=outputs, member=member)

    def progress(
        self, *, percent: int | None = None, text: str | None = None, ca: str | None = None
    ) -> dict[str, Any]:
        """Tell how far it is."""
        client, run, task, member = self._parts(ca)
        with client:
            return client.progress(run, task, percent=percent, text=text, member=member)

    def _parts(self, ca: str | None) -> tuple[Client, int, str, str | None]:
        parts = urlsplit(self.url)
        root, _, rest = parts.path.partition("/v1/runs/")
        words = rest.split("/")
        if len(words) != 4 or not (words[0].isascii() and words[0].isdigit()):
            raise CronclaveError(f"{self.url} is no callback of a task")
        member = parse_qs(parts.query).get("member", [None])[0]
        client = Client([f"{parts.scheme}://{parts.netloc}{root}"], self.token, ca=ca, meet=False)
        return client, int(words[0]), words[2], member
