"""Both clients against a node on loopback: what they ask, and what they make of the answers."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import inspect
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cronclave
from cronclave import applying
from cronclave.aio import AsyncClient
from cronclave.client import Client
from cronclave.errors import (
    ConflictError,
    CronclaveError,
    DeniedError,
    InvalidError,
    NotFoundError,
    RunFailedError,
    UnreachableError,
    WaitTimeoutError,
)
from cronclave.target import find_target
from tests.api.single_node import ADMIN_TOKEN, CLUSTER
from tests.client.conftest import a_node
from tests.cluster.certificates import Certificates

WORK = {"job": "work", "run": "true", "params": {"n": {"type": "integer", "default": 1}}}


class Awaited:
    """The client for asyncio, called as the other one is."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        what = getattr(self._client, name)
        if not callable(what):
            return what

        def call(*arguments: Any, **named: Any) -> Any:
            found = what(*arguments, **named)
            if inspect.isasyncgen(found):
                return iter(self._loop.run_until_complete(_all(found)))
            return self._loop.run_until_complete(found)

        return call

    def over(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


async def _all(found: Any) -> list[Any]:
    return [each async for each in found]
class Word(enum.Enum):
    ONE = "one"


SUBMIT = """
import sys, cronclave
url, token, key = sys.argv[1:]
with cronclave.Client(url, token) as client:
    print(client.submit("work", {"n": 3}, key=key).id)
"""


@pytest.fixture(params=["blocking", "asyncio"])
def client(request: pytest.FixtureRequest, url: str) -> Iterator[Any]:
    if request.param == "blocking":
        with Client(url, ADMIN_TOKEN) as found:
            yield found
        return
    awaited = Awaited(url, ADMIN_TOKEN)
    yield awaited
    awaited.over()


def test_the_two_clients_have_the_same_calls() -> None:
    def calls_of(kind: type) -> dict[str, list[str]]:
        return {
            name: [str(each).partition(":")[0] for each in inspect.signature(what).parameters.values()]
            for name, what in vars(kind).items()
            if inspect.isfunction(what) and not name.startswith("_")
        }

    assert calls_of(Client) == calls_of(AsyncClient)


def test_a_job_is_applied_run_and_cancelled(client: Any) -> None:
    applied = client.apply([WORK, {"board": "stock", "expires": "1d"}])
    assert {*applied.created, *applied.unchanged} == {"job/default/work", "board/default/stock"}
    assert client.apply(WORK, dry_run=True).unchanged == ("job/default/work",)

    run = client.submit("work", {"n": 3}, reason="to see")
    assert (run.job, run.namespace, run.state, run.params) == ("work", "default", "pending", {"n": 3})
    assert run.created.tzinfo is not None
    assert not run.ended
    with pytest.raises(WaitTimeoutError) as waited:
        client.wait(run, 0.05)
    assert waited.value.run.id == run.id
    assert client.cancel(run).state == "cancelled"
    with pytest.raises(RunFailedError, match="cancelled"):
        client.wait(run)
    assert client.wait(run.id, check=False).ended

    again = client.rerun(run, params={"n": 4})
    assert (again.id > run.id, again.params) == (True, {"n": 4})
    assert {each.id for each in client.runs(job="work", most=2)} == {again.id, run.id}
    assert client.suspend(again).state == "suspended"
    assert client.resume_run(again).state == "pending"
    assert client.output(again) == b""
    client.cancel(again)


def test_a_key_makes_one_run_also_in_another_process(client: Any, url: str) -> None:
    client.apply(WORK)
    key = f"order-{type(client).__name__}"
    first = client.submit("default/work", {"n": 3}, key=key)
    assert client.submit("work", {"n": 3}, key=key).id == first.id
    command = [sys.executable, "-c", SUBMIT, url, ADMIN_TOKEN, key]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout == f"{first.id}\n"
    with pytest.raises(InvalidError) as caught:
        client.submit("work", {"n": 4}, key=key)
    assert caught.value.kind == "idempotency-key-reused"
    client.cancel(first)


def test_values_of_python_are_written_as_the_api_has_them(client: Any) -> None:
    kinds = {"day": "date", "at": "datetime", "long": "duration", "many": "list", "word": "string"}
    params = {name: {"type": kind} for name, kind in kinds.items()}
    client.apply({"job": "typed", "run": "true", "params": params})
    day = dt.date(2026, 12, 24)
    at = dt.datetime(2026, 12, 24, 19, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    given = {"day": day, "at": at, "long": dt.timedelta(minutes=90), "many": ("a", "b"), "word": Word.ONE}
    run = client.submit("typed", given, plan_date=day)
    assert run.params == {
        "day": "2026-12-24", "at": "2026-12-24T18:00:00Z", "long": "1h30m", "many": ["a", "b"], "word": "one",
    }  # fmt: skip
    assert run.plan_date == "2026-12-24"
    assert [each.id for each in client.runs(job="typed", since=at)] == []
    assert run.id in [each.id for each in client.runs(job="typed", until=at + dt.timedelta(days=9_999))]
    with pytest.raises(CronclaveError, match="cannot stand"):
        client.submit("typed", {"word": object()})
    client.cancel(run)


def test_notices_come_and_go(client: Any) -> None:
    client.apply({"board": "stock", "expires": "1d"})
    notice = client.post_notice("stock", "2026-12-24", key=f"one-{type(client).__name__}")
    assert notice.key == "2026-12-24"
    assert [each.serial for each in client.notices("stock")] == [notice.serial]
    client.take_down("stock", notice)
    assert list(client.notices("stock")) == []


def test_pauses_and_all_else(client: Any) -> None:
    client.apply(WORK)
    client.pause("work", reason="repairs")
    assert client.job("work")["pause_reason"] == "paused by admin: repairs"
    client.resume("work")
    assert client.ask("GET", "/v1/jobs/work")["state"] != "paused"


def test_more_than_a_request_holds_goes_live_as_one_act(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "OBJECTS_A_REQUEST", 5)
    monkeypatch.setattr(applying, "OBJECTS_A_SLICE", 4)
    namespace = type(client).__name__.lower()
    jobs = [{"job": f"many-{number:02}", "noop": True} for number in range(10)]

    with pytest.raises(InvalidError) as caught:
        client.apply([*jobs, {"job": "wrong", "rn": "x"}], namespace=namespace, key=namespace)
    assert "rn" in str(caught.value)
    assert client.ask("GET", f"/v1/jobs?namespace={namespace}")["items"] == []
    assert client.ask("GET", f"/v1/apply?stage=client-{namespace}")["state"] == "dropped"


def test_refusals_say_what_and_where(client: Any) -> None:
    client.apply(WORK)
    with pytest.raises(NotFoundError, match="no job 'none'"):
        client.submit("none")
    with pytest.raises(InvalidError) as caught:
        client.submit("work", {"n": "many"})
    assert [each.pointer for each in caught.value.errors] == ["/params/n"]
    run = client.submit("work")
    client.cancel(run)
    with pytest.raises(ConflictError):
        client.release(run)
    with pytest.raises((ConflictError, NotFoundError)):
        client.complete(run, "main")


def test_a_wrong_token_is_told(url: str) -> None:
    with Client(url, "wrong") as client, pytest.raises(DeniedError):
        client.run(1)


def test_a_client_is_for_several_threads(url: str) -> None:
    client = Client(url, ADMIN_TOKEN)
    client.apply(WORK)
    found: list[int] = []

    def submit() -> None:
        found.extend(client.submit("work", {"n": n}).id for n in range(10))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 40
    for run in found:
        client.cancel(run)
    client.close()


async def test_who_is_cancelled_leaves_no_connection_behind(url: str) -> None:
    async with AsyncClient(url, ADMIN_TOKEN) as client:
        await client.apply(WORK)
        run = await client.submit("work")
        waits = asyncio.create_task(client.wait(run))
        await asyncio.sleep(0)
        while client._session._idle:  # it has taken the connection
            await asyncio.sleep(0.01)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        assert (await client.cancel(run)).state == "cancelled"


def test_where_the_cluster_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(CronclaveError, match="no cluster is named"):
        Client()
    (tmp_path / ".cronclave").mkdir()
    (tmp_path / ".cronclave" / "dev.json").write_text('{"token": "t", "nodes": [{"url": "http://127.0.0.1:1"}]}')
    assert Client().nodes == ("http://127.0.0.1:1",)
    monkeypatch.setenv("CRONCLAVE_URL", "http://127.0.0.1:2, http://127.0.0.1:3/")
    assert Client().nodes == ("http://127.0.0.1:2", "http://127.0.0.1:3")
    assert Client(["http://127.0.0.1:4"], "t").nodes == ("http://127.0.0.1:4",)
    for wrong in ("nonsense", "ftp://a", "http://", "http://a:99999", "https://a:0"):
        with pytest.raises(CronclaveError, match="no address of a node"):
            Client(wrong, "t")
    with pytest.raises(CronclaveError, match="no TLS"):
        Client("http://node-1:8321", "t")
    with pytest.raises(CronclaveError, match=r"nowhere\.pem"):
        Client("https://node-1:8321", "t", ca="nowhere.pem")
    (tmp_path / ".cronclave" / "dev.json").write_text("{")
    monkeypatch.delenv("CRONCLAVE_URL")
    with pytest.raises(CronclaveError, match=r"dev\.json"):
        Client()


def test_a_context_names_a_cluster_as_it_does_for_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "cronclave" / "contexts.toml"
    file.parent.mkdir()
    file.write_text(
        'current = "here"\n[contexts.here]\nurl = "http://127.0.0.1:1"\ntoken = "one"\n'
        '[contexts.there]\nurl = "http://127.0.0.1:2,http://127.0.0.1:3"\ntoken_file = "token"\n'
    )
    with pytest.raises(CronclaveError, match="others may read it"):
        Client()
    file.chmod(0o600)
    (tmp_path / "token").write_text("two\n")

    def found(**named: Any) -> tuple[tuple[str, ...], str]:
        target = find_target(named.get("urls"), named.get("token"), None, named.get("context"))
        return target.urls, target.token

    there = ("http://127.0.0.1:2", "http://127.0.0.1:3")
    assert found() == (("http://127.0.0.1:1",), "one")
    assert found(context="there") == (there, "two")
    assert found(urls="http://127.0.0.1:4") == (("http://127.0.0.1:4",), ""), "no token of another cluster"
    monkeypatch.setenv("CRONCLAVE_TOKEN", "three")
    assert found(context="there") == (there, "two")
    assert found(context="there", token="four") == (there, "four")
    assert found()[1] == "three"
    monkeypatch.setenv("CRONCLAVE_CONTEXT", "there")
    assert found() == (there, "three")
    for wrong in ("nowhere", ""):
        with pytest.raises(CronclaveError, match="there is no context"):
            Client(context=wrong)
    with pytest.raises(CronclaveError, match="both name a cluster"):
        Client("http://127.0.0.1:1", context="there")
    file.write_text("[")
    with pytest.raises(CronclaveError, match="is not TOML"):
        Client(context="there")


def test_nodes_are_asked_by_tls_and_believed_by_their_authority(tmp_path: Path) -> None:
    files = Certificates(tmp_path / "tls", cluster=CLUSTER).issue("node-1")
    other = Certificates(tmp_path / "other", cluster=CLUSTER).trust
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with a_node(tmp_path, context) as url:
        with Client(url, ADMIN_TOKEN, ca=str(files.trust)) as client:
            client.apply(WORK)
            assert client.submit("work").job == "work"
        awaited = Awaited(url, ADMIN_TOKEN, ca=str(files.trust))
        assert awaited.submit("work").job == "work"
        awaited.over()

        # At once, and not when its patience is over: no node will ever have another one.
        awaited = Awaited(url, ADMIN_TOKEN, ca=str(other), within_s=3_600)
        with Client(url, ADMIN_TOKEN, ca=str(other), within_s=3_600) as stranger:
            for each in (stranger, awaited):
                with pytest.raises(UnreachableError, match="no node's certificate is trusted"):
                    each.run(1)
        awaited.over()
        plain = Client(url.replace("https", "http"), ADMIN_TOKEN, within_s=0)
        with pytest.raises(UnreachableError):
            plain.run(1)
        plain.close()


def test_little_is_loaded() -> None:
    """Modules are what an import costs, and time differs between machines."""
    program = "import sys; before = set(sys.modules); import cronclave; print(*set(sys.modules) - before)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"asyncio", "http.client", "fcntl", "yaml"} & set(loaded)
    assert len(loaded) < 150


def test_what_a_token_of_an_attempt_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CronclaveError, match="no way back"):
        cronclave.Callback.from_environment()
    monkeypatch.setenv("CRONCLAVE_CALLBACK_URL", "http://127.0.0.1:1/base/v1/runs/7/tasks/submit/complete?member=db-1")
    monkeypatch.setenv("CRONCLAVE_CALLBACK_TOKEN", "secret")
    client, *which = cronclave.Callback.from_environment()._parts(None)
    assert (client.nodes, which) == (("http://127.0.0.1:1/base",), [7, "submit", "db-1"])
    with pytest.raises(CronclaveError, match="no callback"):
        cronclave.Callback("http://127.0.0.1:1/v1/jobs/7", "t").complete()
