"""Many hosts and few licences. A licence pool of three under fifty jobs, while leaders die: what payloads
wrote themselves shows three at work and never four. Work on all web servers and databases,
one of which is away. A lock that is held while a person is asked."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from bench.cluster import PROJECT, Agent, Cluster, wait_for
from chaos.programs import write_toml
from chaos.senders import secret_of
from tests.e2e.cluster import DEADLINE_S, command_line, knob, run_of, start_run, wait_run
from tests.e2e.test_namespaces import lose_the_leader

pytestmark = pytest.mark.cluster

LICENCES, JOBS, KILLS = 3, 50, knob("KILLS", 2)
LINE = 'echo "$CRONCLAVE_JOB {} $(date +%s%N)" >> {}'


def at_once(lines: list[str]) -> int:
    """How many were at work at the same time, at most."""
    moves = sorted((int(at), 1 if what == "S" else -1) for _, what, at in (line.split() for line in lines))
    working = most = 0
    for _, change in moves:  # of one instant, an end first
        working += change
        most = max(most, working)
    return most


def test_no_more_work_at_once_than_there_are_licences_whoever_leads(cluster: Cluster, tmp_path: Path) -> None:
    ask, file = cluster.client.ask, tmp_path / "evidence"
    command = f"{LINE.format('S', file)}; sleep 0.2; {LINE.format('E', file)}"
    work = {"run": command, "locks": ["licences"], "namespace": "pool"}
    jobs = [{"job": f"j-{number:02}", **work} for number in range(JOBS)]
    resource = {"resource": "licences", "namespace": "pool", "count": LICENCES}
    ask("POST", "/v1/apply", {"objects": [resource, *jobs], "source": "e2e"})
    for job in jobs:
        ask("POST", f"/v1/jobs/{job['job']}/runs?namespace=pool", {})

    def ended() -> int:
        return len(file.read_text().splitlines()) // 2 if file.exists() else 0

    for kill in range(KILLS):
        wait_for(
            lambda done=(kill + 1) * min(8, JOBS // (KILLS + 1)): ended() >= done, DEADLINE_S, "some to end"
        )
        lose_the_leader(cluster)
    wait_for(lambda: ended() >= JOBS, DEADLINE_S, "all to end")

    lines = file.read_text().splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted(str(job["job"]) for job in jobs for _ in "SE")
    assert at_once(lines) == LICENCES
    path = "/v1/resources/licences/{}?namespace=pool"

    def given_back() -> bool:
        told = ask("GET", path.format("holders")).json()
        return bool(told["held"] == 0 and told["items"] == [])

    wait_for(given_back, DEADLINE_S, "all to be given back")
    assert ask("GET", path.format("waiters")).json()["items"] == []
    ask("POST", "/v1/apply", {"objects": [], "source": "e2e", "prune": True, "prune_max": JOBS + 1})


# -- web servers and databases ------------------------------------------------------------------------------

EXAMPLE = PROJECT / "docs/examples/jumpcloud"
POOLS = {"web": 5, "db": 3}
SEED = 18  #: of the secret that signs deliveries


@dataclass(slots=True)
class Servers:
    """Eight agents beside those of the cluster, and the jobs of the example, which write into our folder."""

    cluster: Cluster
    agents: dict[str, Agent]
    folder: Path

    def apply(self, ttl: str = "1h") -> None:
        text = (EXAMPLE / "jobs.yaml").read_text().replace("/tmp/site-", f"{self.folder}/site-")
        file = self.folder / "jobs.yaml"
        file.write_text(text.replace("ttl: 1h", f"ttl: {ttl}"))
        applied = command_line(self.cluster, "apply", str(file))
        assert applied.returncode == 0, applied.stderr

    def delivered(self, version: str) -> int:
        """The run of a delivery, signed by the example's own script."""
        url = self.cluster.nodes[0].url
        sent = subprocess.run(
            [EXAMPLE / "deliver.sh", "deploys", json.dumps({"version": version})], text=True, check=False,
            input=secret_of(SEED), env={**os.environ, "CRONCLAVE_URL": url}, capture_output=True,
            timeout=DEADLINE_S,
        )  # fmt: skip
        assert sent.returncode == 0, (sent.stdout, sent.stderr)
        (firing,) = json.loads(sent.stdout)["firings"]
        return int(firing["run"])

    def lines(self, run: int) -> list[str]:
        file = self.folder / f"site-{run}"
        return file.read_text().splitlines() if file.exists() else []

    def members(self, run: int, task: str) -> dict[str, str]:
        told = self.cluster.client.items(f"/v1/runs/{run}/tasks/{task}/members")
        return {member["member"]: member["state"] for member in told}


@contextmanager
def servers(cluster: Cluster, folder: Path) -> Iterator[Servers]:
    agents: dict[str, Agent] = {}
    for pool, count in POOLS.items():
        for number in range(count):
            name, node = f"{pool}-{number + 1}", cluster.nodes[number % len(cluster.nodes)]
            agent = agents[name] = Agent(name, node.zone, cluster.root / name, "agent")
            agent.directory.mkdir()
            settings = {
                "name": name, "zone": node.zone, "pool": pool, "nodes": [each.url for each in cluster.nodes],
                "token": cluster.token, "data": str(agent.data), "parent_pid": os.getpid(),
            }  # fmt: skip
            write_toml(agent.config, settings)
    before = list(cluster.agents)
    cluster.agents += agents.values()
    try:
        cluster.start()
        yield Servers(cluster, agents, folder)
    finally:
        for agent in agents.values():
            agent.kill_host()
        cluster.agents[:] = before


def stopped_at_once(lines: list[str]) -> int:
    """How many servers were down at the same time, at most, by what they wrote in one file."""
    down = most = 0
    for line in lines:
        down += {"stops": 1, "serves": -1}.get(line.split()[1], 0)
        most = max(most, down)
    return most


def test_web_servers_restart_two_at_a_time_and_a_database_that_is_away_is_waited_for_or_fails(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.client.ask("PUT", "/v1/secrets/deploy-key", {"value": secret_of(SEED)})
    web, databases = [f"web-{n + 1}" for n in range(5)], ["db-1", "db-2", "db-3"]
    with servers(cluster, tmp_path) as site:
        away = site.agents["db-3"]
        away.kill_host()
        wait_for(
            lambda: cluster.client.get("/v1/agents/db-3")["connected"] is False, DEADLINE_S, "db-3 is away"
        )
        site.apply()
        run = site.delivered("v1.4.0")

        def all_but_it() -> bool:
            states = run_of(cluster, run)["tasks"]
            return bool(
                states["restart"]["state"] == "succeeded"
                and site.members(run, "index")["db-2"] == "succeeded"
            )

        wait_for(all_but_it, DEADLINE_S, "everything but db-3", 0.2)
        lines = site.lines(run)
        rotated = [line.split()[0] for line in lines if line.endswith("rotated")]
        first_stop = next(at for at, line in enumerate(lines) if line.endswith("stops"))
        assert sorted(rotated) == web
        assert max(at for at, line in enumerate(lines) if line.endswith("rotated")) < first_stop
        assert sorted(line.split()[0] for line in lines if "serves v1.4.0" in line) == web
        assert stopped_at_once(lines) == 2
        assert site.members(run, "index") == {"db-1": "succeeded", "db-2": "succeeded", "db-3": "queued"}
        told = run_of(cluster, run)
        assert (told["state"], told["tasks"]["report"]["state"]) == ("running", "blocked"), (
            "it is never passed over"
        )

        away.start()
        done = wait_run(cluster, run)
        assert done["state"] == "succeeded", done
        lines = site.lines(run)
        assert lines[-1] == "report of v1.4.0"
        assert sorted(line.split()[0] for line in lines if line.endswith("indexed")) == databases

        away.kill_host()
        wait_for(
            lambda: cluster.client.get("/v1/agents/db-3")["connected"] is False, DEADLINE_S, "db-3 is away"
        )
        site.apply(ttl="2s")
        late = wait_run(cluster, site.delivered("v1.5.0"))
        assert late["state"] == "expired", late
        assert late["tasks"]["report"]["state"] == "skipped"
        assert site.members(late["id"], "index") == {
            "db-1": "succeeded",
            "db-2": "succeeded",
            "db-3": "expired",
        }
        assert "report of v1.5.0" not in site.lines(late["id"])


# -- a lock over a block, and a prompt in it ---------------------------------------------------------------

PROMPT = PROJECT / "docs/examples/js7-prompt/jobs.yaml"
BOARD = "/v1/resources/switchboard"


def repair(cluster: Cluster, folder: Path, *, expires: str = "30m") -> None:
    """The example, whose tasks note in our folder that they were at the switchboard."""
    resource, job = yaml.safe_load_all(PROMPT.read_text())
    for task, what in (("open", "S"), ("mend", "E"), ("close", "E")):
        work = job["tasks"][task]
        work["run"] = f"{LINE.format(what, folder / 'board')}; {work['run']}"
    job["tasks"]["go-ahead"]["approval"]["expires"] = expires
    file = folder / "jobs.yaml"
    file.write_text(yaml.safe_dump_all([resource, job]))
    applied = command_line(cluster, "apply", str(file))
    assert applied.returncode == 0, applied.stderr
    assert "waits for a person" in applied.stderr, "a lock over a question is warned of"


def at_the_board(cluster: Cluster, what: str) -> list[int]:
    return [int(item["run"]) for item in cluster.client.items(f"{BOARD}/{what}")]


def test_a_lock_over_a_block_is_held_while_a_person_is_asked_and_given_back_when_nobody_answers(
    cluster: Cluster, tmp_path: Path
) -> None:
    def asks(run: int) -> bool:
        return bool(run_of(cluster, run)["tasks"]["go-ahead"]["state"] == "active")

    def waits(run: int) -> bool:
        return at_the_board(cluster, "waiters") == [run]

    repair(cluster, tmp_path)
    first = start_run(cluster, "repair")
    wait_for(lambda: asks(first), DEADLINE_S, "the first to ask")
    second = start_run(cluster, "repair")
    wait_for(lambda: waits(second), DEADLINE_S, "the second to wait for the lock")
    lose_the_leader(cluster)
    assert at_the_board(cluster, "holders") == [first], "whoever leads"
    said = command_line(cluster, "run", "explain", str(second)).stdout
    assert f"held by run {first} of default/repair" in said
    assert asks(first)
    answered = command_line(cluster, "run", "approve", str(first))
    assert answered.returncode == 0, answered.stderr
    assert wait_run(cluster, first)["tasks"]["mend"]["state"] == "succeeded"
    wait_for(lambda: asks(second), DEADLINE_S, "the second to ask")
    assert at_the_board(cluster, "holders") == [second]
    assert command_line(cluster, "run", "reject", str(second)).returncode == 0
    tasks = wait_run(cluster, second)["tasks"]
    states = [tasks[name]["state"] for name in ("go-ahead", "mend", "close")]
    assert states == ["failed", "skipped", "succeeded"]

    repair(cluster, tmp_path, expires="2s")
    third, fourth = (start_run(cluster, "repair") for _ in "34")
    ends = [wait_run(cluster, run)["tasks"] for run in (third, fourth)]
    assert [tasks["go-ahead"]["state"] for tasks in ends] == ["expired", "expired"]
    assert [tasks["close"]["state"] for tasks in ends] == ["succeeded", "succeeded"]
    assert (at_the_board(cluster, "holders"), at_the_board(cluster, "waiters")) == ([], [])
    lines = (tmp_path / "board").read_text().splitlines()
    assert len(lines) == 8
    assert at_once(lines) == 1, "one at a time was at the switchboard"
