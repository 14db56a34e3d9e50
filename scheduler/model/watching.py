"""Which files a trigger waits for. Read from its spec, on each node the same; no pydantic."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import NamedTuple

from scheduler.words.causes import filed
from scheduler.words.json_text import json_text

PATH, NAME, SIZE, MODIFIED = "path", "name", "size", "modified"
FACTS = (PATH, NAME, SIZE, MODIFIED)
"""What a run may be told of its file."""
TYPES = {PATH: "string", NAME: "string", SIZE: "integer", MODIFIED: "datetime"}
BATCH_TYPES = TYPES | {PATH: "list", NAME: "list"}
"""The type of the param that takes each; of a batch the sizes are added up, and the newest instant counts."""
RATE_MAX = 100


class Watched(NamedTuple):
    pool: str
    labels: tuple[tuple[str, str], ...]  #: that its agents have
    shared: bool  #: all of its agents see the same folder: the eyes of one count
    dir: str
    match: str  #: what names fit (`scheduler.patterns`)
    stable_ms: int
    batch: bool  #: what waits together makes one run
    told: tuple[tuple[str, str], ...]  #: fact, and the param that takes it
    then: str  #: move | delete, once the run has succeeded; empty: nothing
    to: str  #: the folder that it is moved to
    rate: tuple[int, int]  #: so many runs, in so many milliseconds; (0, 0): any number


def file_spec(watched: Watched) -> bytes:
    return json_text({"event": filed(watched.pool), "file": watched._asdict()})


@lru_cache(maxsize=4_096)
def read_file(spec: bytes) -> Watched:
    """Of the spec of a file trigger."""
    found = json.loads(spec)["file"]
    lists = {name: tuple(map(tuple, found[name])) for name in ("labels", "told")}
    return Watched(**found | lists | {"rate": (found["rate"][0], found["rate"][1])})
