"""What ran in a container, as the command that runs it there on an agent's host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NOTE = (
    "it runs by `docker run` on an agent's host: agents with docker in the pool, and the image within reach"
)


def docker_run(
    image: str, command: Sequence[str], arguments: Sequence[str], env: Mapping[str, str], directory: str = ""
) -> list[str]:
    """The words of an `exec`. `command` replaces the image's entry point, as in Kubernetes."""
    words = ["docker", "run", "--rm"]
    for name, value in env.items():
        words += ["--env", f"{name}={value}"]
    if directory:
        words += ["--workdir", directory]
    if command:
        words += ["--entrypoint", command[0]]
    return [*words, image, *command[1:], *arguments]
