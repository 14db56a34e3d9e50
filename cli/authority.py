"""The cluster's authority, as the command line uses it: a program that is started when it is needed.

Loading cryptography would cost every command its start-up time, and the command line imports no server.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from cli.exits import Failure
from cli.processes import module_command, module_environment

ANSWER_S = 60.0


def certify(do: str, **question: Any) -> dict[str, Any]:
    """What `python -m cluster.certify` answers; keys go through pipes alone. Raises Failure."""
    try:
        done = subprocess.run(
            module_command("cluster.certify"),
            input=json.dumps({"do": do, **question}),
            env=module_environment(os.environ),
            stdout=subprocess.PIPE,
            text=True,
            timeout=ANSWER_S,
            check=False,
        )
        reply: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise Failure(f"certificates could not be made: {error}") from None
    if "error" in reply:
        raise Failure(f"certificates could not be made: {reply['error']}")
    return reply
