"""Configuration: what is wrong is named with its file and setting, and unsafe set-ups are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from node import config as config_module
from node.config import ConfigError, load_config

GOOD = """
cluster = "c1"
[node]
name = "n1"
zone = "a"
data = "data"
[http]
listen = "127.0.0.1:8321"
[raft]
listen = "127.0.0.1:8322"
[members.n1]
raft = "127.0.0.1:8322"
zone = "a"
url = "http://127.0.0.1:8321"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(text)
    return path


def test_a_complete_file_is_read(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD), {})
    assert (config.name, config.zone, str(config.raft)) == ("n1", "a", "127.0.0.1:8322")
    assert config.data == tmp_path / "data"
    assert config.url == "http://127.0.0.1:8321"
    assert config.members["n1"].url == "http://127.0.0.1:8321"


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD), {"CRONCLAVE_NODE_ZONE": "b"})
    assert config.zone == "b"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('zone = "a"\ndata', 'zonee = "a"\ndata', "unknown setting node.zonee; did you mean 'zone'?"),
        ('listen = "127.0.0.1:8322"', 'listen = "8322"', "raft.listen: '8322' is no address"),
        ('listen = "127.0.0.1:8322"', 'listen = "127.0.0.1:99999"', "is no address"),
        ('cluster = "c1"', "", "cluster is missing"),
        ('cluster = "c1"', "cluster = 7", "cluster must be a text of 1 to 1024 printable letters, not 7"),
        ("[members.n1]", "[members.n2]", "[members.n1] is missing"),
        ('listen = "127.0.0.1:8322"', 'listen = "10.0.0.1:8322"', "reachable from other hosts without TLS"),
        ('listen = "127.0.0.1:8321"', 'listen = "0.0.0.0:8321"', "reachable from other hosts without TLS"),
        ('listen = "127.0.0.1:8321"', 'listen = "127.0.0.1:8321"\nkey = "k"', "http.cert is missing"),
        ('listen = "127.0.0.1:8321"', 'listen = "127.0.0.1:8321"\nurl = "https://h:1"', "begin with http://"),
        ('cluster = "c1"', 'cluster = "c1', "not TOML"),
        ('cluster = "c1"', 'cluster = "c1"\ninsecure = "yes"', "insecure must be true or false"),
        (
            "[raft]",
            "[raft]\nelection_timeout_ms = 1",
            "election_timeout_ms must be a whole number of at least 50",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load_config(path, {})
    assert says in str(error.value)
    assert str(path) in str(error.value)


def test_beyond_loopback_is_allowed_when_told(tmp_path: Path) -> None:
    text = GOOD.replace('listen = "127.0.0.1:8322"', 'listen = "10.0.0.1:8322"', 1)
    config = load_config(write(tmp_path, "insecure = true\n" + text), {})
    assert not config.raft.loopback


ODD = [
    '""', '"x"', r'"a\nb"', r'"\u0000"', r'"\u202e"', "0", "-1", "1e308", "nan", "true", "[]", "[1]", "{}",
    "{a = 1}", "1979-05-27", "9" * 400, '"127.0.0.1:0"', f'"127.0.0.1:{"1" * 5_000}"', '":80"', '"host:١"',
    f'"{"y" * 100_000}"',
]  # fmt: skip
SETTINGS = [
    *(f"{table}.{key}" for table, keys in config_module._SETTINGS.items() if table for key in sorted(keys)),
    *sorted(config_module._SETTINGS[""]),
    "dial.n2",
]


@pytest.mark.parametrize("setting", [name.replace("members.", "members.n1.") for name in SETTINGS])
def test_whatever_a_setting_says_it_is_taken_or_refused_with_words(tmp_path: Path, setting: str) -> None:
    """And what is taken can be a hello's, which the other nodes judge."""
    table, _, key = setting.rpartition(".")
    said = []
    for value in ODD:
        lines = [] if table else [f"{key} = {value}"]
        here = ""
        for line in GOOD.splitlines():
            here = line.strip("[]") if line.startswith("[") else here
            if here != table or not line.startswith(f"{key} ="):
                lines.append(line)
            if table and line == f"[{table}]":
                lines.append(f"{key} = {value}")
        if table and f"[{table}]" not in lines:
            lines += [f"[{table}]", f"{key} = {value}"]
        try:
            config = load_config(write(tmp_path, "\n".join(lines)), {})
        except ConfigError as error:
            said.append(str(error))
        else:
            for text in (config.cluster, config.name, config.zone, config.url, str(config.raft_address)):
                assert text.isprintable()
                assert len(text) <= 1024
            assert "\0" not in str(config.data)
    assert max(map(len, said), default=0) < 2_000
