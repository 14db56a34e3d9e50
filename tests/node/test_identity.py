"""A node's identity lives in its data directory and belongs to one name in one cluster."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from node.config import ConfigError, NodeConfig, load_config
from node.identity import JOURNAL, load_identity, lock_data, note_started, refuse_forgotten_votes
from tests.node.test_config import GOOD, write


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    config = load_config(write(tmp_path, GOOD), {})
    config.data.mkdir()
    return config


def test_the_uid_stays_with_the_directory_and_dies_with_it(config: NodeConfig) -> None:
    first = load_identity(config)
    assert load_identity(config) == first
    shutil.rmtree(config.data)
    config.data.mkdir()
    assert load_identity(config).uid != first.uid


def test_a_directory_of_another_cluster_is_refused(config: NodeConfig) -> None:
    load_identity(config)
    with pytest.raises(ConfigError, match="belongs to node 'n1' of cluster c1"):
        load_identity(dataclasses.replace(config, cluster="c2"))


def test_the_directory_of_another_node_is_refused_with_what_to_do(config: NodeConfig, tmp_path: Path) -> None:
    """Two nodes of one cluster whose directories were swapped: each would vote with the other's memory."""
    other = dataclasses.replace(config, name="n2", data=tmp_path / "second")
    other.data.mkdir()
    for node in (config, other):
        load_identity(node)
    for node, there in ((config, other), (other, config)):
        swapped = dataclasses.replace(node, data=there.data)
        with pytest.raises(ConfigError, match=rf"{there.data}: belongs to node '{there.name}'") as refused:
            load_identity(swapped)
        assert "Give this node its own directory" in str(refused.value)


def test_a_damaged_identity_is_refused_by_name(config: NodeConfig) -> None:
    load_identity(config)
    (config.data / "identity.json").write_text('{"uid": ')
    with pytest.raises(ConfigError, match=r"identity\.json: unreadable"):
        load_identity(config)


def test_two_nodes_never_share_a_directory(config: NodeConfig) -> None:
    lock_data(config.data)
    with pytest.raises(ConfigError, match="another node runs on this data directory"):
        lock_data(config.data)


def test_a_node_that_lost_its_journal_alone_is_refused(config: NodeConfig) -> None:
    load_identity(config)
    refuse_forgotten_votes(config.data, "uid")  # the first start: there is none yet
    (config.data / "log").mkdir()
    (config.data / "log" / "1.segment").write_bytes(b"votes")
    note_started(config.data, "uid")
    refuse_forgotten_votes(config.data, "uid")
    shutil.rmtree(config.data / "log")
    with pytest.raises(ConfigError, match="the journal of this node is gone"):
        refuse_forgotten_votes(config.data, "uid")


def test_a_node_with_the_journal_of_another_is_refused_by_name(config: NodeConfig) -> None:
    """Its log may fit, but the votes in it are another's: it could vote twice in a term."""
    (config.data / JOURNAL).mkdir(parents=True)
    note_started(config.data, "uid")
    (config.data / JOURNAL / "meta").write_bytes(b"")
    refuse_forgotten_votes(config.data, "uid")

    with pytest.raises(ConfigError, match=r"log/owner: this journal is of the node with uid 'uid'.*Put the"):
        refuse_forgotten_votes(config.data, "other")
