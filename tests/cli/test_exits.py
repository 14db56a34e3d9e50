"""The exit codes that scripts rely on, each by a real refusal of a real API."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.exits import FAILED, of_run
from scheduler.words.lifecycle import RUN_ENDS
from tests.api.single_node import SingleNode, peer
from tests.cli.conftest import PROJECT, Command

NOTHING_LISTENS = "http://127.0.0.1:24999"


def job_file(folder: Path, text: str) -> str:
    path = folder / "job.yaml"
    path.write_text(text)
    return str(path)


async def test_0_done(cronclave: Command) -> None:
    result = await cronclave("job", "list")

    assert (result.code, result.err) == (0, "")


async def test_1_a_file_that_is_no_job(cronclave: Command, node: SingleNode, tmp_path: Path) -> None:
    before = node.index
    path = job_file(tmp_path, 'job: a b\ntriggers:\n  cron: "61 * * * *"\nrunn: true\n')

    result = await cronclave("job", "apply", path)

    assert result.code == 1
    assert "nothing was sent" in result.err
    assert f"{path}:1:1 /job: " in result.err
    assert f"{path}:3:3 /triggers/cron: minute" in result.err
    assert f"{path}:4:1 /runn: " in result.err
    assert "run?" in result.err
    assert node.index == before


#: A plain install: without the packages that the extra `chaos` brings.
PLAIN = """
import importlib.machinery

class Plain(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else super().find_spec(name, path, target)

import sys
sys.meta_path[:] = [Plain if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
"""


@pytest.mark.parametrize("hidden", [{"requests"}, {"cronsim", "requests", "toxiproxy"}])
async def test_1_a_package_of_an_extra_is_missing(offline: Command, tmp_path: Path, hidden: set[str]) -> None:
    (tmp_path / "sitecustomize.py").write_text(PLAIN.replace("HIDDEN", repr(hidden)))

    result = await offline("chaos", "run", "--out", "x", PYTHONPATH=f"{tmp_path}:{PROJECT}")

    assert result.code == 1
    assert f"packages that are not installed: {', '.join(sorted(hidden))}" in result.err
    assert "pip install 'cronclave[chaos]'" in result.err
    assert "Traceback" not in result.err


async def test_2_wrong_usage(cronclave: Command) -> None:
    assert (await cronclave("job", "list", "--no-such-option")).code == 2
    assert (await cronclave("job", "ticks", "x", "--from", "yesterday")).code == 2
    assert (await cronclave("run", "show", "none")).code == 2


async def test_2_no_cluster_is_known(offline: Command) -> None:
    result = await offline("job", "list")

    assert result.code == 2
    assert "cronclave dev" in result.err


async def test_3_no_such_thing(cronclave: Command) -> None:
    result = await cronclave("job", "get", "nightly")

    assert result.code == 3
    assert "'nightly'" in result.err
    assert (await cronclave("run", "show", "7")).code == 3
    assert (await cronclave("run", "logs", "7")).code == 3
    assert (await cronclave("job", "history", "nightly")).code == 3
    assert (await cronclave("cluster", "remove", "node-9", "--yes")).code == 3


async def test_4_denied(cronclave: Command) -> None:
    result = await cronclave("job", "list", "--token", "wrong")

    assert result.code == 4
    assert "hint:" in result.err


async def test_5_the_state_does_not_allow_it(cronclave: Command) -> None:
    arguments = ("--raft", "127.0.0.1:24002", "--zone", "zone-b", "--node-url", "http://127.0.0.1:24001")

    result = await cronclave("cluster", "add", "node-2", *arguments)

    assert result.code == 5
    assert "member already" in result.err


async def test_6_no_leader(cronclave: Command, node: SingleNode) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\n")
    await cronclave("job", "run", "a")
    node.quorum = False

    result = await cronclave("job", "list")
    shown = await cronclave("run", "show", "1", "--stale")

    assert result.code == 6
    assert (await cronclave("job", "list", "--stale")).code == 0
    assert (shown.code, "this node reaches no quorum" in shown.out) == (0, True)


async def test_6_a_lost_quorum_is_told_with_who_is_missing_and_what_to_do(
    cronclave: Command, node: SingleNode
) -> None:
    node.quorum = False
    node.peers = (peer("node-2", "zone-b", reachable=False), peer("node-3", "zone-c", reachable=False))

    for form in ("table", "json"):
        result = await cronclave("cluster", "status", "-o", form)

        assert result.code == 6
        assert "needs 2 of the 3 voting nodes, and node-2, node-3 do not answer" in result.err
        assert "Start them again with their data directories" in result.err
        assert "cluster recover" in result.err

    node.peers = (peer("node-2", "zone-b"), peer("node-3", "zone-c"))  # they answer here, and not the node
    told = (await cronclave("cluster", "status", "-o", "json")).err
    assert "Look again in a few seconds" in told
    assert "recover" not in told


async def test_6_no_node_answers(cronclave: Command) -> None:
    result = await cronclave("job", "list", CRONCLAVE_URL=NOTHING_LISTENS)

    assert result.code == 6
    assert NOTHING_LISTENS in result.err


async def test_7_not_within_the_time(cronclave: Command, tmp_path: Path) -> None:
    await cronclave("job", "apply", job_file(tmp_path, "job: slow\nrun: sleep 9"))

    result = await cronclave("job", "run", "slow", "--wait", "--timeout", "50ms", "-o", "json")

    assert result.code == 7
    assert json.loads(result.out)["state"] == "pending"


async def test_12_the_run_was_cancelled(cronclave: Command, tmp_path: Path) -> None:
    await cronclave("job", "apply", job_file(tmp_path, "job: slow\nrun: sleep 9"))
    run = json.loads((await cronclave("job", "run", "slow", "-o", "json")).out)["id"]
    assert (await cronclave("run", "cancel", str(run))).code == 0

    result = await cronclave("run", "wait", str(run))

    assert result.code == 12
    assert "cancelled" in result.err


def test_output_that_finds_no_room_is_an_error_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "--help"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == FAILED
    assert done.stderr == "error: what was asked for cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("state", "code"),
    [("succeeded", 0), ("failed", 10), ("timed_out", 11), ("cancelled", 12), ("lost", 13), ("expired", 14)],
)
def test_each_end_of_a_run_has_a_code_of_its_own(state: str, code: int) -> None:
    assert state in RUN_ENDS
    assert of_run({"state": state, "override": None}) == code


async def test_a_verdict_counts_before_how_the_run_ended(cronclave: Command, tmp_path: Path) -> None:
    assert (await cronclave("job", "apply", job_file(tmp_path, "job: j\nnoop: true\n"))).code == 0
    run = json.loads((await cronclave("job", "run", "j", "--held", "-o", "json")).out)["id"]
    assert (await cronclave("run", "cancel", str(run))).code == 0
    waited = await cronclave("run", "wait", str(run))
    assert (waited.code, waited.err) == (12, f"error: run {run} cancelled\n")
    verdict = ("--as", "succeeded", "--reason", "by hand")
    assert (await cronclave("run", "override", str(run), *verdict)).code == 0
    assert (await cronclave("run", "wait", str(run))).code == 0
