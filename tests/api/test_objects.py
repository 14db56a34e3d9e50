"""Objects that jobs refer to, over HTTP: put, read, listed, compared, deleted, applied together with jobs."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.agents.assignment import environment
from scheduler.machine.rules.pruning import PRUNED_ALWAYS
from scheduler.model.objects import NAMES, kind_of
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import run_vars
from scheduler.words.commands import Actor, Apply, PreparedObject, PutSecret
from tests.api.single_node import SingleNode
from tests.node.effects.parts import connect

VARS = {"vars": "dsn", "values": {"host": "db1", "port": 5432}}
USING = {"job": "load", "run": "true", "vars": ["dsn"]}
YAML = {"Content-Type": "application/yaml"}


async def applied(client: httpx2.AsyncClient, *documents: Any, **query: Any) -> dict[str, Any]:
    reply = await client.post("/v1/apply", json={"objects": documents}, params=query)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return {word: [row["name"] for row in rows] for word, rows in found.items() if word != "dry_run"}


def problem(reply: httpx2.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    told: dict[str, Any] = reply.json()
    return told


@pytest.mark.parametrize("name", NAMES)
async def test_an_object_of_each_kind_goes_there_and_back(
    client: httpx2.AsyncClient, node: SingleNode, name: str
) -> None:
    example = {**kind_of(name).example, "owner": "ann", "labels": {"team": "data"}}
    if "secret" in example:
        assert (await node.propose(PutSecret("default", example["secret"], 1, "k", b"sealed"))).ok
    for channel in example.get("to", ()):
        await applied(client, {"channel": channel, "email": ["ops@example.org"]})
    path = f"/v1/{NAMES[name]}/{example[name]}"
    put = await client.put(path, json=example)
    assert (put.status_code, put.headers["ETag"]) == (201, '"1"')
    read = await client.get(path)
    assert read.json().items() >= {name: example[name], "revision": 1, "owner": "ann"}.items()
    again = await client.put(path, json=read.json())
    assert (again.status_code, again.json()["revision"]) == (200, 1), "what was read can be sent"
    listed = (await client.get(f"/v1/{NAMES[name]}", params={"labels": "team=data"})).json()
    assert [row["name"] for row in listed["items"]] == [example[name]]
    schema = (await client.get(f"/v1/schemas/{name}")).json()
    assert set(example) <= set(schema["properties"])
    assert (await client.delete(path)).status_code == 204
    assert problem(await client.get(path), 404)["detail"].startswith(f"there is no {name} ")


@pytest.mark.parametrize("name", NAMES)
async def test_its_text_is_what_a_person_wrote(
    client: httpx2.AsyncClient, node: SingleNode, name: str
) -> None:
    example = {**kind_of(name).example, "owner": "ann"}
    if "secret" in example:
        assert (await node.propose(PutSecret("default", example["secret"], 1, "k", b"sealed"))).ok
    for channel in example.get("to", ()):
        await applied(client, {"channel": channel, "email": ["ops@example.org"]})
    path = f"/v1/{NAMES[name]}/{example[name]}"
    await client.put(path, json=example)
    told = await client.get(f"{path}/definition")
    assert (told.headers["ETag"], told.headers["content-type"]) == ('"1"', "application/yaml; charset=utf-8")
    assert told.text.splitlines()[0] == f"{name}: {example[name]}"
    for left_out in ("namespace:", "labels:", "computed:", "description:"):
        assert left_out not in told.text
    again = await client.put(path, content=told.text, headers=YAML)
    assert (again.status_code, again.json()["revision"]) == (200, 1), "it says the same"
    await client.put(path, json={**example, "owner": "bob"})
    assert "owner: bob" in (await client.get(f"{path}/definition")).text
    assert "owner: ann" in (await client.get(f"{path}/definition", params={"revision": 1})).text
    assert problem(await client.get(f"{path}/definition", params={"revision": 9}), 404)
    assert (await client.delete(path)).status_code == 204
    assert problem(await client.get(f"{path}/definition", params={"revision": 3}), 404)


async def test_a_mistake_in_a_text_has_its_line(client: httpx2.AsyncClient) -> None:
    text = "vars: dsn\nvaluess: {a: 1}\n"
    told = problem(await client.put("/v1/vars/dsn", content=text, headers=YAML), 422)
    error = next(each for each in told["errors"] if each["pointer"] == "/valuess")
    assert (error["pointer"], error["line"], error["hint"]) == ("/valuess", 2, "did you mean values?")
    assert problem(await client.put("/v1/vars/dsn", content="", headers=YAML), 400)["detail"] == (
        "a vars was expected and nothing came"
    )


async def test_revisions_and_what_one_says_otherwise_than_another(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/vars/dsn", json=VARS)
    await client.put("/v1/vars/dsn", json={"values": {"host": "db2", "port": 5432}})
    await client.delete("/v1/vars/dsn")
    rows = (await client.get("/v1/vars/dsn/revisions")).json()["items"]
    assert [(row["revision"], row["deleted"]) for row in rows] == [(3, True), (2, False), (1, False)]
    old = (await client.get("/v1/vars/dsn", params={"revision": 1})).json()
    assert old["definition"]["values"]["host"] == "db1"
    told = (await client.get("/v1/vars/dsn/revisions/diff", params={"from": 1, "to": 2})).json()["diff"]
    assert "-  host: db1\n+  host: db2" in told
    assert problem(await client.get("/v1/vars/dsn/revisions/diff", params={"from": 1, "to": 9}), 404)


@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({"values": {}}, "/values", ""),
        ({"valuess": {"a": 1}}, "/valuess", "did you mean values?"),
        ({"values": {"a": [1]}}, "/values/a", ""),
        ({"values": {"a-b": 1}}, "/values", ""),
        ({"values": {"a": "x" * 40_000}}, "/values", "keep large texts in files"),
        ({"vars": "other", "values": {"a": 1}}, "/vars", ""),
        ({"values": {"a": 1}, "labels": {"team": 1}}, "/labels", "put it in quotes"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx2.AsyncClient, body: dict[str, Any], pointer: str, hint: str
) -> None:
    told = problem(await client.put("/v1/vars/dsn", json=body), 422)
    assert pointer in [error["pointer"] for error in told["errors"]]
    assert hint in [error.get("hint", "") for error in told["errors"]]
    assert (await client.get("/v1/vars")).json()["items"] == []


async def test_preconditions(client: httpx2.AsyncClient) -> None:
    async def put(value: int, **headers: str) -> int:
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        return (await client.put("/v1/vars/dsn", json={"values": {"n": value}}, headers=given)).status_code

    assert await put(1, if_match="*") == 412
    assert await put(1, if_match='"1"') == 404
    assert await put(1, if_none_match="*") == 201
    assert await put(2, if_none_match="*") == 409
    assert await put(2, if_match='"7"') == 412
    assert await put(2, if_match='"1"', idempotency_key="k") == 200
    assert await put(2, if_match='"1"', idempotency_key="k") == 200
    assert await put(3, if_match='"1"', idempotency_key="k") == 422
    assert (await client.delete("/v1/vars/dsn", headers={"If-Match": '"1"'})).status_code == 412


async def test_a_dry_run_says_what_the_write_would_and_changes_nothing(client: httpx2.AsyncClient) -> None:
    dry = {"dry_run": "true"}
    assert (await client.put("/v1/vars/dsn", json=VARS, params=dry)).json()["change"] == "created"
    assert (await client.get("/v1/vars/dsn")).status_code == 404
    assert problem(await client.put("/v1/jobs/load", json=USING, params=dry), 422)
    assert await applied(client, USING, VARS, **dry) == {
        "created": ["dsn", "load"], "changed": [], "unchanged": [], "deleted": [], "warnings": [],
        "follow": [],
    }  # fmt: skip
    await applied(client, USING, VARS)
    assert problem(await client.delete("/v1/vars/dsn", params=dry), 409)
    assert (await client.put("/v1/vars/dsn", json=VARS, params=dry)).json()["change"] == "unchanged"


async def test_a_reference_to_nothing_is_refused_with_the_near_miss(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/vars/dsn", json=VARS)
    wrong = {"job": "load", "run": "true", "vars": ["dsn", "dns"]}
    for reply, above in (
        (await client.put("/v1/jobs/load", json=wrong), ""),
        (await client.post("/v1/apply", json={"objects": [VARS, wrong]}), "/objects/1"),
        (await client.post("/v1/apply?dry_run=1", json={"objects": [VARS, wrong]}), "/objects/1"),
    ):
        (error,) = problem(reply, 422)["errors"]
        assert error == {
            "pointer": f"{above}/vars/1", "detail": "there is no vars 'dns' in namespace 'default'",
            "hint": "did you mean dsn?",
        }  # fmt: skip
    assert (await client.get("/v1/jobs")).json()["items"] == []


async def test_a_secret_that_is_not_there_is_put_first(client: httpx2.AsyncClient) -> None:
    """No apply takes one: its value goes into no file."""
    hook = {"hook": "deploys", "secret": "deploy-key"}
    told = problem(await client.put("/v1/hooks/deploys", json=hook), 422)
    assert told["hint"] == "put it first: cronclave secret put deploy-key --namespace default"


async def test_what_is_referred_to_is_not_deleted_and_says_by_whom(client: httpx2.AsyncClient) -> None:
    await applied(client, VARS, USING)
    load = {"kind": "job", "namespace": "default", "name": "load"}
    assert (await client.get("/v1/vars/dsn/referrers")).json()["items"] == [load]
    told = problem(await client.delete("/v1/vars/dsn"), 409)
    assert told["referrers"] == [load]
    assert told["detail"] == "vars default/dsn is referred to by job default/load"
    await client.delete("/v1/jobs/load")
    assert (await client.delete("/v1/vars/dsn")).status_code == 204


async def test_a_document_says_of_which_kind_it_is(client: httpx2.AsyncClient) -> None:
    documents = (
        "vars: dsn\nvalues: {host: db1}\n",
        "resource: warehouse\nrate: 5 per 60s\n",
        "job: a\nrun: x\nvars: [dsn]\n",
    )
    reply = await client.post("/v1/apply", content="---\n".join(documents), headers=YAML)
    found = reply.json()["created"]
    assert [(row["kind"], row["name"]) for row in found] == [
        ("vars", "dsn"), ("resource", "warehouse"), ("job", "a")
    ]  # fmt: skip
    assert (await client.get("/v1/resources/warehouse")).json()["rate"] == "5 per 1m"
    bad = [{"var": "a"}, {"vars": "a", "resource": "b"}, 7, {"board": "b", "expires": "soon"}]
    errors = problem(await client.post("/v1/apply", json=bad), 422)["errors"]
    assert [(error["pointer"], error.get("hint", "")) for error in errors][:2] == [
        ("/jobs/0", "did you mean vars?"), ("/jobs/1", "make a document of each"),
    ]  # fmt: skip


async def test_prune_deletes_what_the_source_owns_and_no_more(client: httpx2.AsyncClient) -> None:
    await applied(client, VARS, USING, {"board": "stock"}, source="git")
    await applied(client, {"board": "theirs"}, source="other")
    await client.put("/v1/boards/mine", json={"board": "mine"})
    prune = {"source": "git", "prune": "true"}
    dry = await applied(client, {"board": "stock"}, dry_run="true", **prune)
    assert (sorted(dry["deleted"]), dry["unchanged"]) == (["dsn", "load"], ["stock"])
    done = await applied(client, {"board": "stock"}, **prune)
    assert sorted(done["deleted"]) == ["dsn", "load"]
    boards = (await client.get("/v1/boards")).json()["items"]
    assert [row["name"] for row in boards] == ["mine", "stock", "theirs"]
    assert problem(await client.post("/v1/apply", json={"objects": [VARS], "prune": True}), 422)


async def test_what_an_administrator_puts_is_owned_by_no_label(client: httpx2.AsyncClient) -> None:
    """Else whoever may edit would delete it by leaving it out."""
    source = {"source": "prd", "folder": "/srv/jobs"}
    told = problem(await client.post("/v1/apply", json={"objects": [source], "source": "git"}), 422)
    (error,) = told["errors"]
    assert error["pointer"] == "/objects/0"
    assert error["detail"] == "source prd is an administrator's, and no label owns it"
    assert (await client.get("/v1/sources")).json()["items"] == []


async def test_prune_knows_what_the_source_was_told_elsewhere(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    late = prepare_document(parse_document({"board": "late"}), node.now_ms())
    assert isinstance(late, PreparedObject)
    node.unheard.append(Apply((late,), (), (), node.now_ms(), Actor("git"), "", b"", "git"))
    done = await applied(client, {"board": "stock"}, source="git", prune="true")
    assert done["deleted"] == ["late"]


async def test_prune_is_limited(client: httpx2.AsyncClient) -> None:
    boards = [{"board": f"b{number}"} for number in range(2 * PRUNED_ALWAYS + 2)]
    await applied(client, *boards, source="git")
    body = {"objects": boards[:PRUNED_ALWAYS], "source": "git", "prune": True}
    told = problem(await client.post("/v1/apply", json=body), 409)
    assert told["hint"].startswith(f"If that is meant, say so: prune_max={PRUNED_ALWAYS + 2}, on the command")
    reply = await client.post("/v1/apply", json={**body, "prune_max": PRUNED_ALWAYS + 2})
    assert len(reply.json()["deleted"]) == PRUNED_ALWAYS + 2


async def test_a_list_goes_on_where_it_ended_and_filters(client: httpx2.AsyncClient) -> None:
    await applied(client, *({"board": f"b{number}"} for number in range(5)), source="git")
    await applied(client, {"board": "b9", "namespace": "other"})
    names: list[str] = []
    cursor: str | None = None
    while True:
        place = {"limit": "2"} if cursor is None else {"limit": "2", "cursor": cursor}
        page = (await client.get("/v1/boards", params=place)).json()
        names += [row["name"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == ["b0", "b1", "b2", "b3", "b4", "b9"]
    for query, found in (({"q": "3"}, ["b3"]), ({"source": "none"}, []), ({"namespace": "other"}, ["b9"])):
        rows = (await client.get("/v1/boards", params=query)).json()["items"]
        assert [row["name"] for row in rows] == found


async def test_an_unknown_kind_is_nothing(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/v1/calenders/x")).status_code == 404


async def test_a_command_gets_the_values_that_its_run_began_with(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    connect(node)
    base = {"vars": "base", "values": {"host": "none", "dry": True}}
    await applied(client, VARS, base, {**USING, "vars": ["base", "dsn"]})
    run = (await client.post("/v1/jobs/load/runs", json={})).json()["id"]
    await client.put("/v1/vars/dsn", json={"values": {"host": "db2"}})
    (attempt,) = node.store.rows("SELECT id FROM attempts WHERE run = ?", (run,))
    (row,) = attempt_reads.dispatch(node.store, attempt)
    given = environment(row, run_vars.of_runs(node.store, [run])[run])
    found = {name: value for name, value in given.items() if name.startswith("CRONCLAVE_VAR_")}
    assert found == {
        "CRONCLAVE_VAR_HOST": "db1", "CRONCLAVE_VAR_PORT": "5432", "CRONCLAVE_VAR_DRY": "true",
    }  # fmt: skip


async def test_a_calendar_tells_its_days(client: httpx2.AsyncClient) -> None:
    berlin = {"calendar": "berlin", "holidays": {"country": "DE", "subdivision": "BE"}}
    assert (await client.put("/v1/calendars/berlin", json=berlin)).status_code == 201
    path = "/v1/calendars/berlin/days"
    told = (await client.get(path, params={"from": "2026-12-24", "to": "2026-12-26"})).json()["items"]
    assert [(day["day"], day["working"], day["why"]) for day in told] == [
        ("2026-12-24", True, ""), ("2026-12-25", False, "off"), ("2026-12-26", False, "off"),
    ]  # fmt: skip
    for wrong, said in (
        ({"from": "2026-12-24", "to": "2026-12-23"}, "query parameter 'to': 2026-12-23 is not within"),
        ({"from": "2026-13-01", "to": "2026-12-23"}, "?from: '2026-13-01' is no date; write 2026-01-31"),
        ({"from": "2026-01-01", "to": "x"}, "?to: 'x' is no date; write 2026-01-31"),
    ):
        assert problem(await client.get(path, params=wrong), 422)["detail"].startswith(said)
    lost = {"calendar": "x", "holidays": {"country": "DE", "subdivision": "BX"}}
    told = problem(await client.put("/v1/calendars/x", json=lost), 422)
    assert told["errors"][0]["pointer"] == "/holidays/0"
