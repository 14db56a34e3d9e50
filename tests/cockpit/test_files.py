"""What the cockpit's files promise: they come from here alone, are small, and say all in two languages."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx2
import pytest

from api.problems import KINDS
from api.routes.pages import FOLDER, TYPES, policy
from scheduler import explain
from scheduler.explain.endings import GATES
from scheduler.machine.rules import gates
from scheduler.model.objects import NAMES
from scheduler.model.work import NAMES as WORK

pytestmark = pytest.mark.house
EXPLAIN = Path(explain.__file__).parent

VENDOR = FOLDER / "vendor"
FILES = sorted(path for path in FOLDER.rglob("*") if path.suffix in TYPES)
OWN = [path for path in FILES if VENDOR not in path.parents]
FIRST = ("index.html", "icon.svg", "style.css", "parts/look.js", "app.js", "parts/feed.worker.js")
FIRST_BYTES_MAX = 60_000
TABLES = ("texts.js", "texts_later.js", "texts_problems.js")
OF_KINDS = ("parts/objects.js", "pages/objects.js", "pages/object.js")
BYTES_MAX = 244_000  #: with all that is fetched when it is first shown: pages, charts, graphs
IMPORT = re.compile(r"""(?:^|\n)(?:import|export)\b[^;"]*"(\.[^"]+)";""")
LINES_MAX = 500


def _packed(paths: list[Path]) -> int:
    return sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in paths)


def _name(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def _with_imports(paths: list[Path]) -> list[Path]:
    """These files and what they import, but not what they import at need."""
    found: list[Path] = []
    while paths:
        path = paths.pop()
        if path not in found:
            found.append(path)
            paths += [(path.parent / name).resolve() for name in IMPORT.findall(path.read_text())]
    return found


def test_they_stay_small() -> None:
    first = _with_imports([FOLDER / name for name in FIRST])
    assert {"parts/shell.js", "pages/overview.js", "texts.js"} <= {_name(path) for path in first}
    assert _packed(first) < FIRST_BYTES_MAX, "a page that few open first is imported at need (parts/lazy.js)"
    assert _packed(FILES) < BYTES_MAX


@pytest.mark.parametrize("path", OWN, ids=_name)
def test_they_come_from_here_alone(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"https?://(?!www\.w3\.org/|localhost)[a-z]", text)
    for forbidden in ("innerHTML", ' style="', "eval(", "new Function", "onclick="):
        assert forbidden not in text, forbidden
    if path.name not in TABLES:
        assert len(text.splitlines()) <= LINES_MAX


def test_every_vendored_file_is_the_one_that_the_manifest_names() -> None:
    """Its hash, and that nothing but the edits named there tells it from the published file."""
    entries = json.loads((VENDOR / "manifest.json").read_text())["files"]
    assert {entry["file"] for entry in entries} == {path.name for path in VENDOR.iterdir()} - {
        "manifest.json",
        "LICENCES.txt",
    }
    licences = (VENDOR / "LICENCES.txt").read_text()
    for entry in entries:
        data = (VENDOR / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], entry["file"]
        assert f"== {entry['name']}\n" in licences
        assert entry["licence"] in ("MIT", "Apache-2.0")
        assert f"@{entry['version']}#" in entry["source"]
        for edit in reversed(entry["edits"]):
            if "appended" in edit:
                assert data.endswith(edit["appended"].encode())
                data = data.removesuffix(edit["appended"].encode())
            elif "removed" in edit:
                data = data[: edit["at"]] + edit["removed"].encode() + data[edit["at"] :]
            else:
                data = data.replace(edit["is"].encode(), edit["was"].encode(), 1)
        assert hashlib.sha256(data).hexdigest() == entry["source_sha256"], entry["file"]


# -- texts -----------------------------------------------------------------------------------------


def _texts(*names: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (line for name in names for line in (FOLDER / name).read_text().splitlines()):
        if line.strip().startswith('"'):
            key, texts = json.loads(f"[{line.strip().rstrip(',').replace(': [', ', [', 1)}]")
            assert key not in found, f"{key} stands there twice"
            found[key] = texts
    return found


TEXTS = _texts(*TABLES)
SUBJECTS = {key.partition(".")[0] for key in TEXTS}
SOURCES = {path: path.read_text() for path in OWN if path.suffix == ".js" and path.name not in TABLES}


def test_every_text_is_there_in_both_languages() -> None:
    assert len(TEXTS) > 100
    for key, texts in TEXTS.items():
        assert len(list(filter(None, texts))) == 2, key
        english, german = (sorted(re.findall(r"\{(\w+)\}", text)) for text in texts)
        assert english == german, key


NEVER_ONE = {"times.newest"}


def test_what_is_counted_has_a_text_for_one() -> None:
    several = re.compile(r"\{n\} (more )?(?!is |was |has |needs |goes )[a-z]+s\b")
    counted = {key for key, (english, _) in TEXTS.items() if several.search(english)} - NEVER_ONE
    counted = {key for key in counted if not key.endswith(".one")}
    assert {key for key in counted if f"{key}.one" not in TEXTS} == set()


def test_no_text_is_missing() -> None:
    for path, text in SOURCES.items():
        asked = set(re.findall(r"\bt\(\"([^\"]+)\"", text)) | set(re.findall(r'title: "(\w+\.\w+)"', text))
        asked |= {key for key in re.findall(r'"(\w+\.\w+)"', text) if key.partition(".")[0] in SUBJECTS}
        counted = set(re.findall(r"\btn\(\"([^\"]+)\"", text))
        assert asked | counted | {f"{key}.one" for key in counted} <= TEXTS.keys(), path.name


def _used(sources: Iterable[str]) -> set[str]:
    """A key is named whole, or made from its first part: word("state", …), t(`run.${name}`)."""
    together = "\n".join(sources)
    kinds = set(re.findall(r'\bword\("(\w+)"', together))
    kinds |= set(re.findall(r"\bt\(`(\w+)\.\$\{", together))
    named = set(re.findall(r'"(\w+\.\w+)"', together))
    return {key for key in TEXTS if key.removesuffix(".one") in named or key.partition(".")[0] in kinds}


def test_each_problem_of_the_api_has_its_title() -> None:
    told = _texts("texts_problems.js")
    assert {key: texts[0] for key, texts in told.items()} == {
        f"problem.{name}": kind.title for name, kind in KINDS.items()
    }


def test_each_kind_of_work_has_its_word() -> None:
    assert {key.removeprefix("work.") for key in TEXTS if key.startswith("work.")} == set(WORK)


def test_each_gate_has_its_word() -> None:
    """What something waits for is told in the reader's language; the sentence after it is the API's."""
    lists = (gates.TICK, gates.FIRE, gates.RUN, gates.ADMIT, gates.TASK, gates.PLACE)
    names = {gate.NAME for each in lists for gate in each}
    names |= {"outcome", *GATES}  # of a chain
    for path in EXPLAIN.glob("*.py"):
        names |= set(re.findall(r'Finding\("(\w+)"', path.read_text()))
    assert {key.removeprefix("gate.") for key in TEXTS if key.startswith("gate.")} == names


def test_each_kind_of_objects_is_known_to_its_pages() -> None:
    parts, lists, one = ((FOLDER / name).read_text() for name in OF_KINDS)
    (known,) = re.findall(r"export const KINDS = \{ (.+?) \};", parts)
    assert dict(re.findall(r'(\w+): "(\w+)"', known)) == {plural: kind for kind, plural in NAMES.items()}
    for plural in NAMES.values():
        for text, table in ((parts, "FIRST"), (lists, "SAYS"), (one, "FACTS")):
            (rows,) = re.findall(rf"const {table} = \{{\n(.+?)\n\}};", text, re.DOTALL)
            assert re.search(rf"^  {plural}: ", rows, re.MULTILINE), (plural, table)


def test_no_text_is_unused() -> None:
    assert TEXTS.keys() - _used(SOURCES.values()) == set()


def test_the_first_visit_has_its_texts_and_no_others() -> None:
    first = _with_imports([FOLDER / name for name in FIRST])
    used = _used(text for path, text in SOURCES.items() if path in first)
    assert _texts("texts.js").keys() == used - _texts("texts_problems.js").keys()


# -- names -------------------------------------------------------------------------------------------


OWN_NAME = re.compile(r"^(?:export )?(?:default )?(?:async )?(?:const|let|function) (\w+)", re.MULTILINE)
IMPORTED = re.compile(r"^import \{([^}]*)\}", re.MULTILINE)
INNER = re.compile(r"^[ \t].*?\b(?:const|let) (?:(\w+)|[{[]([^\]}]*)[\]}]) = ", re.MULTILINE)


def taken_twice(text: str) -> set[str]:
    """Names of a file's own that a function in it gives to something else, as to what a hook answers."""
    own = set(OWN_NAME.findall(text))
    for names in IMPORTED.findall(text):
        own |= {name.split(" as ")[-1].strip() for name in names.split(",")}
    given = [name for one, several in INNER.findall(text) for name in (one or several).split(",")]
    return own & {name.split(":")[-1].strip() for name in given}


def test_a_name_is_of_one_thing() -> None:
    """The page of a run named `again` how it is read anew, and its button of that name was left empty."""
    assert {path.name: names for path, text in SOURCES.items() if (names := taken_twice(text))} == {}
    both = "const again = () => 1;\nfunction Run() {\n  const { data: run, error, again } = useRead();\n}"
    assert taken_twice(both) == {"again"}
    assert taken_twice(both.replace("again }", "again: anew }")) == set()


# -- the style sheet ---------------------------------------------------------------------------------


def _rules(css: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each selector of the sheet with what it is given, outside of what holds for some windows alone."""
    told = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    everywhere = re.sub(r"@[^{;]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", told)
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", everywhere):
        given = dict(re.findall(r"([\w-]+):\s*([^;]*[^;\s])", body))
        for selector in re.split(r",(?![^(]*\))", selectors):
            yield " ".join(selector.split()), given


def twice_said(css: str) -> list[str]:
    """What is said of one selector in two places: that of two things which have one name."""
    said: dict[tuple[str, str], str] = {}
    found = []
    for selector, given in _rules(css):
        for name, value in given.items():
            if said.setdefault((selector, name), value) != value:
                found.append(f"{selector} {{ {name}: {said[selector, name]}; … {name}: {value} }}")
    return found


def test_a_class_is_of_one_thing() -> None:
    """A second thing of the same name has its look from the first: a frame of groups had hidden the borders
    of all tables. The looks of a status stand beside other classes, never alone."""
    sheet = "".join((FOLDER / name).read_text() for name in ("style.css", "style_later.css"))
    assert twice_said(sheet) == []
    assert twice_said(".a, .b { top: 1px } .b { top: 2px }") == [".b { top: 1px; … top: 2px }"]
    (shapes,) = re.findall(r"const SHAPES = \{(.+?)\n\};", SOURCES[FOLDER / "parts/status.js"], re.DOTALL)
    looks = {f".{name}" for name in re.findall(r"^  (\w+): ", shapes, re.MULTILINE)}
    assert len(looks) > 5
    assert looks.isdisjoint(selector for selector, _ in _rules(sheet))


# -- how they are served ---------------------------------------------------------------------------


async def test_any_address_of_the_cockpit_is_its_page(client: httpx2.AsyncClient) -> None:
    shell = (FOLDER / "index.html").read_text()
    for path in ("/", "/cockpit", "/cockpit/jobs", "/cockpit/jobs/default/a.js", "/cockpit/jobs/a%2Fb/c"):
        reply = await client.get(path, headers={"Authorization": ""})
        assert (reply.status_code, reply.text) == (200, shell), path
        assert reply.headers["content-type"].startswith("text/html")
    assert (await client.get("/assets/none.js")).status_code == 404


async def test_files_are_sent_compressed_once_and_not_again(client: httpx2.AsyncClient) -> None:
    plain = await client.get("/assets/app.js", headers={"Accept-Encoding": "identity"})
    packed = await client.get("/assets/app.js", headers={"Accept-Encoding": "gzip"})
    assert plain.text == packed.text == (FOLDER / "app.js").read_text()
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.headers["etag"] != plain.headers["etag"]
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]}
    assert (await client.get("/assets/app.js", headers=again)).status_code == 304


async def test_the_policy_lets_a_page_ask_members_alone(client: httpx2.AsyncClient) -> None:
    told = (await client.get("/")).headers["content-security-policy"]
    assert "unsafe" not in told
    assert "*" not in told
    assert "connect-src 'self' http://127.0.0.1:1;" in told  # the peers of this node
    odd = ("https://a;script-src *", "javascript:1", "http://b/ 'unsafe-inline'", "https://n-2.example:8321/x")
    assert policy(odd) == policy(("https://n-2.example:8321", "http://b"))
