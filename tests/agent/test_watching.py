"""The agent's eyes on real folders: what they tell a node, and what they do with a file after its run."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.watching import facts, moving
from agent.watching.watcher import Watcher
from scheduler import protocol as p

pytestmark = pytest.mark.asyncio


class Node:
    """What a node hears from the eyes, and says to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard: list[p.Message] = []
        self.watcher = Watcher(self.heard.append, scan_s=60)  # so that what is told is told by inotify

    def watch(self, *known: tuple[int, str, str], whole: bool = False, trouble: str = "") -> None:
        self.watcher.receive(p.Known(1, True, known))
        self.watcher.receive(p.Watch(((1, str(self.folder), "*.csv", 200, whole, trouble),)))

    def seen(self) -> list[str]:
        told = [row for each in self.heard if isinstance(each, p.Seen) for row in each.files]
        return sorted({os.path.basename(row[0]) for row in told})

    def gone(self) -> set[int]:
        return {serial for each in self.heard if isinstance(each, p.Gone) for serial in each.serials}


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.02)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    (tmp_path / "in").mkdir()
    found = Node(tmp_path / "in")
    yield found
    await found.watcher.close()


def known(path: Path, serial: int = 1) -> tuple[int, str, str]:
    found = facts.of(str(path))
    assert found is not None
    return serial, str(path), found.identity


async def test_each_way_to_write_a_file_is_seen(node: Node) -> None:
    elsewhere = node.folder.parent / "elsewhere.csv"
    elsewhere.write_text("x")
    node.watch()
    await until(lambda: node.watcher._eyes[1].watch is not None)
    (node.folder / "written.csv").write_text("x")
    os.link(elsewhere, node.folder / "linked.csv")
    elsewhere.rename(node.folder / "moved.csv")
    (node.folder / "other.txt").write_text("x")
    (node.folder / "link.csv").symlink_to("written.csv")
    (node.folder / "folder.csv").mkdir()
    await until(lambda: node.seen() == ["linked.csv", "moved.csv", "written.csv"])


async def test_a_folder_that_is_made_again_is_watched_under_its_path(node: Node) -> None:
    node.watch()
    await until(lambda: node.watcher._eyes[1].watch is not None)
    first = node.watcher._eyes[1].watch
    node.folder.rename(node.folder.parent / "away")
    node.folder.mkdir()
    await until(lambda: node.watcher._eyes[1].watch not in (first, None))
    (node.folder / "a.csv").write_text("x")
    await until(lambda: node.seen() == ["a.csv"])


async def test_what_is_known_is_not_told_and_what_is_gone_is(node: Node) -> None:
    one, two = node.folder / "one.csv", node.folder / "two.csv"
    one.write_text("1")
    two.write_text("2")
    node.watch(known(one, 1), known(two, 2))
    await until(lambda: node.watcher._eyes[1].watch is not None)
    one.unlink()
    two.write_text("another version")
    await until(lambda: node.gone() == {1, 2} and node.seen() == ["two.csv"])


async def test_it_says_why_it_cannot_look_and_when_it_can_again(node: Node) -> None:
    node.folder.rmdir()
    node.watch()
    await until(lambda: p.Blind(1, "No such file or directory") in node.heard)
    node.watcher.receive(p.Forget(1, ()))
    node.folder.mkdir()
    node.watch(trouble="No such file or directory")  # it comes to another node
    await until(lambda: p.Blind(1, "") in node.heard)


async def test_a_file_is_moved_once_and_told_until_that_is_known(node: Node) -> None:
    path, done = node.folder / "a.csv", node.folder.parent / "done"
    path.write_text("x")
    done.mkdir()
    serial, where, identity = known(path, 4)
    node.watcher.receive(p.Move(1, serial, where, identity, str(done)))
    await until(lambda: p.Moved(1, 4, "") in node.heard)
    assert [each.name for each in done.iterdir()] == ["a.csv"]
    assert not path.exists()
    node.watcher.receive(p.Forget(1, (4,)))
    assert not node.watcher._moving


async def test_what_is_there_is_not_replaced_and_another_version_is_left(tmp_path: Path) -> None:
    path, done = tmp_path / "a.csv", tmp_path / "done"
    done.mkdir()
    (done / "a.csv").write_text("of yesterday")
    path.write_text("of today")
    assert moving.settle(*known(path)[1:], str(done)) == ""
    there = {each.name: each.read_text() for each in done.iterdir()}
    assert there == {"a.csv": "of yesterday", "a.csv.1": "of today"}
    path.write_text("one")
    before = known(path)[1:]
    path.write_text("another")
    assert moving.settle(*before, str(done)) == ""
    assert path.read_text() == "another"
    assert moving.settle(*known(path)[1:], "") == ""
    assert not path.exists()


async def test_a_later_delivery_of_the_same_length_and_time_is_kept_too(tmp_path: Path) -> None:
    """Writers that keep times (`cp -p`, rsync, tar) keep whole seconds."""
    path, done = tmp_path / "a.csv", tmp_path / "done"
    done.mkdir()
    for text in ("one", "two"):
        path.write_text(text)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        assert moving.settle(*known(path)[1:], str(done)) == ""
    assert {each.name: each.read_text() for each in done.iterdir()} == {"a.csv": "one", "a.csv.1": "two"}


async def test_what_is_written_on_while_it_is_copied_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, done = tmp_path / "a.csv", tmp_path / "done"
    done.mkdir()
    path.write_text("begin")
    copy = shutil.copyfileobj

    def copied(*args: Any) -> None:
        copy(*args)
        path.write_text("begin, and more")

    def elsewhere(*_: Any, **__: Any) -> None:
        raise OSError(errno.EXDEV, "another file system")

    before = known(path)[1:]
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", elsewhere)
        patch.setattr(shutil, "copyfileobj", copied)
        assert moving.settle(*before, str(done)) == ""
    assert path.read_text() == "begin, and more"
    assert not list(done.iterdir())


async def test_a_move_that_was_broken_off_is_brought_to_its_end(tmp_path: Path) -> None:
    """The agent died when it had linked the file, and not yet removed it."""
    path, done = tmp_path / "a.csv", tmp_path / "done"
    done.mkdir()
    path.write_text("x")
    os.link(path, done / "a.csv")
    assert moving.settle(*known(path)[1:], str(done)) == ""
    assert [each.name for each in done.iterdir()] == ["a.csv"]
    assert not path.exists()


async def test_to_another_file_system_it_is_copied(tmp_path: Path) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        return  # this machine has one file system
    path, done = tmp_path / "a.csv", shm / f"cronclave-{os.getpid()}"
    path.write_text("x" * 3_000_000)
    done.mkdir()
    try:
        assert moving.settle(*known(path)[1:], str(done)) == ""
        assert [(each.name, each.stat().st_size) for each in done.iterdir()] == [("a.csv", 3_000_000)]
        assert not path.exists()
    finally:
        shutil.rmtree(done)


async def test_why_it_could_not_be_moved_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x")
    nowhere = str(tmp_path / "nowhere")
    assert moving.settle(*known(path)[1:], nowhere) == f"{nowhere}/a.csv: No such file or directory"
    assert path.exists()
