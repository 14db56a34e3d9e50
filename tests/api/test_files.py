"""Why a file did not fire, as the API tells it."""

from __future__ import annotations

from typing import Any

import httpx2

from api.schemas import explained
from scheduler.words.commands import ConnectAgent, FileSeen, ReportBlind, ReportFiles
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

TROUBLE = "Permission denied"


async def test_explain_says_who_looks_what_waits_and_what_keeps_it(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    async def awaits() -> dict[str, Any]:
        told = (await client.get("/v1/jobs/j/explain")).json()
        explained.InstantExplained.model_validate(told)
        (awaited,) = told["awaits"]
        return dict(awaited)

    trigger = {"file": {"dir": "/in", "match": "*.csv"}, "id": "t"}
    assert (await client.put("/v1/jobs/j", json={"noop": True, "triggers": trigger})).status_code == 201
    told = await awaits()
    assert (told["folder"], told["hook"], told["board"]) == ("/in on pool default", None, None)
    assert told["said"] == "no connected agent of pool default looks into /in: no file is seen"
    for name, session in (("agent-1", "s"), ("agent-2", "t")):
        where = ("zone-a", "default", b"{}", 8, "1", "node-2", KINDS)
        node.apply(ConnectAgent(name, name, session, "b", *where))
    told = await awaits()
    assert (told["verdict"], told["files"]) == ("ready", [])
    assert told["said"] == "each file that fits *.csv and stands still makes a run"

    with node.read() as store:
        at_ms, era = store.value("SELECT stamp_ms FROM state"), store.value("SELECT trigger FROM folders")
    seen = tuple(FileSeen(f"/in/{name}.csv", name, 1, at_ms, at_ms) for name in "ab")
    node.apply(ReportFiles(era, 1, "s", seen))
    node.apply(ReportBlind(era, 2, "t", TROUBLE))
    told = await awaits()
    assert (told["verdict"], told["left"], told["last"]) == ("waits", 2, "/in/b.csv")
    assert [(each["path"], each["state"]) for each in told["files"]] == [
        ("/in/b.csv", "waiting"), ("/in/a.csv", "waiting"),
    ]  # fmt: skip
    said = next(each["reason"] for each in told["gates"] if each["gate"] == "folder")
    assert said == f"agent-2 cannot look into /in ({TROUBLE})"
    node.apply(ReportBlind(era, 1, "s", TROUBLE))
    told = await awaits()
    assert told["verdict"] == "never"
    assert told["said"] == f"agent-1 cannot look into /in ({TROUBLE}), nor can 1 more: no file is seen"
