"""What is below a prefix of an S3 bucket, read by obstore (the extra `s3`).

Rules of this file:

1. A list comes first, and says what there is. That something is not found is never taken for more than that
   it was not found: a server answers so to a wrong key too.
2. What has the tag and size of before is not read again; what it all holds is known by its content, since
   tags are of many kinds.
3. Names that end in / are markers of folders. What was listed and is gone when it is read is listed anew at
   the next look.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from node.effects.sources.contract import Budget, Snapshot, UnreachableError, Wanted, WrongError, is_wanted

TIMEOUT = "15s"
RETRIES = 2
READING_MAX = 16
EXTRA = "cronclave[s3]"

_Kept = dict[str, tuple[tuple[object, int], bytes]]


class Store:
    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    async def look(self, wanted: Wanted) -> Snapshot:
        url = str(wanted.given["store"]["url"])
        try:
            kept = await self._read(_opened(wanted), self._kept.get(url, {}))
        except ModuleNotFoundError:
            detail = f"this node cannot look into object stores: pip install '{EXTRA}' there"
            raise UnreachableError(detail) from None
        except (WrongError, UnreachableError):
            raise
        except Exception as error:  # of the library and of the server: all of them are told
            raise UnreachableError(f"{url}: {_said(error)}") from None
        self._kept = {url: kept}
        told = hashlib.sha256()
        for path in sorted(kept):
            told.update(b"%s\0%s\0" % (path.encode(), hashlib.sha256(kept[path][1]).digest()))
        revision = told.hexdigest()
        if revision == wanted.needless:
            return Snapshot(revision)
        return Snapshot(revision, {path: content for path, (_, content) in kept.items()})

    async def _read(self, store: Any, before: _Kept) -> _Kept:
        import obstore

        budget, kept = Budget(), _Kept()
        left: list[tuple[str, tuple[object, int]]] = []
        async for page in obstore.list(store, chunk_size=1_000):
            for each in page:
                path, about = str(each["path"]), (each["e_tag"], int(each["size"]))
                if not is_wanted(path):
                    continue
                budget.take(path, about[1])
                if path in before and before[path][0] == about and about[0] is not None:
                    kept[path] = before[path]
                else:
                    left.append((path, about))
        at_once = asyncio.Semaphore(READING_MAX)

        async def read(path: str, about: tuple[object, int]) -> None:
            async with at_once:
                try:
                    kept[path] = (about, bytes(await (await obstore.get_async(store, path)).bytes_async()))
                except FileNotFoundError:
                    raise UnreachableError(f"{path} was listed and is gone: it is looked at again") from None

        await asyncio.gather(*(read(*each) for each in left))
        return kept


def _opened(wanted: Wanted) -> Any:
    from obstore.store import S3Store

    given = wanted.given["store"]
    bucket, _, prefix = given["url"].removeprefix("s3://").partition("/")
    options: dict[str, Any] = {"region": given["region"]}
    if given["endpoint"]:
        options["endpoint"] = given["endpoint"]
    for name in ("access_key_id", "secret_access_key"):
        if name in wanted.secrets:
            options[name] = wanted.secrets[name]
    is_plain = given["endpoint"].startswith("http://")
    return S3Store(
        bucket, prefix=prefix or None, **options,
        client_options={"timeout": TIMEOUT, "connect_timeout": TIMEOUT, "allow_http": is_plain},
        retry_config={"max_retries": RETRIES},
    )  # fmt: skip


def _said(error: Exception) -> str:
    text = str(error)
    if "RequestTimeTooSkewed" in text:
        return "this node's clock and the store's are too far apart"
    if type(error).__name__ == "InvalidPathError":
        return f"a name in it is none that can be read, and has to be removed: {text[:200]}"
    return text.partition("\n")[0][:300]
