"""Long tables as the API exports them: lines of JSON, oldest first, asked for until there is nothing more."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

from cli.client import Client, lines, path_of
from cli.exits import FAILED, Failure
from cli.terminal import escaped_json


def exported(client: Client, noun: str, number: str, after: int, **asked: object) -> Iterator[str]:
    """The lines of /v1/NOUN/export behind `after`; `number` is the field that one goes on behind."""
    while True:
        begun_after = after
        try:
            for line in lines(client.open("GET", path_of(noun, "export", after=after, **asked))):
                last = json.loads(line)[number]
                yield escaped_json(line)
                after = last
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Failure(
                f"{client.url} broke off behind entry {after}: {error}", code=FAILED,
                hint=f"Go on with --after {after}.",
            ) from error  # fmt: skip
        if after == begun_after:
            return
