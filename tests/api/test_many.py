"""Lists cost the same however long they are: each query is served by an index and looks at a bounded number
of rows, whatever its filter fits, and its cursor leads through all of them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from api.routes import runs as run_routes
from scheduler.store.connection import Store
from scheduler.store.reads import bounds
from tests.api import many
from tests.api.single_node import SingleNode

ROWS, AGENTS = 6_000, 40
STEPS_MAX = 250_000  #: of SQLite's machine, for one page: some ms
SMALL = "agents|pauses|state|leaderships|CONSTANT ROW|json_each"
"""Bounded by itself: 20,000 agents at most; of a list that is given, or that a row has."""
SORTED = ("FROM agents GROUP BY zone", "FROM tokens t ", "FROM tasks WHERE run IN ", "WHERE a.run IN ",
          "SELECT 1 FROM namespaces LIMIT 1")  # fmt: skip
"""Few rows: of each zone one, of the token that asks, of what the page itself shows; whether there is any."""
Query = tuple[str, Sequence[Any]]


class UnhurriedNode(SingleNode):
    """Its queries are counted here, not timed."""

    def reader(self) -> Store:
        store: Store | None = getattr(self._local, "store", None)
        if store is None:
            store = self._local.store = Store.open_reader(self.path, query_ms_max=None)
        return store


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SingleNode]:
    node = UnhurriedNode(tmp_path_factory.mktemp("many"))
    many.fill(node, ROWS, AGENTS)
    yield node
    node.close()


@pytest.fixture
async def api(filled: SingleNode) -> AsyncIterator[Api]:
    settings = ApiSettings(insecure=False)
    app = create_app(filled, settings, Gateway(filled, settings))
    app.start()
    yield app
    await app.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Query]:
    """The queries that were sent to SQLite."""
    found: list[Query] = []
    execute = Store.execute

    def noted(self: Store, sql: str, parameters: Sequence[Any] = ()) -> Any:
        if sql.lstrip().startswith("SELECT"):
            found.append((sql, tuple(parameters)))
        return execute(self, sql, parameters)

    monkeypatch.setattr(Store, "execute", noted)
    return found


def faults(connection: sqlite3.Connection, query: Query) -> list[str]:
    """What its plan goes through without an index, or sorts. Whether there is any row at all looks at one."""
    if re.fullmatch(r"SELECT 1 FROM \w+ LIMIT 1", query[0]):
        return []
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query[0]}", query[1])]
    if any(known in query[0] for known in SORTED):
        return []
    return [
        step
        for step in plan
        if "TEMP B-TREE" in step
        or (step.startswith("SCAN") and "USING" not in step and not re.match(rf"SCAN ({SMALL}|\()", step))
    ]


def steps_of(connection: sqlite3.Connection, query: Query) -> int:
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.set_progress_handler(count, 100)
    connection.execute(*query).fetchall()
    connection.set_progress_handler(None, 0)
    return counted * 100


@pytest.mark.parametrize("path", many.PAGES)
async def test_a_page_is_served_by_indices_and_looks_at_few_rows(
    api: Api, filled: SingleNode, asked: list[Query], path: str
) -> None:
    status, body = await many.ask(api, path)
    assert status == 200, body
    connection = sqlite3.connect(filled.path)
    queries, steps = list(asked), 0
    assert queries
    for query in queries:
        assert faults(connection, query) == [], query[0]
        steps += steps_of(connection, query)
    connection.close()
    assert steps < STEPS_MAX, path


async def test_a_run_in_a_list_costs_the_same_however_many_members_it_has(
    api: Api, filled: SingleNode, asked: list[Query], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of as many runs, with a divided one among them, and without."""
    monkeypatch.setattr(run_routes, "TASKS_A_PAGE", 50)
    connection, steps = sqlite3.connect(filled.path), list[int]()
    for since, until in (("22:13:21", "22:13:41"), ("22:14:20", "22:14:40")):
        asked.clear()
        page = f"/v1/runs?limit=100&since=2023-11-14T{since}Z&until=2023-11-14T{until}Z"
        status, body = await many.ask(api, page)
        assert status == 200, body
        runs = json.loads(body)["items"]
        assert len(runs) == 20, "its members do not fill the page"
        assert (many.DIVIDED in [run["id"] for run in runs]) == (not steps)
        steps.append(sum(steps_of(connection, query) for query in list(asked)))
    connection.close()
    assert steps[0] < 2 * steps[1], "members are looked at"


def test_a_table_that_is_gone_through_or_sorted_is_found(filled: SingleNode) -> None:
    connection = sqlite3.connect(filled.path)
    assert faults(connection, ("SELECT id FROM runs WHERE name = 'x' ORDER BY id", ()))
    assert faults(connection, ("SELECT id FROM jobs WHERE id > 1 ORDER BY changed_ms LIMIT 1", ()))
    assert steps_of(connection, ("SELECT sum(length(spec)) FROM jobs", ())) > ROWS
    connection.close()


async def through(api: Api, path: str, pages_max: int) -> list[Any]:
    """All items, page by page."""
    found: list[Any] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        status, body = await many.ask(api, f"{path}&cursor={cursor}")
        assert status == 200, body
        page = json.loads(body)
        found += page["items"]
        cursor, pages = page["next_cursor"], pages + 1
        assert pages <= pages_max, "it goes round"
    return found


@pytest.mark.parametrize(
    ("path", "key", "count"),
    [
        ("/v1/jobs?limit=1000", "name", ROWS),
        ("/v1/jobs?limit=700&sort=next", "name", ROWS),
        ("/v1/jobs?limit=700&namespace=ns-7", "name", ROWS // 20),
        ("/v1/jobs?limit=7&failing=true", "name", ROWS // 100),
        ("/v1/jobs?limit=50&failing=true&sort=name", "name", ROWS // 100),
        ("/v1/jobs?limit=100&labels=team=data", "name", ROWS // 20),
        ("/v1/jobs?limit=100&labels=team=nobody", "name", 0),
        ("/v1/jobs?limit=100&state=paused", "name", ROWS // 50),
        ("/v1/runs?limit=1000&brief=true", "id", ROWS),
        ("/v1/runs?limit=10&state=failed,lost&brief=true", "id", 61),
        ("/v1/runs?limit=100&state=running&brief=true", "id", 50),
        ("/v1/runs?limit=100&namespace=nowhere", "id", 0),
        ("/v1/runs?limit=1000&cause=startup", "id", 0),
        ("/v1/runs?limit=1000&brief=true&job=job-0000003&namespace=ns-3", "id", 1_000),
        ("/v1/attempts?limit=1000", "id", ROWS),
        ("/v1/attempts?limit=30&agent=agent-7", "id", ROWS // many.AGENTS),
        ("/v1/attempts?limit=30&state=live", "id", 50),
        ("/v1/ledger?limit=2&outcome=missed", "seq", ROWS // 1_000),
        ("/v1/ledger?limit=1000&outcome=ran,missed", "seq", ROWS),
        ("/v1/ledger?limit=1000&namespace=ns-3", "seq", 1_000),
        ("/v1/agents?limit=7", "name", AGENTS),
        (f"/v1/runs/{many.DIVIDED}/tasks/main/members?limit=1000", "member", ROWS),
        (f"/v1/runs/{many.DIVIDED}/tasks/main/members?limit=7&state=failed", "member", ROWS // 100),
        (f"/v1/runs/{many.DIVIDED}/tasks/main/members?limit=7&state=held", "member", 0),
        ("/v1/approvals?limit=700", "run", ROWS),
        ("/v1/approvals?limit=700&namespace=ns-3", "run", 1_000),
        ("/v1/approvals?limit=700&mine=true", "run", ROWS * 8 // 10),
        ("/v1/agents?limit=7&zone=zone-b", "name", len([n for n in range(1, AGENTS + 1) if n % 3 == 1])),
    ],
)
async def test_a_cursor_leads_through_all_of_a_filter_once(
    api: Api, path: str, key: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await through(api, path, pages_max=200)
    assert len(found) == count
    assert len({each[key] for each in found}) == count
    assert bounds.LOOKED_MAX < ROWS


async def test_spans_of_time_are_found_by_halves(api: Api) -> None:
    since, until = "2023-11-14T22:30:00Z", "2023-11-14T22:40:00Z"  # 1,000 s and 1,600 s after the first
    runs = await through(api, f"/v1/runs?limit=1000&brief=true&since={since}&until={until}", 10)
    assert len(runs) == 600
    assert min(run["created"] for run in runs) == since
    assert max(run["created"] for run in runs) < until
    entries = await through(api, f"/v1/ledger?limit=100&outcome=missed&since={since}&until={until}", 10)
    assert [entry["seq"] for entry in entries] == [1_000]
    assert await through(api, "/v1/runs?limit=10&since=2030-01-01T00:00:00Z", 10) == []
    assert await through(api, "/v1/runs?limit=10&until=2020-01-01T00:00:00Z", 10) == []


async def test_what_comes_and_goes_between_pages_moves_nothing(api: Api, filled: SingleNode) -> None:
    """A cursor holds the key of the last row, not a count."""
    first = json.loads((await many.ask(api, "/v1/runs?limit=10&brief=true&namespace=ns-2"))[1])
    connection = sqlite3.connect(filled.path, isolation_level=None)
    newest = first["items"][0]["id"]
    connection.execute("UPDATE runs SET namespace = 'elsewhere' WHERE id = ?", (newest,))
    try:
        path = f"/v1/runs?limit=10&brief=true&namespace=ns-2&cursor={first['next_cursor']}"
        second = json.loads((await many.ask(api, path))[1])
    finally:
        connection.execute("UPDATE runs SET namespace = 'ns-2' WHERE id = ?", (newest,))
        connection.close()
    ids = [run["id"] for page in (first, second) for run in page["items"]]
    assert ids == list(range(newest, newest - 20, -1))


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs?sort=age", "/v1/jobs?last=asleep", "/v1/runs?state=failed,asleep", "/v1/runs?cause=whim",
        "/v1/attempts?state=asleep", "/v1/ledger?outcome=pending", "/v1/agents?state=asleep",
        "/v1/runs?until=tomorrow", "/v1/ledger?since=1", "/v1/jobs?sort=next&cursor=WyJqb2JzIiwiYSIsImIiXQ",
    ],
)  # fmt: skip
async def test_what_no_list_has_is_refused(api: Api, path: str) -> None:
    status, body = await many.ask(api, path)
    assert (status, json.loads(body)["type"]) == (422, "/problems/validation"), body


async def test_attempts_of_an_agent_that_never_was(api: Api) -> None:
    status, body = await many.ask(api, "/v1/attempts?agent=nobody")
    assert (status, json.loads(body)["type"]) == (404, "/problems/not-found")
