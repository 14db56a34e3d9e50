"""A run that waits for an object in an S3 bucket, while leaders die: agents ask, and the run goes on once it
is there, and not before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.cluster import Cluster, wait_for
from tests.e2e.cluster import DEADLINE_S, NewCluster, run_of, start_run, wait_run
from tests.e2e.test_namespaces import lose_the_leader
from tests.object_store import BUCKET, ObjectStore, serving

pytestmark = pytest.mark.cluster


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    with serving() as found:
        yield found


@pytest.fixture
def agents_ask(
    new_cluster: NewCluster, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    """A cluster whose agents have the store's variables in their environment."""
    for name, value in store.variables.items():
        monkeypatch.setenv(name, value)
    cluster = new_cluster()
    cluster.start()
    cluster.leader()
    return cluster


def test_a_run_goes_on_once_its_object_is_there_whoever_leads(
    agents_ask: Cluster, store: ObjectStore
) -> None:
    ask, wanted = agents_ask.client.ask, f"s3://{BUCKET}/in/_SUCCESS"
    job = {
        "job": "report", "requires": [{"exists": wanted, "every": "5s"}],
        "tasks": {
            "a": {"run": "true", "skip_if_exists": wanted},
            "b": {"run": "true", "skip_if_exists": f"s3://{BUCKET}/never", "allow_failure": True},
        },
    }  # fmt: skip
    ask("PUT", "/v1/jobs/report", job)
    run = start_run(agents_ask, "report")

    def asked() -> int:
        return len(run_of(agents_ask, run)["tasks"]["@requires-0"]["attempts"])

    wait_for(lambda: asked() >= 1, DEADLINE_S, "an agent to look")
    lose_the_leader(agents_ask)
    wait_for(lambda: asked() >= 2, DEADLINE_S, "one to look once more, under the next leader")
    assert run_of(agents_ask, run)["state"] == "pending"
    store.put("in/_SUCCESS")

    ended = wait_run(agents_ask, run)
    assert ended["state"] == "succeeded", ended
    looks = ended["tasks"]["@requires-0"]["attempts"]
    assert {each["exit_code"] for each in looks[:-1]} == {3}, "it was not there"
    assert looks[-1]["exit_code"] == 0
    assert "is there" in ended["tasks"]["a"]["attempts"][0]["reason"]
    assert "unmet" in ended["tasks"]["b"]["attempts"][0]["reason"]
