"""A package with an executor, installed beside the agent by pip: offered, run, and held to the contract."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.executors import GROUP
from tests.agent.fake_node import DEADLINE_S, FakeNode, assign
from tests.agent.host import REPOSITORY, Host

SOURCE = Path(__file__).parent / "third_party" / "waiting"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has installed it: a wheel of its own, without network or build."""
    folder = tmp_path_factory.mktemp("third-party")
    about = "waiting-1.0.dist-info"
    files = {f"waiting/{path.name}": path.read_text() for path in SOURCE.glob("*.py")}
    files |= {
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: waiting\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": f"[{GROUP}]\nwaiting = waiting:Waiting\nlost = waiting:Missing\n",
    }
    record = f"{about}/RECORD"
    files[record] = "".join(f"{name},,\n" for name in (*files, record))
    wheel = folder / "waiting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    site = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
    subprocess.run([*pip, str(site), str(wheel)], check=True, timeout=DEADLINE_S)
    return site


def held(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{site}:{REPOSITORY}"}
    argv = [sys.executable, "-m", "waiting.hold", str(folder), *words]
    return subprocess.run(
        argv, env=environment, cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


def test_it_is_held_to_the_contract(site: Path, tmp_path: Path) -> None:
    result = held(site, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_one_that_breaks_the_contract_is_told_how(site: Path, tmp_path: Path) -> None:
    result = held(site, tmp_path, "broken")
    assert result.returncode == 1
    assert result.stderr == "refused: cancelled work ends so: ['cancelled', 'cancelled']\n"


@pytest.fixture
async def agent(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Host, FakeNode]]:
    monkeypatch.setenv("PYTHONPATH", str(site))
    async with FakeNode() as node:
        host = Host(tmp_path, [node.url])
        host.start()
        try:
            await node.connected()
            yield host, node
        finally:
            host.close()


async def test_an_agent_offers_it_and_leaves_out_what_cannot_be_loaded(agent: tuple[Host, FakeNode]) -> None:
    host, node = agent
    assert "waiting" in node.hellos[0].kinds
    assert "lost" not in node.hellos[0].kinds
    assert "executor lost of waiting:Missing cannot be used" in host.log()
    await node.send(
        assign(1, {"kind": "waiting", "with": {"seconds": 0.05}}),
        assign(2, {"kind": "waiting", "with": {"seconds": "many"}}),
    )
    assert (await node.finished(1)).exit_code == 0
    wrong = await node.finished(2)
    assert (wrong.reason, wrong.detail) == ("start_failed", "with: {seconds: …} is a number")
