"""What a browser gets: the cockpit, the list of operations, the meaning of problems. Nothing from elsewhere.

Rules: the cockpit's files lie below /assets/; every address below /cockpit is a view of its one page, which
reads it and asks the API. What the page may do is in its policy: no script or style but these files, no
request but to this node, and to the other members whether they are alive (decision 41).
"""

from __future__ import annotations

import gzip
import hashlib
import html
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.parameters import EACH
from api.problems import KINDS, Problem
from api.services import services_of

router = APIRouter(include_in_schema=False, dependencies=EACH)

POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'{members}; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+")
TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOLDER = Path(__file__).resolve().parent.parent / "cockpit"


def policy(urls: Iterable[str] = ()) -> str:
    """The Content-Security-Policy of a page that may ask these nodes whether they are alive."""
    origins = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, urls)}
    return POLICY.format(members="".join(f" {each}" for each in sorted(origins) if _ORIGIN.fullmatch(each)))


class _File(NamedTuple):
    data: bytes
    media: str
    tag: str


class _Files:
    """The cockpit's files, read once, and each compressed when it is first asked for so."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, _File] = {}
        self._packed: dict[str, bytes] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix in TYPES and path.is_file():
                data = path.read_bytes()
                tag = hashlib.sha256(data).hexdigest()[:20]
                self.files[path.relative_to(folder).as_posix()] = _File(data, TYPES[path.suffix], tag)

    def reply(self, request: Request, name: str) -> Response:
        found = self.files.get(name)
        if found is None:
            raise Problem("not-found", f"there is no page {name[:200]!r}")
        status = services_of(request).scheduler.status()
        is_packed = "gzip" in request.headers.get("accept-encoding", "")
        tag = f'"{found.tag}{"-gzip" if is_packed else ""}"'
        headers = {
            "ETag": tag,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
            "Content-Security-Policy": policy(peer.url for peer in status.peers),
        }
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        headers["Content-Type"] = found.media
        if is_packed:
            if name not in self._packed:
                self._packed[name] = gzip.compress(found.data, mtime=0)
            return Response(self._packed[name], headers={**headers, "Content-Encoding": "gzip"})
        return Response(found.data, headers=headers)


_FILES = _Files(FOLDER)


@router.get("/")
@router.get("/cockpit")
@router.get("/cockpit/{view:path}")
async def cockpit(request: Request, view: str = "") -> Response:
    return _FILES.reply(request, "index.html")


@router.get("/assets/{name:path}")
async def cockpit_file(request: Request, name: str) -> Response:
    return _FILES.reply(request, name)


@router.get("/favicon.ico")
async def icon(request: Request) -> Response:
    return _FILES.reply(request, "icon.svg")


@router.get("/docs")
async def operations(request: Request) -> Response:
    """The operations of /openapi.json as one page, readable without any script."""
    page = _operations_page(request.app.openapi())
    headers = {"Content-Security-Policy": policy(), "Cache-Control": "no-cache"}
    return Response(page, headers=headers, media_type="text/html; charset=utf-8")


@router.get("/problems/{kind}")
async def problem_page(kind: str) -> Response:
    """What a problem's `type` means."""
    found = KINDS.get(kind)
    if found is None:
        raise Problem("not-found", f"there is no problem {kind[:100]!r}")
    text = f"{kind}: {found.status} {found.title}\n{found.hint}\n"
    return Response(text, media_type="text/plain; charset=utf-8")


def _operations_page(document: Mapping[str, Any]) -> str:
    sections: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            sections.setdefault((operation.get("tags") or ["other"])[0], []).append(
                _operation(method, path, operation)
            )
    navigation = " ".join(f'<a href="#{html.escape(name)}">{html.escape(name)}</a>' for name in sections)
    body = "".join(
        f'<h2 id="{html.escape(n)}">{html.escape(n)}</h2>{"".join(ops)}' for n, ops in sections.items()
    )
    problems = "".join(
        f"<tr><td><code>/problems/{html.escape(name)}</code><td>{kind.status}<td>{html.escape(kind.title)}"
        f"<td>{html.escape(kind.hint)}"
        for name, kind in KINDS.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>Cronclave API</title><link rel="stylesheet" href="/assets/style.css">'
        '<body class="docs"><main>'
        f'<h1>Cronclave API</h1><p>Machine-readable: <a href="/openapi.json">openapi.json</a>. '
        f"{navigation}</p>{body}"
        f'<h2 id="problems">problems</h2>'
        f"<table><tr><th>type<th>status<th>title<th>hint{problems}</table></main>"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(p['name'])}</code><td>{html.escape(p['in'])}"
        f"<td>{html.escape(p.get('description', ''))}"
        for p in operation.get("parameters", ())
    )
    table = f"<table><tr><th>parameter<th>in<th>meaning{rows}</table>" if rows else ""
    text = html.escape(operation.get("description", ""))
    return (
        f'<section><h3><span class="method">{html.escape(method.upper())}</span> '
        f"<code>{html.escape(path)}</code></h3>"
        f"<p>{text}</p>{table}</section>"
    )
