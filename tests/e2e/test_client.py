"""A user's program on the Python client, while leaders die: what it submits is run once each, what it
follows is whole.

The program is a process of its own that knows one node. It is killed as well, and begun again as its user
would.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cronclave
from bench.cluster import PROJECT, Cluster, wait_for
from cronclave import applying
from tests.e2e.cluster import DEADLINE_S, knob
from tests.e2e.test_namespaces import lose_the_leader

pytestmark = pytest.mark.cluster

SUBMITTED, KILLS = knob("SUBMITTED", 60), knob("KILLS", 2)
PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
import cronclave

url, token, orders = sys.argv[1], sys.argv[2], int(sys.argv[3])
with cronclave.Client(url, token) as client, ThreadPoolExecutor(4) as pool:
    def submit(order):
        number = client.submit("order", {"number": order}, key=f"order-{order}").id
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
    for each in [pool.submit(submit, order) for order in range(orders)]:
        each.result()
"""
HAND_ON = """
import pathlib, sys
import cronclave

folder = pathlib.Path(sys.argv[1])
back = cronclave.Callback.from_environment()
with cronclave.fence(folder / "yard") as fence:
    fence.check()
(folder / "told").write_text(f"{back.url} {back.token}")
(folder / "told").rename(folder / "way")
"""


def test_what_a_program_submits_with_keys_runs_once_each_though_leaders_and_it_die(
    cluster: Cluster, tmp_path: Path
) -> None:
    evidence = tmp_path / "evidence"
    job = {
        "job": "order",
        "run": f'echo "$CRONCLAVE_PARAM_NUMBER $CRONCLAVE_RUN" >> {evidence}',
        "params": {"number": {"type": "integer", "required": True}},
        "policies": {"overlap": "allow", "retention": {"runs": 2 * SUBMITTED}},
    }
    client = cronclave.Client(cluster.nodes[0].url, cluster.token)
    client.apply(job)
    told = tmp_path / "told"

    def begin() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", PROGRAM, cluster.nodes[1].url, cluster.token, str(SUBMITTED)]
        with told.open("ab") as out, (tmp_path / "errors").open("ab") as errors:
            return subprocess.Popen(command, stdout=out, stderr=errors)

    def lines() -> list[str]:
        return told.read_text().splitlines()

    program = begin()
    for kill in range(KILLS):
        wait_for(
            lambda least=SUBMITTED * kill // (KILLS + 1) + 1: len(lines()) >= least,
            DEADLINE_S, f"{kill} parts of the orders",
        )  # fmt: skip
        lose_the_leader(cluster)
        if kill == KILLS // 2:
            program.kill()
            program.wait()
            program = begin()
    assert program.wait(10 * DEADLINE_S) == 0, (tmp_path / "errors").read_text()

    numbers = set(map(int, lines()))
    assert len(numbers) == SUBMITTED, "the same key gave the same run, to the second program too"
    for number in sorted(numbers):
        client.wait(number, DEADLINE_S)
    ran = [line.split() for line in evidence.read_text().splitlines()]
    assert sorted(int(order) for order, _ in ran) == list(range(SUBMITTED))
    assert {int(run) for _, run in ran} == numbers
    assert {run.id for run in client.runs(job="order")} == numbers
    client.close()


def test_what_a_run_writes_is_followed_whole_though_the_leader_dies(cluster: Cluster) -> None:
    go_on = cluster.root / "go-on"
    job = {
        "job": "chatty",
        "tasks": {
            "first": {"run": f"echo begun; while ! test -e {go_on}; do sleep 0.05; done; seq 1 20000"},
            "second": {"needs": ["first"], "run": "echo two; exit 1", "retry": {"max": 1, "first": "100ms"}},
        },
    }
    with cronclave.Client([node.url for node in cluster.nodes], cluster.token) as client:
        client.apply(job)
        run = client.submit("chatty")
        parts = client.follow(run)
        found = {"first": next(parts).data}
        lose_the_leader(cluster)
        go_on.touch()
        for part in parts:
            name = f"{part.task} {part.attempt}" if part.task == "second" else part.task
            found[name] = found.get(name, b"") + part.data

        assert found["first"] == b"begun\n" + b"".join(b"%d\n" % n for n in range(1, 20_001))
        assert (found["second 1"], found["second 2"]) == (b"two\n", b"two\n")
        with pytest.raises(cronclave.RunFailedError) as caught:
            client.wait(run)
        assert caught.value.run.tasks["first"].state == "succeeded"
        fences = [attempt.fence or 0 for attempt in caught.value.run.tasks["second"].attempts]
        assert fences == sorted(fences)


def test_a_task_that_hands_its_work_on_is_completed_by_its_own_token(
    cluster: Cluster, tmp_path: Path
) -> None:
    asyncio.run(_completed(cluster, tmp_path))


async def _completed(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "hand_on.py").write_text(HAND_ON)
    job = {
        "job": "elsewhere",
        "tasks": {
            "submit": {
                "exec": [sys.executable, str(tmp_path / "hand_on.py"), str(tmp_path)],
                "async": {"timeout": "10m"},
                "outputs": ["rows"],
            }
        },
    }
    async with cronclave.AsyncClient(cluster.nodes[2].url, cluster.token) as client:
        await client.apply(job)
        run = await client.submit("elsewhere")
        ended = asyncio.create_task(client.wait(run, DEADLINE_S))

        def way() -> list[str]:
            file = tmp_path / "way"
            return file.read_text().split() if file.exists() else []

        await asyncio.to_thread(wait_for, way, DEADLINE_S, "its way back")
        url, token = way()
        callback = cronclave.Callback(url, token)
        await asyncio.to_thread(callback.progress, percent=40, text="loading")
        await asyncio.to_thread(callback.complete, outputs={"rows": 3}, message="3 files")
        done = await ended
        assert done.tasks["submit"].outputs == {"rows": 3}
        assert done.tasks["submit"].attempts[0].fence == int((tmp_path / "yard.fence").read_text())


def test_members_of_a_divided_task_are_listed_and_followed_each(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = cluster.root / "members-go-on"
    job = {
        "job": "divided",
        "run": 'echo "$CRONCLAVE_ITEM begun"; '
        f'while ! test -e {go_on}; do sleep 0.05; done; echo "$CRONCLAVE_ITEM done"',
        "fanout": {"foreach": ["a", "b", "c"]},
    }
    with cronclave.Client(cluster.nodes[0].url, cluster.token) as client:
        beside = [{"job": f"many-{number}", "noop": True} for number in range(10)]
        monkeypatch.setattr(applying, "OBJECTS_A_REQUEST", 5)  # so that it is laid down first
        applied = client.apply([job, *beside])
        assert (len(applied.created), applied.unchanged) == (11, ())
        run = client.submit("divided")
        wait_for(lambda: len(list(client.members(run, "main", state="active"))) == 3, DEADLINE_S, "members")
        second = list(client.members(run, "main"))[1]
        parts = client.follow(run, "main", member=second.name)
        found = next(parts).data
        go_on.touch()
        rest = list(parts)
        assert found + b"".join(part.data for part in rest) == b"b begun\nb done\n"
        assert {part.member for part in rest} == {second.name}
        client.wait(run, DEADLINE_S)
        assert list(client.follow(run)) == []
        assert [(each.item, each.state) for each in client.members(run, "main")] == [
            ("a", "succeeded"), ("b", "succeeded"), ("c", "succeeded"),
        ]  # fmt: skip
        assert client.output(run, "main", member=second.name) == b"b begun\nb done\n"


GUIDE = PROJECT / "docs" / "guides" / "python.md"
NAMED = r"(?:^Write `(?P<file>[\w.]+)`:\n\n)?"
BLOCK = re.compile(NAMED + r"^```(?P<kind>python|sh)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
BEFORE = ("pip install", "cronclave dev")  #: what the test has done for its reader
ENDED = "{'extract': 'succeeded', 'load': 'succeeded', 'nothing': 'skipped'}\n"
#: What each of its programs and commands says, in their order.
SAID = (
    "1 would be created", "1 created", ":00:00Z", "extract", *2 * [f"order 1 of us\nloaded 1\n{ENDED}"],
    "hello, world\nsucceeded\n", "['number 0', 'number 1', 'number 2']\n", "7\n",
    "[{'after': 'convert.succeeded'}] params.mode == 'full'\n",
)  # fmt: skip


def test_the_guide_leads_from_nothing_to_a_pipeline(cluster: Cluster, tmp_path: Path) -> None:
    """What it says to write is written, what it says to run is run, and says what it says."""
    facts = {"token": cluster.token, "nodes": [{"url": node.url} for node in cluster.nodes]}
    (tmp_path / ".cronclave").mkdir()
    (tmp_path / ".cronclave" / "dev.json").write_text(json.dumps(facts))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    told: list[str] = []

    def run(command: list[str]) -> None:
        ended = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True,
            timeout=DEADLINE_S,
        )  # fmt: skip
        assert (ended.returncode, ended.stderr) == (0, ""), command
        told.append(ended.stdout)

    for block in BLOCK.finditer(GUIDE.read_text()):
        text = block["text"].replace("/tmp/", f"{tmp_path}/")
        if block["file"]:
            (tmp_path / block["file"]).write_text(text)
        elif block["kind"] == "python":
            run([sys.executable, "-c", text])
        else:
            for line in text.splitlines():
                if not line.startswith(BEFORE):
                    run(["sh", "-c", line])

    assert len(told) == len(SAID)
    assert [each for each in zip(SAID, told, strict=True) if each[0] not in each[1]] == []


LUIGI = PROJECT / "docs" / "examples" / "luigi"


def test_a_pipeline_of_luigi_makes_the_same_files_rewritten(cluster: Cluster, tmp_path: Path) -> None:
    before, here = tmp_path / "luigi", tmp_path / "here"
    before.mkdir()
    here.mkdir()
    whole = ["Report", "--local-scheduler", "--folder", str(before), "--day", "2026-12-24"]
    subprocess.run(
        [sys.executable, "-m", "luigi", "--module", "luigi_pipeline", *whole],
        cwd=LUIGI, env={**os.environ, "PYTHONPATH": str(LUIGI)}, capture_output=True, check=True,
    )  # fmt: skip
    told = subprocess.run(
        [sys.executable, "-m", "cli.main", "job", "apply", str(LUIGI / "pipeline.py")],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "CRONCLAVE_URL": cluster.nodes[0].url, "CRONCLAVE_TOKEN": cluster.token,
             "PIPELINE_PYTHON": sys.executable, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert "2 created" in told.stdout

    with cronclave.Client(cluster.nodes[0].url, cluster.token) as client:
        run = client.submit("luigi-report", {"day": "2026-12-24", "folder": str(here)})
        assert client.wait(run, DEADLINE_S).tasks["report"].outputs == {"rows": 6}

    files = {path.name: path.read_text() for path in before.iterdir()}
    assert len(files) == 4
    assert {path.name: path.read_text() for path in here.iterdir()} == files
