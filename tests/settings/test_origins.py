"""Which line of a file says what a setting is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from settings.addresses import is_loopback
from settings.origins import LINES_MAX, Lines, Shown, tell

TEXT = '''\
# cluster = "in a comment"
cluster = "c"
labels = {role = "web"}

text = """
listen = "in a text"
"""
nodes = [
  "https://a:1",  # zone = "x"
  "https://b:1",
]

[http]
listen = "127.0.0.1:1"
http.url = "dotted"
[members.'n.1']
zone = "a"
[members.n2]
zone = "b"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("cluster", 2), ("labels", 3), ("labels role", 3), ("text", 5), ("nodes", 8), ("http", 13),
        ("http listen", 14), ("http http url", 15), ("members n.1 zone", 17), ("members n2", 18),
        ("members n2 zone", 19), ("zone", None), ("listen", None), ("cluster c", None), ("http nope", None),
    ],
)  # fmt: skip
def test_the_line_is_the_first_of_the_statement(path: str, line: int | None) -> None:
    assert Lines(TEXT).of(path.split()) == line


@pytest.mark.parametrize("text", ["", "\n\n", "# only words", "broken = ", "x = 1\n" * 2])
def test_what_is_not_there_has_no_line(text: str) -> None:
    assert Lines(text).of(["cluster"]) is None


def test_of_a_very_long_file_no_line_is_told() -> None:
    assert Lines("# filler\n" * LINES_MAX + "cluster = 'c'\n").of(["cluster"]) is None


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False), ("0.0.0.0", False), ("localhost.example.org", False), ("", False),
    ],
)  # fmt: skip
def test_this_host_is_known_by_its_address(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own


def test_settings_are_told_as_json_or_refused_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(lambda: [Shown("listen", None, "f:3")], refused=LookupError) == 0
    assert json.loads(capsys.readouterr().out) == [{"setting": "listen", "value": None, "origin": "f:3"}]

    def halfway() -> Iterator[Shown]:
        yield Shown("listen", None, "f:3")
        raise LookupError("what is wrong")

    assert tell(halfway, refused=LookupError) == 1
    assert capsys.readouterr() == ("", "what is wrong\n")
