"""Clients that are generated from /openapi.json: made, and one of them asks a node.

    make clients

Two generators: openapi-python-client (its client puts a job, runs it, and reads lists and problems of a node)
and openapi-typescript, where npm is (its types are compiled). Both are installed in a folder that is dropped,
not among our own tools.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.api.contract import one_node
from tests.api.promise import described
from tests.api.single_node import ADMIN_TOKEN

PYTHON_GENERATOR = "openapi-python-client==0.29.1"
NPM_GENERATORS = ("openapi-typescript@7.13.0", "typescript@5.9.3")
CONFIG = """
project_name_override: cronclave-api
package_name_override: cronclave_api
content_type_overrides:
  application/vnd.sqlite3: application/octet-stream
  application/x-pem-file: text/plain
  application/yaml: application/octet-stream
post_hooks: []
"""
CALLS = '''
import sys
from cronclave_api import AuthenticatedClient
from cronclave_api.api.cluster import get_overview
from cronclave_api.api.jobs import apply_jobs, get_job, list_jobs, put_job
from cronclave_api.api.runs import get_run, list_runs, run_job
from cronclave_api.models import Job, Problem, Run, RunJobBody

url, token = sys.argv[1:]
with AuthenticatedClient(base_url=url, token=token) as client:
    def body(kind, **fields):
        return kind.from_dict(fields)

    from cronclave_api.models import PutJobJsonBody
    made = put_job.sync(name="generated", client=client, body=body(PutJobJsonBody, noop=True))
    assert isinstance(made, Job) and made.revision == 1, made
    assert [job.name for job in list_jobs.sync(client=client, q="gener").items] == ["generated"]
    run = run_job.sync(name="generated", client=client, body=body(RunJobBody))
    assert isinstance(run, Run) and run.state == "pending", run
    again = get_run.sync(run=str(run.id), client=client)
    assert again.created == run.created and again.created.tzinfo is not None, again
    assert [each.id for each in list_runs.sync(client=client, job="generated").items] == [run.id]
    assert get_overview.sync(client=client).runs.pending == 1
    none = get_job.sync(name="none", client=client)
    assert isinstance(none, Problem) and none.type_ == "/problems/not-found", none
print("a generated client put a job, ran it and read it back")
'''


def python_client(folder: Path, document: Path) -> None:
    venv.create(folder / "tools", with_pip=True)
    python = folder / "tools" / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYTHON_GENERATOR])
    (folder / "config.yaml").write_text(CONFIG)
    command = [
        str(python.parent / "openapi-python-client"), "generate", "--path", str(document), "--config",
        str(folder / "config.yaml"), "--output-path", str(folder / "client"), "--overwrite",
    ]  # fmt: skip
    said = _run(command)
    warnings = said.count("WARNING")
    print(f"openapi-python-client: {warnings} warnings")
    if warnings:
        sys.exit(said)
    (folder / "calls.py").write_text(CALLS)
    with one_node(folder) as url:
        path = str(folder / "client")
        print(_run([str(python), str(folder / "calls.py"), url, ADMIN_TOKEN], PYTHONPATH=path), end="")


def typescript(folder: Path, document: Path) -> None:
    if shutil.which("npm") is None:
        print("openapi-typescript: there is no npm here")
        return
    (folder / "package.json").write_text(json.dumps({"private": True}))
    _run(["npm", "install", "--silent", "--no-audit", "--no-fund", *NPM_GENERATORS], cwd=folder)
    tools = folder / "node_modules" / ".bin"
    _run([str(tools / "openapi-typescript"), str(document), "-o", "api.d.ts"], cwd=folder)
    _run([str(tools / "tsc"), "--noEmit", "--strict", "--skipLibCheck", "false", "api.d.ts"], cwd=folder)
    lines = len((folder / "api.d.ts").read_text().splitlines())
    print(f"openapi-typescript: {lines} lines of types, which compile")


def _run(command: list[str], cwd: Path | None = None, **environment: str) -> str:
    """What it says. Exits with that where it fails."""
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
        env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        document = folder / "openapi.json"
        document.write_text(json.dumps(described()))
        python_client(folder, document)
        typescript(folder, document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
