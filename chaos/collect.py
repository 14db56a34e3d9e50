"""The end of a run: schedules paused, everything settled, and what the product then says, into final/."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2

from chaos import days, many, windows
from chaos.appliers import REVISED, generation_of, key_of, path_of
from chaos.arrivals import HEARD, JOBS
from chaos.checkers.vacuity import SETTLER
from chaos.history import History
from chaos.narrow import JOB, NAMESPACE
from chaos.narrow import PATH as NARROW
from chaos.observer import Watched
from chaos.programs import DeadlineError, wait_for
from chaos.workload import BOOT

ANSWER_S = 10.0
ASK_S = 30.0
SETTLE_S = 60.0
HEADS_S = 20.0
PAGE = 1_000
OPEN = ("pending", "running", "held", "suspended")


class Reader:
    """Asks node by node until one answers, and that one first the next time: a node that hangs costs its
    time limit once, not with each request."""

    def __init__(self, nodes: Sequence[Watched], token: str) -> None:
        self.nodes = list(nodes)
        self._in_turn = list(nodes)
        self._http = httpx2.Client(
            headers={"authorization": f"Bearer {token}"}, timeout=ANSWER_S, trust_env=False
        )

    def ask(self, method: str, path: str, *, nothing: int = 404) -> Any:
        """The JSON at this path; None where the reply's status is `nothing`."""
        until_s = time.monotonic() + ASK_S
        last = "nothing tried"
        while time.monotonic() < until_s:
            for node in list(self._in_turn):
                try:
                    reply = self._http.request(method, f"{node.url}{path}")
                except httpx2.HTTPError as error:
                    last = f"{node.name}: {type(error).__name__}"
                    continue
                if reply.status_code == nothing or reply.status_code < 400:
                    self._in_turn = [node, *(other for other in self._in_turn if other is not node)]
                if reply.status_code == nothing:
                    return None
                if reply.status_code < 400:
                    return reply.json() if reply.content else {}
                last = f"{node.name}: {reply.status_code} {reply.text[:200]}"
            time.sleep(0.1)
        raise DeadlineError(f"{method} {path}: not within {ASK_S:g} s: an answer; last: {last}")

    def items(self, path: str, **query: Any) -> list[Any]:
        found: list[Any] = []
        asked = {"limit": PAGE, **query}
        while True:
            page = self.ask("GET", f"{path}?{urlencode(asked)}")
            found += page["items"] if page else []
            if not page or not page.get("next_cursor"):
                return found
            asked["cursor"] = page["next_cursor"]

    def views(self) -> dict[str, dict[str, Any]]:
        """What every node says of itself."""
        return self.each("/v1/cluster?consistency=stale")

    def each(self, path: str, but: Collection[str] = ()) -> dict[str, dict[str, Any]]:
        """What every node says that answers, but for those that are named."""
        found = {}
        for node in self.nodes:
            if node.name in but:
                continue
            try:
                reply = self._http.get(f"{node.url}{path}")
            except httpx2.HTTPError:
                continue
            if reply.status_code == 200:
                found[node.name] = reply.json()
        return found

    def all(self, path: str) -> dict[str, dict[str, Any]]:
        """What every node says: who does not answer is asked again for a while."""
        found: dict[str, dict[str, Any]] = {}
        until_s = time.monotonic() + ASK_S
        while len(found) < len(self.nodes) and time.monotonic() < until_s:
            found |= self.each(path, but=found)
            time.sleep(0.1)
        return found

    def close(self) -> None:
        self._http.close()


def settle(reader: Reader, jobs: Sequence[str], history: History, *, narrows: bool, arrives: bool) -> None:
    """Pause all schedules and wait until nothing runs; a limit, not a promise: what has not settled then
    is a finding."""
    for job in jobs:
        operation = history.invoke(SETTLER, "pause", of="job", name=job)
        reader.ask("POST", f"/v1/jobs/{job}/pause")
        history.end(operation, "ok")
    if arrives:  # each makes a run only when another one ends
        _patiently(lambda: all(each["state"] != "going" for each in _fillings(reader)), history, "backfills")
    for state in OPEN:  # a window may be a minute away
        for run in reader.items("/v1/runs", job=windows.JOB, state=state, brief="true"):
            reader.ask("POST", f"/v1/runs/{run['id']}/cancel", nothing=409)
    _patiently(lambda: not any(reader.items("/v1/runs", state=state) for state in OPEN), history, "runs")
    if narrows:
        _patiently(lambda: not reader.ask("GET", NARROW)["following"], history, "defaults")


def _fillings(reader: Reader) -> list[dict[str, Any]]:
    return reader.items(days.path_of(days.FILLED, "/backfills"), limit=100)


def _heads(reader: Reader) -> dict[str, dict[str, Any]]:
    """All nodes at one index. Paused schedules still move it now and then, so one look may fall between."""
    last: dict[str, dict[str, Any]] = {}

    def same() -> bool:
        nonlocal last
        last = reader.views()
        return len({view["index"] for view in last.values()}) == 1 and len(last) == len(reader.nodes)

    with suppress(DeadlineError):
        wait_for(same, HEADS_S, "all nodes at one index")
    return last


def _patiently(condition: Callable[[], bool], history: History, what: str) -> None:
    try:
        wait_for(condition, SETTLE_S, what, 0.2)
    except DeadlineError as error:
        history.write("note", text=f"not settled: {error}")


def _revisions(reader: Reader, path: str) -> list[dict[str, Any]]:
    return [
        {**{key: each[key] for key in ("revision", "index", "deleted")},
         "generation": generation_of(each["definition"])}
        for each in reader.items(f"{path}/revisions")
    ]  # fmt: skip


def _narrow(reader: Reader) -> dict[str, Any]:
    """What was said of the namespace, and which defaults its job has."""
    job = reader.ask("GET", f"/v1/jobs/{JOB}?namespace={NAMESPACE}")
    revisions = [
        {"revision": each["revision"], "generation": generation_of(each["definition"].get("defaults"))}
        for each in reader.items(f"{NARROW}/revisions")
    ]
    following = reader.ask("GET", NARROW)["following"]
    return {"job": generation_of(job), "following": following, "revisions": revisions}


def _members(reader: Reader) -> dict[int, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Of each run with divided tasks their members, and the run's attempts. All of it has come to rest."""
    found = {}
    for job, divided in {many.JOB: many.DIVIDED, windows.JOB: (windows.EACH,)}.items():
        for run in reader.items("/v1/runs", job=job, brief="true"):
            path = f"/v1/runs/{run['id']}/tasks"
            members = {name: reader.items(f"{path}/{name}/members") for name in divided}
            found[run["id"]] = members, reader.items("/v1/attempts", run=run["id"])
    return found


def _unheard(reader: Reader) -> int:
    """Notices that a job has yet to hear: after a pause of everything it looks again within ten seconds."""
    awaits = reader.ask("GET", f"/v1/jobs/{HEARD}/explain")["awaits"]
    return sum(each["left"] for each in awaits)


def collect(
    reader: Reader, folder: Path, *, jobs: Sequence[str], registers: Sequence[str], from_s: float,
    applies: bool, narrows: bool, arrives: bool,
) -> None:  # fmt: skip
    """Read all of it. `from_s`: wall seconds before the first tick. `applies`: objects were applied;
    `narrows`: runs were started in a namespace with quotas of them; `arrives`: things came that jobs
    wait for."""
    folder.mkdir(parents=True, exist_ok=True)
    since = datetime.fromtimestamp(from_s, UTC).isoformat().replace("+00:00", "Z")
    until = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    window = {"from": since, "to": until}
    left = _unheard(reader) if arrives else 0  # before the runs: what is heard meanwhile has one
    divided = _members(reader) if arrives else {}
    runs = reader.items("/v1/runs")
    for run in runs:
        if run["id"] in divided:
            many.with_members(run, *divided[run["id"]])
    kept: dict[str, Any] = {
        "jobs": reader.items("/v1/jobs"),
        "revisions": {job: reader.items(f"/v1/jobs/{job}/revisions") for job in registers},
        "ticks": {job: reader.items(f"/v1/jobs/{job}/ticks", **window) for job in jobs},
        "outbox": reader.items("/v1/outbox"),
        "audit": reader.items("/v1/audit") if reader.ask("GET", "/v1/audit?limit=1", nothing=403) else [],
        "runs": runs,
        "verify": reader.ask("GET", f"/v1/ledger/verify?{urlencode(window)}"),
        "proofs": reader.all(f"/v1/ledger/verify?{urlencode(window)}"),
        "nodes": _heads(reader),
    }
    objects = {key_of(*each): each for members in REVISED.values() for each in members}
    if applies:
        kept["objects"] = {key: _revisions(reader, path_of(*each)) for key, each in objects.items()}
    if arrives:
        kept["arrivals"] = {job: reader.items(f"/v1/jobs/{job}/ticks", **window) for job in JOBS}
        kept["arrivals"]["left"] = left
        kept["fillings"] = _fillings(reader)
        kept["days"] = {
            job: reader.items(f"/v1/jobs/{job}/ticks", **(window | of))
            for job, of in {
                days.TURNED: {},
                days.SHUT: {"namespace": days.NAMESPACE},
                days.FILLED: {"from": kept["fillings"][-1]["from"]} if kept["fillings"] else {},
            }.items()
        }
        kept["boots"] = reader.items(f"/v1/jobs/{BOOT}/ticks", **window)
    if narrows:
        kept["narrow"] = _narrow(reader)
    for name, content in kept.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
