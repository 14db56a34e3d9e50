"""What is looked for in an object store, by the spooler, in a real S3 server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import looking
from agent.executors.command import CommandExecutor
from agent.exits import Exit
from scheduler.model import canonical, compile_job, parse_job
from scheduler.protocol import OBJECT_STORE
from tests.agent.fake_node import DEADLINE_S
from tests.agent.test_spooler import Spool, command
from tests.object_store import BUCKET, SECRET, ObjectStore, serving

DONE = f"s3://{BUCKET}/in/_SUCCESS"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with serving() as found:
        yield found


@pytest.fixture
def spool(tmp_path: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spool]:
    """Of an agent that has the store's variables in its environment."""
    for name, value in store.variables.items():
        monkeypatch.setenv(name, value)
    spool = Spool(tmp_path / "s")
    spool.connect()
    spool.expect("state")
    yield spool
    spool.socket.close()
    spool.process.kill()
    spool.process.wait(DEADLINE_S)


def look(spool: Spool, attempt: int, name: str, **changes: Any) -> Exit:
    """As of a requirement: there is no work but the look."""
    spool.tell(command(attempt, "", argv=[], skip_if_exists=name, **changes))
    return Exit(*spool.expect("exit")[1:])


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("there", 0, "is there"),
        ("a b/ü", 0, "is there"),
        ("folder/", 0, "is there"),
        ("none", 3, "is not there"),
        ("folder", 3, "is not there"),
        ("fold/", 3, "is not there"),
    ],
)
def test_a_look_ends_with_whether_it_is_there(
    spool: Spool, store: ObjectStore, name: str, code: int, says: str
) -> None:
    for key in ("there", "a b/ü", "folder/deep/one"):
        store.put(key)
    end = look(spool, 1, f"s3://{BUCKET}/{name}")
    assert (end.exit_code, end.reason) == (code, "exit")
    assert end.tail.decode() == f"s3://{BUCKET}/{name} {says}\n"


def test_a_store_that_does_not_answer_is_neither(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, store: ObjectStore
) -> None:
    away = store.variables | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "PATH": "/usr/bin:/bin"}
    end = look(spool, 1, DONE, environment=away)
    assert (end.exit_code, end.reason) == (4, "exit")
    assert b"nobody could see whether it is there" in end.tail


def test_what_is_there_is_not_made_again_and_what_is_made_is_looked_for(
    spool: Spool, store: ObjectStore, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    spool.tell(command(1, f"echo x >> {ran}", skip_if_exists=f"s3://{BUCKET}/made/1"))
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.detail) == ("unmet", f"s3://{BUCKET}/made/1: it is not there")
    store.put("made/1")
    spool.tell(command(2, f"echo x >> {ran}", skip_if_exists=f"s3://{BUCKET}/made/1"))
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.exit_code) == ("exists", None)
    assert ran.read_text() == "x\n"


def test_work_is_not_begun_where_nobody_can_see_what_is_there(
    spool: Spool, store: ObjectStore, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    away = store.variables | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "PATH": "/usr/bin:/bin"}
    spool.tell(command(1, f"touch {ran}", environment=away, skip_if_exists=DONE))
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.exit_code) == ("start_failed", None)
    assert "nobody could see" in end.detail
    assert not ran.exists()


def test_the_agents_own_variables_are_in_no_jobs_environment(spool: Spool, store: ObjectStore) -> None:
    spool.tell(command(1, "env", skip_if_exists=f"s3://{BUCKET}/never"))
    end = Exit(*spool.expect("exit")[1:])
    assert end.exit_code == 0
    assert SECRET.encode() not in end.tail
    assert b"AWS_" not in end.tail


def test_whoever_runs_as_another_user_asks_with_what_is_his_alone(store: ObjectStore) -> None:
    environment = store.variables | {"OTHER": "x"}
    assert json.loads(looking.stdin(DONE, environment, "") or "") == store.variables
    assert looking.stdin(DONE, environment, "batch") is None
    assert looking.stdin("/a/path", environment, "") is None


def test_the_environment_of_a_task_is_before_that_of_the_agent(store: ObjectStore) -> None:
    store.put("mine")
    wrong = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "nowhere"}
    done = subprocess.run(
        looking.argv(f"s3://{BUCKET}/mine"), input=json.dumps(wrong), capture_output=True, text=True,
        env={**os.environ, **store.variables}, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_no_module_of_a_jobs_folder_is_taken_for_the_agents(tmp_path: Path, store: ObjectStore) -> None:
    (tmp_path / "obstore.py").write_text("raise SystemExit('taken')")
    (tmp_path / "agent.py").write_text("raise SystemExit('taken')")
    done = subprocess.run(
        looking.argv(f"s3://{BUCKET}/none"), input="", capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, **store.variables}, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (looking.NOT_THERE, "")


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "obstore.py").write_text("raise ModuleNotFoundError(name='obstore')")
    line = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = [{DONE!r}]"
    done = subprocess.run(
        [sys.executable, "-c", f"{line}; from agent import looking; sys.exit(looking.main())"],
        input="", capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == looking.UNKNOWN
    assert "pip install 'cronclave[s3]'" in done.stdout


def test_an_agent_offers_it_as_a_feature_of_its_commands() -> None:
    features = CommandExecutor(None).capabilities().features  # type: ignore[arg-type]
    assert (OBJECT_STORE in features) == looking.is_possible()


def test_only_agents_that_know_stores_are_asked() -> None:
    def asks(**fields: Any) -> dict[str, tuple[str, ...]]:
        compiled = compile_job(canonical(parse_job({"job": "j", "run": "x", **fields})))
        return {task.name: task.features for task in compiled.tasks}

    assert OBJECT_STORE in asks(skip_if_exists=DONE)["main"]
    assert OBJECT_STORE not in asks(skip_if_exists="/done")["main"]
    assert asks(requires=[{"exists": DONE}])["@requires-0"] == (OBJECT_STORE,)
    assert asks(requires=[{"exists": "/done"}])["@requires-0"] == ()
