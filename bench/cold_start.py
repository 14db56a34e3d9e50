"""Cold start: all nodes of a new cluster start at the same moment; the time until every one is ready."""

from __future__ import annotations

import time

from bench.cluster import DeadlineError, free_base_port, layout, temporary_root
from bench.options import Options
from bench.rows import Result, Row, spread

TARGET_MS = 2_000.0


def run(options: Options) -> Result:
    took_ms: list[float] = []
    problems: list[str] = []
    for number in range(options.starts):
        with temporary_root(options.data) as root:
            cluster = layout(root, base_port=free_base_port(*options.ports, 3), agents=0)
            try:
                started_s = time.monotonic()
                for node in cluster.nodes:
                    node.start()
                cluster.wait_ready()
                took_ms.append((time.monotonic() - started_s) * 1000)
            except DeadlineError as error:
                problems.append(f"start {number + 1}: {error}")
            finally:
                cluster.stop()
    row = Row(
        f"cluster ready after a simultaneous start, {len(took_ms)} of {options.starts} starts",
        "2 s, always",
        spread(took_ms, "ms"),
        not problems and bool(took_ms) and max(took_ms) <= TARGET_MS,
    )
    return Result([row], [*problems, "from the start of the processes, interpreter start-up included"])
