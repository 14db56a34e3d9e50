"""The two writes that most requests are, put a job and run a job, without FastAPI's share of their cost.

`HotJobs.of` is what the door asks first. The same functions are routes of FastAPI too (`api.routes.jobs`,
`api.routes.runs`), which documents them, and which takes a path that is written in another way.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.responses import Response

from api.call import Call
from api.jobs.running import run_job
from api.jobs.writing import put_job
from api.services import Services

JOBS, RUNS = "/v1/jobs/", "/runs"


class HotJobs:
    def __init__(self, services: Services) -> None:
        self._services = services

    def of(self, call: Call) -> Awaitable[Response] | None:
        """The reply to this request, if it is one of the two: PUT /v1/jobs/NAME, POST /v1/jobs/NAME/runs."""
        if not call.path.startswith(JOBS):
            return None
        name = call.path[len(JOBS) :]
        if call.method == "PUT" and name and "/" not in name:
            return put_job(self._services, call, name)
        name, slash, rest = name.partition("/")
        if call.method == "POST" and slash + rest == RUNS:
            return run_job(self._services, call, name)
        return None
