"""A state with very many rows, written straight into its tables: for lists, which have to cost the same
however long they are.

    python -m tests.api.many --rows 1000000        # what a page of 100 costs, in ms of CPU at the server
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from scheduler.model import parse_job, prepare
from scheduler.words.commands import ConnectAgent
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.scheduler.story import KINDS

AGENTS = 1_000
BASE_MS = 1_700_000_000_000
FAR_MS = 4_000_000_000_000
PAGE_MS_MAX = 10.0
DIVIDED = 7  #: the run whose task is divided
SELECTOR = """'["default",{},null,"noop"]'"""  #: which agents take the tasks
MEMBERS = 10_000  #: into as many as one may have, at most

#: What is asked for: filters that fit much, little and nothing, and each order.
PAGES = (
    "/v1/jobs?limit=100&brief=true",
    "/v1/jobs?limit=100",
    "/v1/jobs?limit=100&namespace=ns-7",
    "/v1/jobs?limit=100&sort=next",
    "/v1/jobs?limit=100&sort=next&namespace=ns-7",
    "/v1/jobs?limit=100&failing=true",
    "/v1/jobs?limit=100&failing=true&labels=team=data",
    "/v1/jobs?limit=100&state=paused",
    "/v1/jobs?limit=100&state=unplaceable",
    "/v1/jobs?limit=100&labels=team=data",
    "/v1/jobs?limit=100&labels=team=nobody",
    "/v1/jobs?limit=100&q=nothing",
    "/v1/jobs?limit=100&last=lost",
    "/v1/runs?limit=100&brief=true",
    "/v1/runs?limit=100",
    "/v1/runs?limit=100&job=job-0000007&namespace=ns-7",
    "/v1/runs?limit=100&namespace=ns-7",
    "/v1/runs?limit=100&namespace=nowhere",
    "/v1/runs?limit=100&state=failed",
    "/v1/runs?limit=100&state=failed,lost,timed_out&namespace=ns-7",
    "/v1/runs?limit=100&state=succeeded",
    "/v1/runs?limit=100&state=expired",
    "/v1/runs?limit=100&cause=startup",
    "/v1/runs?limit=100&labels=team=data",
    "/v1/runs?limit=100&labels=team=nobody",
    "/v1/runs?limit=100&since=2023-11-14T22:30:00Z&until=2023-11-14T22:40:00Z",
    "/v1/attempts?limit=100",
    "/v1/attempts?limit=100&agent=agent-7",
    "/v1/attempts?limit=100&agent=agent-7&state=lost",
    "/v1/attempts?limit=100&state=live",
    "/v1/attempts?limit=100&state=live&agent=agent-7",
    "/v1/ledger?limit=100",
    "/v1/ledger?limit=100&outcome=missed",
    "/v1/ledger?limit=100&outcome=skipped",
    "/v1/ledger?limit=100&outcome=ran&reason=nothing",
    "/v1/ledger?limit=100&namespace=ns-7",
    "/v1/ledger?limit=100&since=2023-11-14T22:30:00Z&until=2023-11-14T22:40:00Z",
    "/v1/audit?limit=100",
    "/v1/audit?limit=100&action=put,delete&namespace=ns-7&name=job-0000007",
    "/v1/audit?limit=100&action=put&namespace=ns-7",
    "/v1/audit?limit=100&action=put&actor=ann",
    "/v1/audit?limit=100&action=delete&actor=ann&kind=token",
    "/v1/audit?limit=100&actor=nobody&since=2023-11-14T22:30:00Z",
    "/v1/agents?limit=100",
    "/v1/agents?limit=100&state=disconnected",
    "/v1/agents?limit=100&pool=default&zone=zone-b",
    "/v1/jobs/job-0000007/cells?limit=100&namespace=ns-7",
    "/v1/jobs/job-0000007/series?limit=100&namespace=ns-7",
    "/v1/plan?limit=100&namespace=ns-7",
    "/v1/overview",
    "/v1/vars?limit=100",
    "/v1/vars?limit=100&q=nothing",
    "/v1/vars?limit=100&namespace=ns-7&labels=team=data",
    f"/v1/runs/{DIVIDED}",
    f"/v1/runs/{DIVIDED}/explain?task=main&member=77",
    f"/v1/runs/{DIVIDED}/tasks/main/members?limit=100",
    f"/v1/runs/{DIVIDED}/tasks/main/members?limit=100&state=failed",
    f"/v1/runs/{DIVIDED}/tasks/main/members?limit=100&state=held",
    f"/v1/runs/{DIVIDED}/tasks/main/members?limit=100&member=77",
    "/v1/approvals?limit=100",
    "/v1/approvals?limit=100&namespace=ns-7",
    "/v1/approvals?limit=100&namespace=nowhere",
    "/v1/approvals?limit=100&mine=true",
    "/v1/expectations?limit=100",
    "/v1/expectations?limit=100&state=over",
    "/v1/expectations?limit=100&namespace=ns-7",
    "/v1/expectations?limit=100&namespace=nowhere",
    "/v1/expectations?limit=100&acknowledged=true",
    "/v1/expectations?limit=100&state=all&what=stalled",
    "/v1/expectations?limit=100&state=all&job=job-0000007&namespace=ns-7",
    "/v1/expectations?limit=100&state=all&run=7",
)


Columns = dict[str, object]  #: SQL, of the number `n` of the row


def fill(node: SingleNode, rows: int, agents: int = AGENTS) -> None:
    """So many jobs with a trigger each, runs with a task and an attempt each, entries of the ledger."""
    for number in range(1, agents + 1):
        zone = f"zone-{'abc'[number % 3]}"
        name, key = f"agent-{number}", f"i{number}"
        node.apply(ConnectAgent(name, key, "s", "b", zone, "default", b"{}", 8, "1", "node-2", KINDS))
    store = node.store
    store.begin()
    others = (("objects", _objects()), ("approvals", _approvals()), ("unmet", _unmet()))
    for table, columns in (*_jobs(), *_runs(rows), *others):
        _insert(node, table, columns, rows)
    for table, columns, count in _members(rows, min(rows, MEMBERS)):
        _insert(node, table, columns, count)
    store.commit()


def _insert(node: SingleNode, table: str, columns: Columns, rows: int) -> None:
    names, values = ", ".join(columns), ", ".join(map(str, columns.values()))
    node.store.execute(
        f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows})"
        f" INSERT INTO {table} ({names}) SELECT {values} FROM s"
    )


def _approvals() -> Columns:
    """One of each task: of one in ten another is asked, and of one in ten whoever looks is barred."""
    return {
        "task": "n", "run": "n", "namespace": "'ns-' || ((1 + n / 1000) % 20)", "open": 1,
        "asked_ms": f"{BASE_MS} + n", "expires_ms": FAR_MS,
        "approvers": "CASE WHEN n % 10 = 3 THEN '[\"ann\"]' ELSE '[]' END",
        "barred": "CASE WHEN n % 10 = 4 THEN 'admin' ELSE '' END",
        "text": "'may it?'", "answer": "''", "actor": "''", "answered_ms": "NULL", "reason": "''",
    }  # fmt: skip


def _unmet() -> Columns:
    """One of each run. One in ten holds by now, of one in a hundred somebody has taken note."""
    job = "1 + n / 1000"
    return {
        "id": "n", "job": job, "namespace": f"'ns-' || (({job}) % 20)", "name": f"printf('job-%07d', {job})",
        "run": "n", "what": "'late_start'", "part": 0, "limit_ms": f"{BASE_MS} + n",
        "at_ms": f"{BASE_MS} + n", "over_ms": f"CASE WHEN n % 10 THEN NULL ELSE {BASE_MS} + n END",
        "found": 0, "wanted": 0, "actor": "''", "acknowledged_ms": "NULL",
        "acknowledged_until_ms": f"CASE WHEN n % 100 = 7 THEN {FAR_MS} END", "reason": "''",
    }  # fmt: skip


def _members(rows: int, members: int) -> list[tuple[str, Columns, int]]:
    """Of one task, each with an item: one in a hundred failed."""
    first = rows + 1
    whole: Columns = {
        "task": DIVIDED, "run": DIVIDED, "first_task": first, "members": members, "unmade": 0,
        "next": members, "going": 0, "ended": members, "succeeded": members - members // 100, "skipped": 0,
        "open_ms": 0, "look_ms": 0, "repeats": 0,
    }  # fmt: skip
    tasks: Columns = {
        "id": f"{rows} + n", "run": DIVIDED, "name": "'main'", "member": "CAST(n - 1 AS TEXT)", "round": 0,
        "state": "CASE WHEN n % 100 THEN 'succeeded' ELSE 'failed' END", "attempts": 1, "open_needs": 0,
        "met_needs": 0, "may_fail": 0, "queued_ms": BASE_MS, "wake_ms": "NULL", "selector": SELECTOR,
        "rank_ms": 0, "started_ms": BASE_MS, "finished_ms": BASE_MS, "exit_code": 0, "reason": "''",
        "warned": 0, "of_group": DIVIDED,
    }  # fmt: skip
    items: Columns = {"task": f"{rows} + n", "item": "'shop-' || n"}
    return [("fanouts", whole, 1), ("tasks", tasks, members), ("member_items", items, members)]


def _jobs() -> list[tuple[str, Columns]]:
    """In twenty namespaces; one in twenty has a label, one in fifty is paused, one in a hundred fails."""
    job = parse_job({"job": "job-0000000", "noop": True, "triggers": {"cron": "0 2 * * *", "id": "night"}})
    made = prepare(job, BASE_MS)
    namespace, name = "'ns-' || (n % 20)", "printf('job-%07d', n)"
    spec = made.spec.decode().replace("'", "''")
    named = f"replace('{spec}', 'job-0000000', {name})"
    spec = f"CAST(replace({named}, '\"default\"', '\"' || {namespace} || '\"') AS BLOB)"
    jobs: Columns = {
        "id": "n", "namespace": namespace, "name": name, "revision": 1,
        "labels": "CASE WHEN n % 20 THEN '{}' ELSE '{\"team\":\"data\"}' END",
        "state": "CASE WHEN n % 50 THEN 'active' ELSE 'paused' END", "pause_reason": "''", "source": "''",
        "created_ms": BASE_MS, "changed_ms": BASE_MS, "actor": "'ann'", "active_runs": 0,
        "failures": "CASE WHEN n % 100 THEN 0 ELSE 3 END", "last_run": "n",
        "last_state": "CASE WHEN n % 100 THEN 'succeeded' ELSE 'failed' END", "runs_stored": 1,
        "retention_runs": 200, "criticality": "'normal'", "spec": spec,
    }  # fmt: skip
    revisions: Columns = {
        "job": "n", "revision": 1, "namespace": namespace, "name": name, "spec": spec, "stamp_ms": BASE_MS,
        "idx": "n", "actor": "'ann'", "deleted": 0,
    }  # fmt: skip
    triggers: Columns = {
        "id": "n", "job": "n", "key": "'night'", "spec": f"x'{made.triggers[0].spec.hex()}'", "jitter_ms": 0,
        "from_ms": BASE_MS, "until_ms": "NULL", "next_due_ms": f"{FAR_MS} + n", "fire_ms": f"{FAR_MS} + n",
        "namespace": namespace, "per_day": 1, "share": 0, "closed": "''", "event": "''",
    }  # fmt: skip
    return [("jobs", jobs), ("revisions", revisions), ("triggers", triggers)]


def _objects() -> Columns:
    """Vars in twenty namespaces; one in twenty has a label."""
    return {
        "kind": "'vars'", "namespace": "'ns-' || (n % 20)", "name": "printf('vars-%07d', n)", "revision": 1,
        "labels": "CASE WHEN n % 20 THEN '{}' ELSE '{\"team\":\"data\"}' END", "source": "''",
        "created_ms": BASE_MS, "changed_ms": BASE_MS, "actor": "'ann'",
        "pin": "''", "per_day": 0, "spec": """CAST('{"values":{"host":"db1.example.org"}}' AS BLOB)""",
    }  # fmt: skip


def _runs(rows: int) -> list[tuple[str, Columns]]:
    """A thousand of each of the first jobs: one in a hundred failed, the last fifty go on."""
    job, at = "1 + n / 1000", f"{BASE_MS} + n * 1000"
    goes_on = f"n > {rows - 50}"
    ended = f"CASE WHEN {goes_on} THEN NULL ELSE {at} + 500 END"
    runs: Columns = {
        "id": "n", "job": job, "namespace": f"'ns-' || (({job}) % 20)", "name": f"printf('job-%07d', {job})",
        "revision": 1, "trigger": job, "tick_ms": at, "due_ms": at, "cause": "'tick'", "cause_key": "''",
        "state": f"CASE WHEN {goes_on} THEN 'running' WHEN n % 100 = 0 THEN 'failed'"
        " WHEN n % 5000 = 1 THEN 'lost' ELSE 'succeeded' END",
        "decided": 1, "waiting": 0, "counts": 0, "plan_day": 0, "warned": 0,
        "open_tasks": 0, "first_task": "n", "last_task": "n", "kept_last": 0, "unmade": 0,
        "walk": "''", "walked": 0, "unfinished": 0, "stopping": "''", "created_ms": at,
        "started_ms": f"{at} + 5", "finished_ms": ended, "deadline_ms": "NULL", "stop_ms": "NULL",
        "exit_code": 0, "priority": 0, "bound": 0, "params": "''", "reason": "''", "actor": "''",
    }  # fmt: skip
    tasks: Columns = {
        "id": "n", "run": "n", "name": "'main'", "member": "''", "round": 0, "state": "'succeeded'",
        "attempts": 1, "open_needs": 0, "met_needs": 0, "may_fail": 0, "queued_ms": "NULL", "wake_ms": "NULL",
        "selector": SELECTOR, "rank_ms": 0, "started_ms": at, "finished_ms": ended, "exit_code": 0,
        "reason": "''", "warned": 0, "of_group": 0,
    }  # fmt: skip
    attempts: Columns = {
        "id": "n", "task": "n", "run": "n", "number": 1, "agent": f"1 + n % {AGENTS}",
        "state": f"CASE WHEN {goes_on} THEN 'running' ELSE 'succeeded' END",
        "live": f"CASE WHEN {goes_on} THEN 1 ELSE 0 END", "unreachable": 0, "assigned_ms": at, "due_ms": at,
        "claim": "'c'", "session": "'s'", "fence": "n", "granted_ms": at, "started_ms": at,
        "finished_ms": ended, "exit_code": 0, "signal": "NULL", "reason": "''", "tail": "zeroblob(200)",
        "output_bytes": 200, "late": "''",
    }  # fmt: skip
    ledger: Columns = {
        "seq": "n", "job": job, "trigger": job, "kind": "'tick'", "key": "''", "first_ms": at, "last_ms": at,
        "count": 1, "outcome": "CASE WHEN n % 1000 THEN 'ran' ELSE 'missed' END", "reason": "''", "run": "n",
        "into_ms": "NULL", "decided_ms": at, "epoch": 1, "idx": "n", "tzdata": "'2025b'",
        "hash": "zeroblob(32)",
    }  # fmt: skip
    audit: Columns = {
        "id": "n + 1", "idx": "n", "stamp_ms": at, "actor": "'ann'", "address": "'10.0.0.7'", "by_session": 0,
        "action": "CASE WHEN n % 10 THEN 'run' ELSE 'put' END", "kind": "'job'",
        "namespace": f"'ns-' || (({job}) % 20)", "name": f"printf('job-%07d', {job})", "run": "n",
        "before": "NULL", "after": 1, "reason": "''",
    }  # fmt: skip
    return [("runs", runs), ("tasks", tasks), ("attempts", attempts), ("ledger", ledger), ("audit", audit)]


async def ask(api: Api, path: str) -> tuple[int, bytes]:
    """Status and body, without a client's share of the work."""
    told: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        told.append(message)

    where, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": where, "raw_path": where.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"authorization", f"Bearer {ADMIN_TOKEN}".encode())], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }  # fmt: skip
    await api(scope, receive, send)  # type: ignore[arg-type]  # ASGI's messages
    body = b"".join(bytes(each["body"]) for each in told[1:] if each.get("body"))  # type: ignore[call-overload]
    return int(str(told[0]["status"])), body


async def measure(api: Api, rounds: int) -> dict[str, tuple[float, float, int, int]]:
    """Of each page: best and median ms of CPU of this process, items, bytes. Interleaved."""
    spent: dict[str, list[float]] = {path: [] for path in PAGES}
    found: dict[str, tuple[int, int]] = {}
    for _ in range(rounds):
        for path in PAGES:
            before_s = time.process_time()
            status, body = await ask(api, path)
            spent[path].append((time.process_time() - before_s) * 1e3)
            assert status == 200, (path, body)
            document = json.loads(body)
            found[path] = len(document.get("items", document.get("rows", ()))), len(body)
    return {path: (min(ms), statistics.median(ms), *found[path]) for path, ms in spent.items()}


async def run(rows: int, rounds: int, folder: Path) -> int:
    node = SingleNode(folder)
    began_s = time.process_time()
    fill(node, rows)
    print(f"{rows:,} rows of each table in {time.process_time() - began_s:.0f} s of CPU", file=sys.stderr)
    settings = ApiSettings(insecure=False)
    api = create_app(node, settings, Gateway(node, settings))
    api.start()
    table = await measure(api, rounds)
    print(f"| page of {rows:,} rows | ms of CPU, best | median | items | bytes |")
    print("| --- | --- | --- | --- | --- |")
    for path, (best, median, items, size) in table.items():
        print(f"| `{path}` | {best:.1f} | {median:.1f} | {items} | {size} |")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB", file=sys.stderr)
    await api.close()
    node.close()
    return int(any(best > PAGE_MS_MAX for best, *_ in table.values()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.api.many", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(given.rows, given.rounds, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
