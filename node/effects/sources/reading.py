"""From the files of a source to documents: all of them, or all that is wrong."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from node.effects.sources.contract import MARKER, WrongError
from scheduler.model.documents import Document, load_yaml
from scheduler.model.objects.parsing import JOB, kind_name
from scheduler.model.problems import JobError
from scheduler.model.server_facts import definition_of
from scheduler.store.tables.refs import Named
from scheduler.store.tables.sources import KIND

PROBLEMS_MAX = 50


@dataclass(frozen=True, slots=True)
class Read:
    document: Document
    what: Named
    digest: bytes  #: of what it says

    def where(self, pointer: str) -> str:
        return self.document.where(pointer)


def read(files: Mapping[str, bytes], *, reach: Sequence[str], environment: str) -> list[Read]:
    """Raises WrongError. `reach`: the namespaces that it may edit, the first that of what names none;
    `environment`: the cluster's; empty: it has none."""
    _need_environment(files.get(MARKER), environment)
    problems = _alike(files)
    found: list[Read] = []
    first: dict[Named, str] = {}
    for path in sorted(files):
        if path == MARKER:
            continue
        try:
            documents = load_yaml(files[path].decode(), path)
        except UnicodeDecodeError as error:
            line = files[path].count(b"\n", 0, error.start) + 1
            problems.append(f"{path}:{line}:1: it is no UTF-8")
            continue
        except JobError as error:
            problems += [str(problem) for problem in error.problems]
            continue
        for document in documents:
            try:
                each = _read(document, reach[0])
            except JobError as error:
                for problem in error.problems:
                    problems.append(str(replace(problem, where=document.where(problem.pointer))))
                continue
            where = document.where("")
            if (before := first.setdefault(each.what, where)) != where:
                problems.append(f"{where}: {each.what} is defined already at {before}")
            if each.what.kind == KIND:
                problems.append(f"{where}: a source holds no sources: an administrator puts them")
            if each.what.namespace not in reach:
                said = f"namespace {each.what.namespace!r} is none of this source's"
                hint = "an administrator adds it to its `namespaces`"
                problems.append(f"{document.where('/namespace')} /namespace: {said} ({hint})")
            found.append(each)
    if problems:
        raise _wrong(problems)
    if not found:
        raise WrongError("there is no document in it: what it owned stays")
    return found


def _read(document: Document, namespace: str) -> Read:
    """Raises JobError."""
    kind = kind_name(document.data)
    data: dict[str, Any] = definition_of(document.data)
    is_template = kind == JOB and data.get("template") is True
    what = Named(
        "template" if is_template else kind, str(data.get("namespace", namespace)), str(data.get(kind, ""))
    )
    said = json.dumps(data, ensure_ascii=False, sort_keys=True, default=str).encode("utf-8", "surrogatepass")
    return Read(replace(document, data=data), what, hashlib.sha256(said).digest())


def _need_environment(marker: bytes | None, environment: str) -> None:
    """A bucket of DEV never reaches a cluster that says it is PRD, and none that says nothing is guarded by
    one that does."""
    said = ""
    if marker is not None:
        try:
            documents = load_yaml(marker.decode("utf-8", "replace"), MARKER)
        except JobError as error:
            raise _wrong([str(problem) for problem in error.problems]) from None
        data = documents[0].data if len(documents) == 1 else None
        named = data.get("environment") if isinstance(data, dict) and len(data) == 1 else None
        if not isinstance(named, str) or not named:
            raise WrongError(f"{MARKER} says one thing: `environment: NAME`", (f"{MARKER}:1:1",))
        said = named
    if said == environment:
        return
    own = f"this cluster is {environment!r}" if environment else "this cluster has no environment"
    its = f"the source is of environment {said!r}" if said else f"the source names none ({MARKER})"
    raise WrongError(f"{its}, and {own} (environment in a node's configuration): nothing of it is taken")


def _alike(paths: Mapping[str, bytes]) -> list[str]:
    """Names that some file systems take for one."""
    first: dict[str, str] = {}
    problems = []
    for path in sorted(paths):
        plain = unicodedata.normalize("NFC", "/".join(part for part in path.split("/") if part))
        if (before := first.setdefault(plain, path)) != path:
            problems.append(f"{path}:1:1: its name is that of {before}, written otherwise")
    return problems


def _wrong(problems: Sequence[str]) -> WrongError:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return WrongError(f"{problems[0]}{more}", problems[:PROBLEMS_MAX])
