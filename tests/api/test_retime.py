"""Newer zone data comes into force through the API: by an administrator, who may ask first which ticks
move."""

from __future__ import annotations

import httpx2
import pytest

from api.routes import zones as routes
from scheduler.ticks import tzdata_version, zone_files
from scheduler.verify import verify
from scheduler.words.commands import KeepZones
from tests.api.single_node import SingleNode, peer
from tests.api.test_calendars import go_on
from tests.scheduler import zone_data

PATH = "/v1/cluster/retime"
OLD = zone_data.body("2020a", Europe_Berlin="Europe/Moscow")
"""In force as the tests begin: clocks of Berlin showed what those of Moscow do."""

NOON = {"job": "noon", "noop": True, "triggers": {"cron": "0 12 * * *", "tz": "Europe/Berlin", "id": "t"}}


@pytest.fixture
def old(node: SingleNode) -> SingleNode:
    assert node.apply(KeepZones(OLD))[0].ok
    return node


async def put(client: httpx2.AsyncClient, *documents: object) -> None:
    assert (await client.post("/v1/apply", json={"jobs": [*documents]})).status_code == 200


async def test_the_first_job_with_a_zone_brings_the_zone_data(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    refused = await client.post(PATH)
    assert (refused.status_code, "no zone data is in force" in refused.json()["detail"]) == (409, True)
    trial = await client.put("/v1/jobs/noon?dry_run=true", json=NOON)
    assert trial.status_code == 200
    assert not node.machine.state.zones, "a dry run brings nothing into force"
    assert (await client.put("/v1/jobs/noon", json=NOON)).status_code == 201
    assert node.machine.state.zones == zone_files.read(zone_files.of_wheel()).digest
    view = (await client.get("/v1/cluster")).json()
    assert view["tzdata"] == view["tzdata_installed"] == tzdata_version()
    again = (await client.post(PATH)).json()
    assert again == {
        "before": tzdata_version(), "tzdata": tzdata_version(), "zones": [], "changed": False, "live": True
    }  # fmt: skip


@pytest.mark.parametrize("way", ["apply", "stage", "namespace", "schedule"])
async def test_so_does_whatever_else_names_a_zone(
    client: httpx2.AsyncClient, node: SingleNode, way: str
) -> None:
    plan = {"plan": {"tz": "Europe/Berlin", "begin": "06:00"}}
    schedule = {"schedule": "shared", "triggers": [NOON["triggers"]]}
    reply = await {
        "apply": lambda: client.post("/v1/apply", json={"jobs": [NOON]}),
        "stage": lambda: client.post("/v1/apply?stage=s&slice=0", json={"jobs": [NOON]}),
        "namespace": lambda: client.put("/v1/namespaces/finance", json=plan),
        "schedule": lambda: client.put("/v1/schedules/shared", json=schedule),
    }[way]()
    assert reply.status_code in (200, 201), reply.text
    assert node.machine.state.tzdata == tzdata_version()
    assert node.machine.state.zones


async def test_a_dry_run_tells_who_moves_and_to_when(client: httpx2.AsyncClient, old: SingleNode) -> None:
    await put(client, NOON, {**NOON, "job": "utc", "triggers": {"cron": "0 12 * * *"}})
    given = {"plan": {"tz": "Europe/Berlin", "begin": "06:00"}}
    assert (await client.put("/v1/namespaces/finance", json=given)).status_code == 201
    reply = (await client.post(PATH + "?dry_run=true")).json()
    assert (reply["before"], reply["tzdata"], reply["changed"]) == ("2020a", tzdata_version(), False)
    assert reply["zones"] == ["Europe/Berlin"]
    assert reply["plans"] == ["finance"]
    (move,) = reply["moves"]
    assert (move["job"], move["trigger"], move["zone"]) == ("noon", "t", "Europe/Berlin")
    assert move["gone"][0].endswith("T09:00:00Z"), "noon of Moscow"
    assert move["come"][0][-10:] in ("T11:00:00Z", "T10:00:00Z"), "noon of Berlin"
    assert move["gone_count"] == move["come_count"] == 400
    assert old.machine.state.tzdata == "2020a"


async def test_it_comes_into_force_and_all_of_it_is_provable(
    client: httpx2.AsyncClient, old: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "LIVE_WAIT_S", 0.0)
    await put(client, NOON)
    before = (await client.get("/v1/jobs/noon/next?count=1")).json()
    reply = await client.post(PATH)
    assert (reply.status_code, reply.json()["live"]) == (202, False), "nobody plans here"
    assert (await client.get("/v1/cluster")).json()["tzdata"] == tzdata_version()
    waits = await client.put("/v1/jobs/noon?dry_run=true", json={**NOON, "owner": "ann"})
    assert waits.status_code == 200
    await go_on(old)
    after = (await client.get("/v1/jobs/noon/next?count=1")).json()
    assert before != after
    assert (await client.post(PATH)).json()["changed"] is False
    entry = (await client.get("/v1/audit")).json()["items"][0]
    assert (entry["action"], entry["kind"], entry["name"]) == ("retime", "cluster", "tzdata")
    assert (entry["before"], entry["after"]) == ("2020a", tzdata_version())
    verdict = verify(old.machine.store, 0, old.now_ms(), now_ms=old.now_ms())
    assert verdict.ok, verdict.problems


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"version": "2026a"}, 422, "/version: unknown field"),
        ({"tzdata": 2026}, 422, "/tzdata: it must be a version such as 2026a"),
        ({"tzdata": "1970a"}, 409, "installed, not '1970a'"),
        ([], 422, ""),
    ],
)
async def test_what_cannot_be_asked_for(
    client: httpx2.AsyncClient, old: SingleNode, body: object, status: int, said: str
) -> None:
    reply = await client.post(PATH, json=body)
    assert reply.status_code in (status, 400)
    assert said in reply.json()["detail"]
    for error in reply.json().get("errors", ()):
        assert not error["detail"].startswith("/"), "its place stands beside it"
    assert old.machine.state.tzdata == "2020a"


async def test_older_zone_data_comes_back_by_name_alone(client: httpx2.AsyncClient, node: SingleNode) -> None:
    """Whoever asks a node that was not upgraded yet did not mean to go back."""
    node.peers = (peer("node-2", "zone-b"),)
    assert node.apply(KeepZones(zone_data.body("2099z", Europe_Berlin="Europe/Moscow")))[0].ok
    refused = await client.post(PATH)
    assert (refused.status_code, "2099z is in force" in refused.json()["detail"]) == (409, True)
    assert refused.json()["installed"]["node-1"] == tzdata_version()
    assert (await client.post(PATH, json={"tzdata": tzdata_version()})).json()["changed"] is True
    assert node.machine.state.tzdata == tzdata_version()


async def test_a_zone_that_is_not_in_force_is_refused_with_the_way_out(
    client: httpx2.AsyncClient, old: SingleNode
) -> None:
    tokyo = {"cron": "0 12 * * *", "tz": "Asia/Tokyo", "id": "t"}
    for reply in (
        await client.put("/v1/jobs/noon", json={**NOON, "triggers": tokyo}),
        await client.post("/v1/apply", json={"jobs": [{**NOON, "triggers": tokyo}]}),
        await client.put("/v1/schedules/shared", json={"schedule": "shared", "triggers": [tokyo]}),
        await client.put("/v1/namespaces/finance", json={"plan": {"tz": "Asia/Tokyo"}}),
    ):
        assert reply.status_code == 422, reply.text
        assert "2020a, has no time zone Asia/Tokyo" in reply.json()["detail"]
        assert "cronclave cluster retime" in reply.json()["hint"]
