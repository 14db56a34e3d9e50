"""What an agent checks nodes against changes with its file, and never to nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agent.config import ConfigError
from agent.trust import Trust
from tests.cluster.certificates import Certificates


def subjects(trust: Trust) -> list[object]:
    return [certificate["subject"] for certificate in trust.context().get_ca_certs()]


def test_a_new_ca_is_used_and_a_broken_file_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old, new = (Certificates(tmp_path / name, cluster="c").trust for name in ("old", "new"))
    file = tmp_path / "ca.pem"
    shutil.copy(old, file)
    trust = Trust(file)
    before = trust.context()
    assert trust.context() is before, "not read again for nothing"
    file.write_text(new.read_text() + old.read_text())
    both = subjects(trust)
    assert len(both) == 2
    file.write_text(new.read_text()[:100])
    assert subjects(trust) == both
    assert "stays in use" in caplog.text
    os.replace(new, file)
    assert len(subjects(trust)) == 1


def test_a_file_that_was_never_good_ends_the_agent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^ca: .*missing\.pem"):
        Trust(tmp_path / "missing.pem").context()
