"""Sources: what a folder, a repository or a bucket says becomes the cluster's, as a whole or not at all."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.app import Api
from node.effects.sources import contract
from node.effects.sources.contract import Place, Snapshot, Wanted
from node.effects.sources.folder import Folder
from node.effects.sources.follower import Follower
from node.effects.sources.git import Git
from node.effects.sources.store import Store
from scheduler.store.tables import stages
from scheduler.words.events import SourceReported
from tests.api.conftest import api as api
from tests.api.conftest import client as client
from tests.api.conftest import node as node
from tests.api.planning import planning
from tests.api.single_node import SingleNode
from tests.api.test_namespaces import token
from tests.object_store import BUCKET, KEY, SECRET, ObjectStore, serving

NIGHTLY = 'job: nightly\ntriggers: [{cron: "0 2 * * *"}]\nrun: ./report\n'
WEEKLY = "job: weekly\nvars: [shared]\nrun: ./week\n---\nvars: shared\nvalues: {A: one}\n"


class Sources:
    """A node that leads, a folder, and what looks into it."""

    def __init__(self, api: Api, node: SingleNode, client: httpx2.AsyncClient, root: Path) -> None:
        self._api, self.node, self.client = api, node, client
        self.folder, self.repository = root / "jobs", root / "repository"
        self.folder.mkdir()
        folder = Folder([root])
        self.places: dict[str, Place] = {"folder": folder, "git": Git(root / "copies", folder)}
        self.environment = ""
        self.follower = self.leader()

    def leader(self) -> Follower:
        """One that knows nothing yet, as after a change of leaders."""
        return Follower(
            self._api.services, self.places, environment=self.environment, holds_office=lambda: True,
            propose=self.node.propose,
        )  # fmt: skip

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / f"{name}.yaml").write_text(text)

    async def put(self, **fields: Any) -> None:
        fields = fields if {"git", "store"} & fields.keys() else {"folder": str(self.folder), **fields}
        reply = await self.client.put("/v1/sources/prd", json=fields)
        assert reply.is_success, reply.text

    async def look(self) -> dict[str, Any]:
        async with planning(self.node):
            await self.follower.look("default", "prd")
        return await self.state()

    async def sync(self, *, dry_run: bool = False, **body: Any) -> dict[str, Any]:
        reply = await self.client.post("/v1/sources/prd/sync", json=body, params={"dry_run": dry_run})
        assert reply.status_code == 202, reply.text
        told = await self.look()
        assert told["answered"] == reply.json()["asked"]
        return told

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.get("/v1/sources/prd/state")).json()
        return found

    async def job(self, name: str) -> dict[str, Any] | None:
        reply = await self.client.get(f"/v1/jobs/{name}")
        return reply.json() if reply.is_success else None

    def stage_is(self, state: str) -> bool:
        with self.node.read() as store:
            return any(stage.state == state for stage in stages.all_of(store))

    def git(self, *words: str) -> str:
        said = subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words], cwd=self.repository,
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return said.stdout.strip()

    def begin(self) -> dict[str, Any]:
        """A repository of these files; what a source says of it."""
        self.repository.mkdir()
        self.git("init", "-q", "-b", "main", ".")
        self.commit()
        return {"url": f"file://{self.repository}", "path": "jobs"}

    def commit(self, *words: str) -> str:
        shutil.rmtree(self.repository / "jobs", ignore_errors=True)
        shutil.copytree(self.folder, self.repository / "jobs", symlinks=True)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x", *words)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
async def given(
    api: Api, node: SingleNode, client: httpx2.AsyncClient, tmp_path: Path
) -> Sources:
    root = tmp_path / "outside"
    root.mkdir()
    found = Sources(api, node, client, root)
    found.write(nightly=NIGHTLY, weekly=WEEKLY)
    return found


async def test_a_folder_goes_live_as_a_whole_and_says_whose_it_is(given: Sources) -> None:
    await given.put()
    assert (await given.state())["state"] == "waiting"
    told = await given.look()
    assert (told["state"], told["created"], told["documents"], told["drift"]) == ("synced", 3, 3, [])
    job = await given.job("nightly")
    assert job is not None
    assert (job["source"], job["actor"]) == ("default/prd", "source default/prd")
    given.write(nightly=NIGHTLY.replace("./report", "./other"))
    told = await given.look()
    assert (told["state"], told["created"], told["changed"]) == ("synced", 0, 1)
    chain = (await given.client.get("/v1/jobs/nightly/explain?at=2030-01-01T02:00:00Z")).json()
    assert f"it comes from source default/prd at revision {told['revision'][:12]}" in str(chain)


async def test_a_look_without_news_writes_nothing(given: Sources) -> None:
    await given.put()
    await given.look()
    before = given.node.index
    await given.follower.look("default", "prd")
    given.follower = given.leader()
    await given.follower.look("default", "prd")
    assert given.node.index == before


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"broken": "job: [\n"}, "broken.yaml:2:1: not valid YAML"),
        ({"wrong": "\njob: wrong\nruun: x\n"}, "wrong.yaml:3:1 /ruun: unknown field"),
        ({"twice": NIGHTLY}, "twice.yaml:1:1: job default/nightly is defined already at nightly.yaml:1:1"),
        ({"absent": "job: absent\nvars: [nowhere]\nrun: x\n"}, "vars default/nowhere, which does not exist"),
        ({"inner": "source: other\nfolder: /x\n"}, "a source holds no sources"),
        ({"foreign": "job: f\nnamespace: finance\nrun: x\n"}, "'finance'"),
        (
            {"all": "channel: c\nemail: [c@example.org]\n---\n"
                    "route: r\non: [failed]\nto: [c]\neverywhere: true\n"},
            "all.yaml:4:1 : route default/r concerns all namespaces",
        ),
        ({"what": "what: is this\n"}, "what.yaml:1:1: the document does not say what it is"),
        ({"what": "- 1\n"}, "what.yaml:1:3: a document is an object, not a number"),
    ],
)
async def test_one_wrong_file_keeps_all_of_it_out(given: Sources, files: dict[str, str], told: str) -> None:
    given.write(**{f"j{n}": f"job: j{n}\nrun: x\n" for n in range(20)}, **files)
    await given.put()
    found = await given.look()
    assert found["state"] == "refused"
    assert told in str(found["problems"]), found
    assert await given.job("nightly") is None
    assert (await given.client.get("/v1/jobs")).json()["items"] == []


async def test_what_is_live_stays_where_the_source_cannot_be_read(given: Sources) -> None:
    await given.put(prune="100%")
    await given.look()
    given.folder.rename(given.folder.parent / "away")
    told = await given.look()
    assert told["state"] == "unreachable"
    assert told["detail"] == f"{given.folder}: No such file or directory on this node"
    given.folder.mkdir()
    told = await given.look()
    assert (told["state"], told["detail"]) == ("refused", "there is no document in it: what it owned stays")
    assert await given.job("nightly") is not None
    given.folder.rmdir()
    (given.folder.parent / "away").rename(given.folder)
    assert (await given.look())["state"] == "synced"


async def test_an_environment_reaches_no_other(given: Sources) -> None:
    given.write(**{"cronclave-source": "environment: DEV\n"})
    await given.put()
    told = await given.look()
    assert "of environment 'DEV', and this cluster has no environment" in told["detail"]
    given.environment = "PRD"
    given.follower = given.leader()
    assert "of environment 'DEV', and this cluster is 'PRD'" in (await given.sync())["detail"]
    (given.folder / "cronclave-source.yaml").unlink()
    assert "names none" in (await given.sync())["detail"]
    assert await given.job("nightly") is None
    given.write(**{"cronclave-source": "environment: PRD\n"})
    assert (await given.sync())["state"] == "synced"


async def test_what_it_owns_is_edited_there_alone(given: Sources) -> None:
    await given.put()
    await given.look()
    edited = {"run": "./mine"}
    for reply in (
        await given.client.put("/v1/jobs/nightly", json=edited),
        await given.client.put("/v1/jobs/nightly?dry_run=true", json=edited),
        await given.client.post("/v1/apply", json={"jobs": [{"job": "nightly", **edited}]}),
        await given.client.post("/v1/apply?source=mine", json={"jobs": [{"job": "nightly", **edited}]}),
        await given.client.put("/v1/vars/shared", json={"values": {"A": "two"}}),
        await given.client.delete("/v1/jobs/nightly"),
        await given.client.delete("/v1/jobs/nightly?dry_run=true"),
        await given.client.delete("/v1/vars/shared"),
    ):
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/owned"), reply.text
        assert "comes from source default/prd" in reply.json()["detail"]
    for path in ("pause", "resume", "runs"):
        assert (await given.client.post(f"/v1/jobs/nightly/{path}")).is_success, "runtime state is nobody's"
    assert (await given.client.delete("/v1/sources/prd")).status_code == 204
    assert (await given.client.put("/v1/jobs/nightly", json=edited)).status_code == 200


@pytest.mark.parametrize("drift", ["tell", "heal"])
async def test_an_edit_by_hand_is_shown_or_undone(given: Sources, drift: str) -> None:
    await given.put(drift=drift)
    await given.look()
    edited = {"objects": [{"job": "nightly", "run": "./mine"}]}
    reply = (await given.client.post("/v1/apply", json=edited)).json()
    warned = [each["detail"] for each in reply["warnings"]]
    assert warned == ["job default/nightly comes from source default/prd"]
    await given.client.delete("/v1/jobs/weekly")
    await given.client.post("/v1/jobs/nightly/pause")
    told = await given.look()
    job = await given.job("nightly")
    assert job is not None
    assert (job["source"], job["state"]) == ("default/prd", "paused"), "a pause is no part of the source"
    if drift == "heal":
        assert (told["state"], job["tasks"]["main"]["run"]) == ("synced", "./report")
        assert await given.job("weekly") is not None
        return
    assert job["tasks"]["main"]["run"] == "./mine"
    found = [(each["name"], each["change"]) for each in told["drift"]]
    assert found == [("weekly", "gone"), ("nightly", "otherwise")]
    before = given.node.index
    await given.follower.look("default", "prd")
    assert given.node.index == before, "known drift is told once"
    assert (await given.sync())["state"] == "synced"
    assert await given.job("weekly") is not None


async def test_what_it_no_longer_names_goes_within_a_share(given: Sources) -> None:
    await given.put()
    await given.look()
    (given.folder / "nightly.yaml").unlink()
    told = await given.look()
    assert (told["state"], [each["change"] for each in told["drift"]]) == ("drifted", ["left over"])
    await given.put(prune="10%")
    told = await given.look()
    assert (told["state"], await given.job("nightly") is None) == ("refused", False)
    assert "1 of the 3 that source 'default/prd' owns would be deleted, 0 at most" in told["detail"]
    told = await given.sync(prune_max=1)
    assert (told["state"], told["deleted"], told["documents"]) == ("synced", 1, 2)
    assert await given.job("nightly") is None


async def test_a_dry_run_says_what_would_change_and_changes_nothing(given: Sources) -> None:
    await given.put()
    told = await given.sync(dry_run=True)
    assert {(each["name"], each["change"]) for each in told["drift"]} == {
        ("nightly", "created"), ("weekly", "created"), ("shared", "created"),
    }  # fmt: skip
    assert await given.job("nightly") is None
    assert (await given.look())["state"] == "synced"


async def test_the_next_leader_goes_on_with_the_same_stage(given: Sources) -> None:
    await given.put()
    await given.follower.look("default", "absent")
    look = asyncio.create_task(given.follower.look("default", "prd"))
    async with asyncio.timeout(30):
        while not given.stage_is("checking"):  # nobody plans: its end does not come
            await asyncio.sleep(0.01)
    look.cancel()
    await asyncio.wait([look])
    assert await given.job("nightly") is None
    given.follower = given.leader()
    told = await given.look()
    assert (told["state"], told["created"]) == ("synced", 3)


async def test_a_source_is_an_administrators(given: Sources) -> None:
    submitter = token(given.node, "sub", "submitter")
    body = {"folder": str(given.folder)}
    assert (await given.client.put("/v1/sources/prd", json=body, headers=submitter)).status_code == 403
    applied = {"objects": [{"source": "prd", **body}]}
    assert (await given.client.post("/v1/apply", json=applied, headers=submitter)).status_code == 403
    await given.put()
    assert (await given.client.delete("/v1/sources/prd", headers=submitter)).status_code == 403
    assert (await given.client.post("/v1/sources/prd/sync", headers=submitter)).status_code == 403


# -- git -------------------------------------------------------------------------------------------


async def test_a_repository_is_read_at_its_ref(given: Sources) -> None:
    git = given.begin()
    (given.folder / "README.md").write_text("no job")
    first = given.commit()
    await given.put(git=git)
    told = await given.look()
    assert (told["state"], told["revision"], told["created"]) == ("synced", first, 3)
    given.write(nightly=NIGHTLY.replace("./report", "./other"))
    second = given.commit()
    told = await given.look()
    assert (told["revision"], told["changed"]) == (second, 1)
    assert _rewritten(given) is False
    given.write(nightly=NIGHTLY)
    third = given.commit("--amend")
    told = await given.look()
    assert (told["revision"], told["changed"], _rewritten(given)) == (third, 1, True)


def _rewritten(given: Sources) -> bool:
    told = [each[3] for each in given.node.history.behind((0, -1)) or ()]
    return [each for each in told if isinstance(each, SourceReported)][-1].rewritten


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("link.yaml", lambda path: path.symlink_to("/etc/passwd"), "link.yaml is a link"),
        (
            "big.yaml", lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid x\n"),
            "big.yaml is a pointer of Git LFS",
        ),
    ],
)  # fmt: skip
async def test_what_is_no_file_is_refused(given: Sources, name: str, make: Any, told: str) -> None:
    make(given.folder / name)
    await given.put(git=given.begin())
    found = await given.look()
    assert (found["state"], told in found["detail"]) == ("refused", True), found

async def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    given: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = given.begin()
    (given.repository / "jobs" / "large.yaml").write_text("#" * ((2 << 20) + 1))
    given.git("add", "-A")
    given.git("commit", "-q", "-m", "large")
    asked: list[str] = []
    real = asyncio.create_subprocess_exec

    async def noted(*words: str, **more: Any) -> asyncio.subprocess.Process:
        asked.append(words[1])
        return await real(*words, **more)

    monkeypatch.setattr(contract, "FILE_BYTES_MAX", 1 << 20)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    await given.put(git=said)
    told = await given.look()
    assert told["state"] == "refused"
    assert told["detail"] == "large.yaml has more than 1 MiB, the most of a file"
    assert ("ls-tree" in asked, "cat-file" in asked) == (True, False)



async def test_nothing_of_the_repository_is_run(given: Sources, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    (given.folder / ".gitattributes").write_text("* filter=evil\n")
    git = given.begin()
    given.git("config", "filter.evil.smudge", f"touch {seen}; cat")
    for hook in ("post-checkout", "pre-upload-pack", "reference-transaction"):
        path = given.repository / ".git/hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch {seen}\n")
        path.chmod(0o755)
    await given.put(git=git)
    assert (await given.look())["state"] == "synced"
    assert not seen.exists()


async def test_a_copy_that_was_left_locked_is_made_anew(given: Sources) -> None:
    await given.put(git=given.begin())
    await given.look()
    copy = given.folder.parent / "copies/default_prd.git"
    (copy / "shallow.lock").touch()
    (copy / "refs/cronclave/source.lock").touch()
    given.write(nightly=NIGHTLY.replace("./report", "./other"))
    given.commit()
    told = await given.look()
    assert (told["state"], told["changed"]) == ("synced", 1), told


async def test_what_cannot_be_reached_is_told(given: Sources) -> None:
    await given.put(git={"url": f"file://{given.folder}/none"})
    assert "No such file or directory on this node" in (await given.look())["detail"]
    await given.put(git={**given.begin(), "ref": "refs/heads/other"})
    told = await given.look()
    assert told["state"] == "unreachable"
    assert "couldn't find remote ref refs/heads/other" in told["detail"]
    await given.put(git={"url": "file:///etc"})
    assert "is not below sources.folders of this node's configuration" in (await given.look())["detail"]


# -- an object store -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket() -> Iterator[ObjectStore]:
    with serving() as found:
        yield found


async def test_a_bucket_is_read_below_its_prefix(given: Sources, bucket: ObjectStore) -> None:
    url = bucket.variables["AWS_ENDPOINT_URL"]
    given.places["store"] = Reading(KEY, SECRET)
    store = {"url": f"s3://{BUCKET}/prd", "endpoint": url}
    bucket.put("prd/jobs/nightly.yaml", NIGHTLY.encode())
    bucket.put("prd/jobs/weekly.yaml", WEEKLY.encode())
    bucket.put("dev/jobs/other.yaml", b"job: other\nrun: x\n")
    bucket.put("prd/jobs/README", b"no job")
    await given.put(store=store)
    told = await given.look()
    assert (told["state"], told["created"], told["from"]) == ("synced", 3, f"s3://{BUCKET}/prd")
    bucket.put("prd/jobs/nightly.yaml", NIGHTLY.replace("./report", "./other").encode())
    assert (await given.look())["changed"] == 1
    bucket.put("prd/jobs/broken.yaml", b"job: [\n")
    told = await given.look()
    assert (told["state"], told["problems"]) == (
        "refused", ["jobs/broken.yaml:2:1: not valid YAML: did not find expected node content"],
    )  # fmt: skip
    bucket.delete("prd/jobs/broken.yaml")
    assert (await given.look())["state"] == "synced"


async def test_a_bucket_that_is_not_there_says_nothing_of_what_was_in_it(
    given: Sources, bucket: ObjectStore
) -> None:
    url = bucket.variables["AWS_ENDPOINT_URL"]
    given.places["store"] = Reading(KEY, SECRET)
    bucket.put("own/nightly.yaml", NIGHTLY.encode())
    await given.put(store={"url": f"s3://{BUCKET}/own", "endpoint": url}, prune="100%")
    assert (await given.look())["state"] == "synced"
    await given.put(store={"url": "s3://no-such-bucket/own", "endpoint": url}, prune="100%")
    assert (await given.look())["state"] == "unreachable"
    await given.put(store={"url": f"s3://{BUCKET}/empty", "endpoint": url}, prune="100%")
    assert (await given.look())["detail"] == "there is no document in it: what it owned stays"
    assert await given.job("nightly") is not None


class Reading(Store):
    """With the keys of the tests' server, which no vault of this node holds."""

    def __init__(self, key: str, secret: str) -> None:
        super().__init__()
        self._keys = {"access_key_id": key, "secret_access_key": secret}

    async def look(self, wanted: Wanted) -> Snapshot:
        return await super().look(replace(wanted, secrets=self._keys))
