"""The same pipeline: one job with a graph, whose tasks are functions that agents call."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO

from cronclave.jobs import Fanout, Job, Resource, Retry, cron, job

REGIONS = ("eu", "us")
#: Where agents find this module, and their interpreter that has cronclave-client.
HERE = {"PYTHONPATH": str(Path(__file__).parent)}
PYTHON = os.environ.get("PIPELINE_PYTHON", "python3")

warehouse = Resource("warehouse", count=1)


@job("luigi-report", triggers=[cron("0 3 * * *", tz="Europe/Berlin")])
def pipeline(job: Job, folder: str = "/tmp/luigi", day: date | str = "plan_date - 1 day") -> None:
    """Rows of a day, of all regions."""


@pipeline.function(fanout=Fanout(foreach=REGIONS), retry=Retry(max=2), env=HERE, interpreter=PYTHON)
def extract() -> None:
    region = os.environ["CRONCLAVE_ITEM"]
    if not there(f"{region}.csv"):
        with target(f"{region}.csv") as file:
            for number in range(3):
                file.write(f"{region},{os.environ['CRONCLAVE_PARAM_DAY']},{number}\n")


@pipeline.function(needs=["extract"], locks=["warehouse"], env=HERE, interpreter=PYTHON)
def load() -> None:
    if not there("loaded.csv"):
        with target("loaded.csv") as file:
            for region in REGIONS:
                file.write(path(f"{region}.csv").read_text())


@pipeline.function(needs=["load"], outputs=["rows"], env=HERE, interpreter=PYTHON)
def report() -> dict[str, int]:
    rows = len(path("loaded.csv").read_text().splitlines())
    with target("report.txt") as file:
        file.write(f"{rows} rows of {os.environ['CRONCLAVE_PARAM_DAY']}\n")
    return {"rows": rows}


def path(name: str) -> Path:
    return Path(os.environ["CRONCLAVE_PARAM_FOLDER"], f"{os.environ['CRONCLAVE_PARAM_DAY']}-{name}")


def there(name: str) -> bool:
    """Luigi's complete(): what a run before has made is not made again."""
    return path(name).exists()


@contextmanager
def target(name: str) -> Iterator[IO[str]]:
    """Luigi's LocalTarget: there once it is whole."""
    new = path(f"{name}.{os.environ['CRONCLAVE_ATTEMPT']}.new")
    with new.open("w") as file:
        yield file
    new.replace(path(name))
