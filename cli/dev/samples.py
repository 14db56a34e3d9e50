"""The sample jobs: a few seconds apart, so that something is to be seen at once."""

from __future__ import annotations

from typing import Any

SAMPLES: list[dict[str, Any]] = [
    {
        "job": "hello",
        "description": "Says where and when it runs, every 5 seconds.",
        "labels": {"sample": "yes"},
        "triggers": [{"every": "5s"}],
        "run": 'echo "hello from $CRONCLAVE_AGENT in $CRONCLAVE_ZONE, due $CRONCLAVE_TICK"',
    },
    {
        "job": "clock",
        "description": "Cron with seconds and a time zone.",
        "labels": {"sample": "yes"},
        "triggers": [{"cron": "*/10 * * * * *", "tz": "Europe/Berlin"}],
        "run": "TZ=Europe/Berlin date",
    },
    {
        "job": "nightly-report",
        "description": "A graph of three tasks, every 15 seconds.",
        "labels": {"sample": "yes"},
        "triggers": [{"every": "15s"}],
        "tasks": {
            "extract": {"run": "echo extracting; sleep 0.5"},
            "transform": {"needs": ["extract"], "run": "echo transforming; sleep 0.5"},
            "load": {"needs": ["transform"], "run": "echo loaded"},
        },
    },
    {
        "job": "flaky",
        "description": "Fails about every other time and is tried again, twice at most.",
        "labels": {"sample": "yes"},
        "triggers": [{"every": "20s"}],
        "run": 'n=$(od -An -N1 -tu1 /dev/urandom); echo "drew $n"; [ "$n" -lt 128 ]',
        "retry": {"max": 2, "backoff": "constant", "first": "1s"},
    },
    {
        "job": "greet",
        "description": "Runs when asked: cronclave job run greet --param name=you --wait",
        "labels": {"sample": "yes"},
        "params": {"name": {"type": "string", "default": "world"}},
        "run": 'echo "hello, $CRONCLAVE_PARAM_NAME"',
    },
]
