"""What the cockpit's files promise: they come from here alone and stay small."""

from __future__ import annotations

import re

from api.routes.pages import FOLDER, TYPES


def test_the_files_come_from_here_alone_and_stay_small() -> None:
    files = [path for path in FOLDER.rglob("*") if path.suffix in TYPES]
    assert {"index.html", "app.js", "style.css"} <= {path.name for path in files}
    for path in files:
        text = path.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/)[a-z]", text), path.name
        assert "innerHTML" not in text, path.name
        assert " style=" not in text, path.name
    assert sum(path.stat().st_size for path in files) < 100_000
