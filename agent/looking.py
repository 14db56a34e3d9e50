"""Is something there, in a path of this host or in an object store? A program of its own for the latter:

    python -m agent.looking s3://bucket/in/_SUCCESS

Rules of this file:

1. It ends with THERE, NOT_THERE, or UNKNOWN where nobody could say, and says why. What nobody could see is
   never taken for missing, nor for being there.
2. A name that ends in / is there where anything lies below it.
3. It asks with what its environment has. Beneath that it takes what the agent has of a store's variables:
   from its standard input, since the environment of a process is shown to all that run as its user. It is
   given these only where it runs as the agent's own user.
4. The library is the extra `s3`. An agent without it offers nothing that needs it (`is_possible`).
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from agent.privacy import keep_private

THERE, NOT_THERE, UNKNOWN = 0, 3, 4  #: 1 and 2 are what an interpreter ends with that has another trouble
OF_STORES = ("AWS_", "GOOGLE_", "AZURE_")
EXTRA = "cronclave[s3]"
_SECONDS = "10s"
_RETRIES = 2


def is_stored(name: str) -> bool:
    """Whether it is in an object store, and no path."""
    return "://" in name


def is_possible() -> bool:
    return importlib.util.find_spec("obstore") is not None


def argv(name: str) -> list[str]:
    """What looks for it: alone, so that no module of a job's folder is taken for one of ours."""
    if is_stored(name):
        return [sys.executable, "-I", "-m", "agent.looking", name]
    return ["/bin/sh", "-c", 'test -e "$1"', "sh", name]


def stdin(name: str, environment: Mapping[str, str], run_as: str) -> str | None:
    """What the agent's own environment knows of stores."""
    if run_as or not is_stored(name):
        return None
    known = {key: value for key, value in environment.items() if key.startswith(OF_STORES)}
    return json.dumps(known)


def look(name: str, environment: Mapping[str, str]) -> bool:
    """With what the environment of this process says. Raises whatever the store, or its library, has against
    it."""
    import obstore
    from obstore.store import from_url

    is_plain = any(
        value.startswith("http://")
        for key, value in environment.items()
        if key.startswith(OF_STORES) and "ENDPOINT" in key
    )  # a person names a store that is asked without TLS
    scheme, _, place = name.partition("://")
    bucket, _, key = place.partition("/")
    store: Any = from_url(
        f"{scheme}://{bucket}",
        client_options={"timeout": _SECONDS, "connect_timeout": _SECONDS, "allow_http": is_plain},
        retry_config={"max_retries": _RETRIES},
    )
    if key.endswith("/"):
        return any(page for page in obstore.list(store, key, chunk_size=1))
    try:
        obstore.head(store, key)
    except FileNotFoundError:
        return False
    return True


def main() -> int:
    keep_private()
    name = sys.argv[1]
    try:
        given = json.loads(sys.stdin.read() or "{}")
        os.environ |= {key: value for key, value in given.items() if key not in os.environ}
        found = look(name, os.environ)
    except ModuleNotFoundError:
        print(f"{name}: this agent cannot look into object stores: pip install '{EXTRA}' there")
        return UNKNOWN
    except Exception as error:
        print(f"{name}: nobody could see whether it is there: {str(error).partition(chr(10))[0][:500]}")
        return UNKNOWN
    print(f"{name} is {'there' if found else 'not there'}")
    return THERE if found else NOT_THERE


if __name__ == "__main__":
    sys.exit(main())
