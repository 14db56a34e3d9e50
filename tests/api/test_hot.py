"""What goes round FastAPI is what FastAPI would have given to the same functions, and nothing else."""

from __future__ import annotations

from collections.abc import Coroutine

import pytest
from starlette.routing import Match

from api.app import NOUNS, Api
from api.call import Call
from api.jobs.hot import HotJobs

HOT = {"putJob", "runJob"}
PATHS = [
    "/v1/jobs", "/v1/jobs/", "/v1/jobs/a", "/v1/jobs/a/", "/v1/jobs/a/runs", "/v1/jobs/a/runs/",
    "/v1/jobs/runs", "/v1/jobs/a/runs/7", "/v1/jobs/a/pause", "/v1/jobs/a/b/runs", "/v1/jobs/a.b/runs",
    "/v1/runs", "/v1/jobsa/runs", "/v1/job/a", "/",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "put"])
@pytest.mark.parametrize("path", PATHS)
async def test_the_same_requests_by_both_ways(api: Api, method: str, path: str) -> None:
    services = api.services
    call = Call(services.scheduler, services.settings, method, path, {}, {})
    scope = {"type": "http", "method": method, "path": path}
    routes = [each for noun in NOUNS for each in noun.router.routes]
    full = [each for each in routes if each.matches(scope)[0] is Match.FULL]
    documented = {getattr(each, "operation_id", None) for each in full[:1]}

    hot = HotJobs(services).of(call)

    assert (hot is not None) == bool(documented & HOT)
    if isinstance(hot, Coroutine):
        hot.close()
