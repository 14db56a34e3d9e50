"""The keys of a node, and what they encrypt."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from api.ports import VaultError
from node.secret_keys import KeyRing, KeysError, key_id
from node.vault import NodeVault

PLACE = ("lineage", "default", "PASSWORD", "1")


def new() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def id_of(text: str) -> str:
    return key_id(base64.b64decode(text))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "keys", new())


def write(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o600)
    return file


def test_what_is_sealed_opens_at_its_place_alone(file: Path) -> None:
    vault = NodeVault(KeyRing(file))
    key, sealed = vault.seal(PLACE, b"hunter2")
    assert vault.open(PLACE, key, sealed) == b"hunter2"
    assert b"hunter2" not in sealed
    for i in range(len(PLACE)):
        other = (*PLACE[:i], "other", *PLACE[i + 1 :])
        with pytest.raises(VaultError, match="damaged or exchanged"):
            vault.open(other, key, sealed)
    for damaged in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], b""):
        with pytest.raises(VaultError, match="damaged or exchanged"):
            vault.open(PLACE, key, damaged)


def test_no_two_are_sealed_alike(file: Path) -> None:
    vault = NodeVault(KeyRing(file))
    assert len({vault.seal(PLACE, b"the same")[1] for _ in range(100)}) == 100


def test_the_first_key_seals_and_the_others_open(file: Path) -> None:
    old, newer = file.read_text().strip(), new()
    vault = NodeVault(KeyRing(file))
    key, sealed = vault.seal(PLACE, b"hunter2")
    write(file, newer, f"{old}  # until nothing names it")
    assert vault.keys() == [id_of(newer), id_of(old)]
    assert vault.seal(PLACE, b"")[0] == id_of(newer)
    assert vault.open(PLACE, key, sealed) == b"hunter2"
    write(file, newer)
    with pytest.raises(VaultError, match=f"does not have the key {id_of(old)}"):
        vault.open(PLACE, key, sealed)


def test_a_file_that_is_spoilt_later_leaves_what_was_read(file: Path) -> None:
    ring = KeyRing(file)
    known = list(ring.keys())
    write(file, "half a ke")
    assert list(ring.keys()) == known
    file.unlink()
    assert list(ring.keys()) == known
    write(file, second := new())
    assert list(ring.keys()) == [id_of(second)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "no key is in it"),
        (("# a comment",), "no key is in it"),
        (("too short",), "1: a key is 32 bytes in base64"),
        ((base64.b64encode(bytes(31)).decode(),), "1: a key is 32 bytes"),
        (tuple(base64.b64encode(bytes([i]) * 32).decode() for i in range(17)), "17 keys, 16 at most"),
        (("x" * 20_000,), "larger than"),
    ],
)
def test_a_file_without_keys_is_refused_without_a_word_of_it(
    tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(KeysError, match=said) as refused:
        KeyRing(write(tmp_path / "keys", *lines))
    assert str(tmp_path / "keys") in str(refused.value)
    assert not any(line.strip("# ") and line in str(refused.value) for line in lines)


def test_a_file_that_others_may_read_is_refused(file: Path) -> None:
    file.chmod(0o640)
    with pytest.raises(KeysError, match="chmod 600"):
        KeyRing(file)


def script(folder: Path, text: str) -> str:
    path = folder / "command"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_command_prints_keys(tmp_path: Path) -> None:
    key = new()
    assert list(KeyRing(None, [script(tmp_path, f"echo {key}")]).keys()) == [id_of(key)]


@pytest.mark.parametrize(
    ("text", "said"),
    [("echo no permission >&2; exit 3", "exit code 3: no permission"), ("true", "no key is in it")],
)
def test_a_command_that_gives_none_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(KeysError, match=f"command.*{said}"):
        KeyRing(None, [script(tmp_path, text)])
    with pytest.raises(KeysError, match="No such file"):
        KeyRing(None, [str(tmp_path / "none")])
