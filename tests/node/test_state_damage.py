"""A state file that was harmed on the disk: the look at it finds what breaks its shape, and the node ends
with words, or takes another state; it never serves it and never leads."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.peers import PeerInfo
from node import damage
from node.damage import FAILURES_MAX, UntrustedError, damage_behind, note_failure, set_aside, untrusted
from node.inspection import HOLD_S, Inspection
from node.state import ApplyError
from scheduler.formats import NewerFormatError
from scheduler.store import soundness
from scheduler.store.connection import DamagedError, Error, Store, StoreError, is_damage
from tests.node.damaged import (
    INDEX_INTERIOR,
    INDEX_LEAF,
    PAGE_BYTES,
    TABLE_INTERIOR,
    TABLE_LEAF,
    file_of,
    flip,
    flip_many,
    live,
    open_state,
    pages_of,
)

FLIPS = 40


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("lived") / "data"
    live(data)
    return data


@pytest.fixture
def data(lived: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lived, tmp_path / "data"))


def look_at(data: Path) -> None:
    """Start, and wait for the look to end."""
    state = open_state(data)
    try:
        state.inspection.settle()
    finally:
        state.close()


def peer(applied: int, *, voter: bool = True) -> PeerInfo:
    return PeerInfo("p", "u", "h:1", "z", "", voter, True, 0, 0, 0, applied, None, 1, 1, {})


def test_whole_state_is_found_whole(data: Path) -> None:
    state = open_state(data)

    state.inspection.settle()

    assert not state.inspection.holds_back
    state.close()


@pytest.mark.parametrize("kind", [TABLE_LEAF, TABLE_INTERIOR, INDEX_LEAF, INDEX_INTERIOR])
def test_page_that_is_overwritten_is_found_at_the_start(data: Path, kind: int) -> None:
    file = file_of(data)
    page = random.Random(kind).choice(pages_of(file, kind))
    with file.open("r+b") as raw:
        raw.seek(page * PAGE_BYTES)
        raw.write(bytes(range(256)) * (PAGE_BYTES // 256))

    with pytest.raises(DamagedError, match=r"state\.db"):
        look_at(data)


@pytest.mark.parametrize("kind", [TABLE_LEAF, TABLE_INTERIOR, INDEX_LEAF, INDEX_INTERIOR])
def test_flipped_bit_in_the_head_of_a_page_is_found_at_the_start(data: Path, kind: int) -> None:
    """Where its cells begin: the kind of the page and the number of its cells."""
    file = file_of(data)
    for page in pages_of(file, kind)[:3]:
        for byte in (0, 4):
            flip(file, page * PAGE_BYTES + byte, 2)

            assert soundness.problems(file)

            flip(file, page * PAGE_BYTES + byte, 2)
    assert not soundness.problems(file)


def test_200_flipped_bits_are_found_at_the_start_and_never_end_in_anything_but_damage(data: Path) -> None:
    sound = file_of(data).read_bytes()
    for seed in range(5):
        file_of(data).write_bytes(sound)
        flip_many(file_of(data), 200, seed)

        with pytest.raises((Error, UnicodeDecodeError)) as met:
            look_at(data)

        assert isinstance(met.value, Exception)
        assert damage_behind(met.value, data) is not None


def test_flipped_bit_in_the_header_of_the_file_is_found_or_refused_by_name(data: Path) -> None:
    """A start either finds damage, or is refused with words, or the bit means nothing to anybody."""
    file = file_of(data)
    sound = file.read_bytes()
    met = []
    for byte in range(100):
        file.write_bytes(sound)
        flip(file, byte, byte % 8)
        try:
            look_at(data)
        except (Error, StoreError) as error:
            met.append((byte, error))
    assert len(met) > 20
    assert not [each for each in met if not isinstance(each[1], StoreError) and not is_damage(each[1])]


def test_free_page_in_a_wrong_place_is_found(data: Path) -> None:
    store = Store.open_alone(file_of(data))
    store.execute("DELETE FROM attempts WHERE id % 100 > 2")
    trunk = store.value("PRAGMA freelist_count")
    store.close()
    assert trunk > 2
    first = int.from_bytes(file_of(data).read_bytes()[32:36], "big")

    flip(file_of(data), (first - 1) * PAGE_BYTES + 11, 1)  # the first leaf that the trunk page names

    assert soundness.problems(file_of(data))


def test_cut_file_is_found(data: Path) -> None:
    with file_of(data).open("r+b") as raw:
        raw.truncate(file_of(data).stat().st_size // 2)

    with pytest.raises(Error) as met:
        look_at(data)
    assert is_damage(met.value)


def test_reader_that_meets_damage_says_so_and_the_look_finds_it(data: Path) -> None:
    state = open_state(data)
    state.inspection.settle()
    met: list[str] = []
    for page in pages_of(file_of(data), TABLE_INTERIOR):
        flip(file_of(data), page * PAGE_BYTES, 7)  # while it runs
    reader = Store.open_reader(file_of(data), on_damage=met.append)

    with pytest.raises(DamagedError):
        reader.rows("SELECT tail FROM attempts")
    reader.close()
    assert met

    state.inspection.forget()
    state.inspection.begin(state.path, suspected=met[0])
    with pytest.raises(DamagedError):
        state.inspection.settle()
    state.close()


def test_no_office_while_the_look_lasts_and_only_for_so_long(data: Path) -> None:
    now_s = 1.0
    jobs: list[Callable[[], object]] = []
    inspection = Inspection(jobs.append, clock=lambda: now_s)
    inspection.begin(file_of(data))

    assert inspection.holds_back
    now_s += HOLD_S
    assert not inspection.holds_back
    assert inspection.is_on
    jobs.pop()()
    inspection.settle()
    assert not inspection.is_on


def test_suspicion_of_a_file_that_was_just_found_sound_is_not_followed_again(data: Path) -> None:
    jobs: list[object] = []

    def at_once(job: Callable[[], object]) -> None:
        jobs.append(job)
        job()

    inspection = Inspection(at_once, clock=lambda: 1.0)
    for _ in range(3):
        inspection.begin(file_of(data), suspected="a reader met it")
        inspection.settle()

    assert len(jobs) == 1


def test_node_with_peers_sets_a_damaged_state_aside_and_keeps_the_latest_one_alone(data: Path) -> None:
    shutil.copytree(data / "state" / "1", data / "state" / "diverged-7")

    ended = untrusted("state.db: malformed", data, has_peers=True)

    assert ended.is_aside
    assert damage.aside(data) == 1
    assert (data / "state" / "diverged-1" / "state.db").exists()
    assert str(data / "state" / "diverged-1") in str(ended)
    fresh = open_state(data)
    assert fresh.stored() is None
    fresh.close()


def test_node_that_is_alone_changes_nothing_and_says_what_to_do(data: Path) -> None:
    ended = untrusted("state.db: malformed", data, has_peers=False)

    assert not ended.is_aside
    assert file_of(data).exists()
    assert "restore a backup" in str(ended)


def test_unexplained_error_looks_at_the_file(data: Path) -> None:
    assert damage_behind(KeyError("spec"), data) is None
    flip_many(file_of(data), 200, 1)

    assert "state.db" in str(damage_behind(KeyError("spec"), data))


@pytest.mark.parametrize(
    "error", [OSError(28, "no space"), StoreError("another cluster"), NewerFormatError("a newer format")]
)
def test_error_with_words_of_its_own_is_no_damage(data: Path, error: Exception) -> None:
    flip_many(file_of(data), 200, 1)

    assert damage_behind(error, data) is None


def test_entry_that_a_majority_has_applied_and_this_node_cannot_is_damage(data: Path) -> None:
    failed = ApplyError(17, KeyError("spec"))

    assert damage_behind(failed, data, [peer(16), peer(16)]) is None
    assert damage_behind(failed, data, [peer(17), peer(16)]) is None
    assert damage_behind(failed, data, [peer(17), peer(16, voter=False)]) is None
    assert "17" in str(damage_behind(failed, data, [peer(17), peer(20)]))


def test_entry_that_fails_at_every_start_ends_with_words(tmp_path: Path) -> None:
    failed = ApplyError(17, KeyError("spec"))
    told = [note_failure(failed, tmp_path) for _ in range(FAILURES_MAX)]

    assert told[:-1] == [None] * (FAILURES_MAX - 1)
    assert "log entry 17" in str(told[-1])
    assert "defect" in str(told[-1])
    assert note_failure(failed, tmp_path) is None, "a person who starts it again gets as many tries"
    assert note_failure(ApplyError(18, KeyError("spec")), tmp_path) is None


def test_set_aside_state_is_the_one_that_current_names(data: Path) -> None:
    shutil.move(data / "state" / "1", data / "state" / "4")
    (data / "state" / "CURRENT").write_text("4")

    assert set_aside(data).name == "diverged-4"
    assert isinstance(UntrustedError("words", is_aside=True), Exception)


def test_copy_of_a_damaged_state_is_given_to_no_peer_and_the_state_is_looked_at(
    data: Path, tmp_path: Path
) -> None:
    state = open_state(data)
    state.settle()
    for page in pages_of(file_of(data), INDEX_INTERIOR):
        flip(file_of(data), page * PAGE_BYTES, 7)

    with pytest.raises(DamagedError, match="the copy of it"):
        state.copy_to(tmp_path / "copy")
    with pytest.raises(DamagedError, match=r"state\.db"):
        state.settle()
    state.close()
