"""`cronclave completion`: the script that a shell needs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cli.examples import examples
from cli.exits import USAGE, Failure


@click.command(
    "completion",
    epilog=examples(
        "cronclave completion bash > /etc/bash_completion.d/cronclave",
        "cronclave completion zsh > ~/.zfunc/_cronclave",
        "cronclave completion fish > ~/.config/fish/completions/cronclave.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    from cli.main import cronclave

    found = get_completion_class(shell)
    if found is None:
        raise Failure(f"no completion for {shell}", code=USAGE)
    click.echo(found(cronclave, {}, "cronclave", "_CRONCLAVE_COMPLETE").source())
