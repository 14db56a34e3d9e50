"""What a run came to, for a person: one HTML file without anything from outside, and JUnit XML beside it.

Promise: in ten seconds a person sees what broke, when, and under which fault. The page is made from the
case's files and the findings alone, so it can be made again at any time.

Reading order: `numbers` (what is counted), `targets` (whom a fault meant), `timeline` (the picture), `page`
(the words around it), `suite_page` (several cases), `junit`.
"""

from __future__ import annotations

from pathlib import Path

from chaos.report.junit import junit
from chaos.report.page import page
from chaos.report.suite_page import suite_page
from chaos.suite import Judged


def write_report(directory: Path, found: list[Judged]) -> None:
    """report.html and junit.xml of one case, or of several with links to their own."""
    one = len(found) == 1 and found[0].directory == directory
    text = page(found[0]) if one else suite_page(directory, found)
    (directory / "report.html").write_text(text, encoding="utf-8")
    (directory / "junit.xml").write_text(junit(found), encoding="utf-8")
