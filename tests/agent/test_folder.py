"""Which files of a folder are complete, and which are gone: facts of looks come in, with instants."""

from __future__ import annotations

import pytest

from agent.watching.facts import Facts, is_meant
from agent.watching.folder import AGAIN_MS, Asked, Folder

DISK, OTHER_DISK = 1, 2


def of(
    name: str = "a.csv", *, size: int = 1, changed: int = 5, modified: int = 5, born: int | None = 1
) -> Facts:
    return Facts(f"/in/{name}", 7, born, changed, modified, size)


def folder(*known: tuple[int, Facts], whole: bool = False) -> Folder:
    return Folder(Asked(1, "/in", "*.csv", 1_000, whole), [(n, f.path, f.identity) for n, f in known])


def test_it_is_complete_once_all_three_stood_still_from_one_look_to_another() -> None:
    one = folder()
    assert one.look(DISK, [of()], 0) == ([], [])
    assert one.look(DISK, [of(size=2)], 900) == ([], [])
    assert one.look(DISK, [of(size=2, modified=6)], 1_900) == ([], [])
    assert one.look(DISK, [of(size=2, modified=6, changed=7)], 2_800) == ([], [])
    assert one.wait_ms(2_800) == 1_000
    assert one.look(DISK, [of(size=2, modified=6, changed=7)], 3_799) == ([], [])
    last = of(size=2, modified=6, changed=7)
    assert one.look(DISK, [last], 3_800) == ([last], [])


def test_an_old_mtime_says_nothing_and_none_at_all_is_a_part() -> None:
    one = folder()
    part = of(modified=0)
    one.look(DISK, [part], 0)
    assert one.look(DISK, [part], 100_000) == ([], [])
    assert one.wait_ms(100_000) is None


def test_it_is_told_again_until_it_is_known() -> None:
    one, file = folder(), of()
    one.look(DISK, [file], 0)
    assert one.look(DISK, [file], 1_000)[0] == [file]
    assert one.look(DISK, [file], 1_001)[0] == []
    assert one.look(DISK, [file], 1_000 + AGAIN_MS)[0] == [file]
    one.is_known([(3, file.path, file.identity)])
    assert one.look(DISK, [file], 99_000) == ([], [])
    assert one.wait_ms(99_000) is None


def test_what_is_known_and_not_there_is_gone_until_that_is_known_too() -> None:
    one = folder((3, of()))
    assert one.look(DISK, [], 0) == ([], []), "an empty folder proves nothing at first"
    other = of("b.csv")
    one = folder((3, of()), (4, other))
    assert one.look(DISK, [other], 0) == ([], [3])
    assert one.look(DISK, [other], 1) == ([], [])
    assert one.look(DISK, [other], AGAIN_MS) == ([], [3])
    one.forget([3])
    assert one.look(DISK, [other], 99_000) == ([], [])


def test_thousands_that_are_gone_at_once_are_told_one_part_after_the_other_at_once() -> None:
    files = [of(f"{number}.csv") for number in range(1_001)]
    one = folder(*enumerate(files))
    left, told = files[:1], set[int]()
    for look_ms in range(10):
        assert not told or one.wait_ms(look_ms) == 0
        told |= set(one.look(DISK, left, look_ms)[1])
    assert told == set(range(1, 1_001))
    assert one.wait_ms(10) is None


def test_a_mount_that_is_missing_makes_nothing_gone() -> None:
    one, file = folder((3, of())), of()
    assert one.look(DISK, [file], 0) == ([], [])
    assert one.look(OTHER_DISK, [], 1) == ([], [])
    assert one.look(DISK, [file], 2) == ([], [])
    assert one.look(DISK, [], 3) == ([], [3])


def test_delivered_anew_with_all_its_times_it_is_another_file() -> None:
    """`cp -p`, rsync and tar set mtime back; the birth time tells."""
    old, new = of(born=1), of(born=2)
    one = folder((3, old))
    one.look(DISK, [new], 0)
    assert one.look(DISK, [new], 1_000)[0] == [new]
    assert of(born=None, changed=1).identity != of(born=None, changed=2).identity


def test_of_a_whole_nothing_is_told_before_all_stand_still() -> None:
    one, first, second = folder(whole=True), of("a.csv"), of("b.csv")
    one.look(DISK, [first], 0)
    assert one.look(DISK, [first, second], 1_000) == ([], [])
    assert one.look(DISK, [first, second], 2_000)[0] == [first, second]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        (".a.csv", "*.csv"), (".a.csv.XYZ123", "*"), ("a.csv.part", "*"), ("a.tmp", "*"), ("a.csv~", "*"),
        ("a.filepart", "*"), ("#1234", "*"), ("a.csv.6eF82cBd", "*"), ("a.txt", "*.csv"),
        ("a.20261301", "*"), ("a.12345678", "a*"),
        ("a\udcff.csv", "*"),
    ],
)  # fmt: skip
def test_names_that_copying_programs_use_are_left_alone(name: str, match: str) -> None:
    assert not is_meant(name, match)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("a.csv", "*.csv"), ("a.tmp", "*.tmp"), (".done", ".done"), ("a.12345678", "regex:a[.][0-9]{8}"),
        ("ä b.csv", "*"), ("sales.20261201", "*"), ("sales.20261201", "sales*"),
    ],
)  # fmt: skip
def test_unless_the_pattern_asks_for_them(name: str, match: str) -> None:
    assert is_meant(name, match)
