"""docs/reference/cli.md, made from the commands themselves: `make docs`. A test fails when it is not up to
date.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from cli.exits import MEANINGS
from cli.main import cronclave

WIDTH = 100

HEAD = """\
# Command line

Made from the commands by `make docs`; do not edit.

The first of these that names a cluster is the one that a command talks to:

1. `--url URL`, or `--context NAME`
2. `CRONCLAVE_URL`
3. `CRONCLAVE_CONTEXT`
4. `./.cronclave/dev.json`, which `cronclave dev` keeps: what is tried in its folder reaches no other cluster
5. the context in use, as chosen by `cronclave context use`

The token is `--token`, else that of the context that `--context` names, else `CRONCLAVE_TOKEN`, else the one
that stands beside the address in 3 to 5; the authority that https is checked against is `CRONCLAVE_CA`, or
the context's, in the same order. The token of one cluster is sent to no other. Contexts stand in
`$XDG_CONFIG_HOME/cronclave/contexts.toml` (`~/.config` by default), which only its owner may read:

```toml
current = "prod"

[contexts.prod]
url = "https://10.0.1.1:8321,https://10.0.2.1:8321"
ca = "/home/me/prod-ca.pem"
token_file = "/home/me/prod-token"   # or token = "…"
```

A URL may be a list with commas; the first node that answers is used, and a command given during a failover is
tried again on another one. `CRONCLAVE_RETRY` (10s) is how long a command tries again while there is no
leader.
A write whose connection ended twice before its reply is sent to no third node: it is told as unknown.
`NO_COLOR` is obeyed.

`eval "$(cronclave completion bash)"` (zsh, fish) in a shell's start file completes commands, options, names
from the cluster: jobs, runs, agents, nodes, tokens, namespaces, contexts. They are asked for with the options
that stand on the line already, for 0.8 s (`CRONCLAVE_COMPLETE_WITHIN`), and kept for 5 s; when nobody answers
there are none.
"""


def every_command(
    command: click.Command = cronclave, parent: click.Context | None = None, name: str = "cronclave"
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    """All commands, depth first, with the words that call them."""
    # As click makes contexts when it is called: what is inherited (-h) must be inherited here too.
    settings = {**command.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield tuple(context.command_path.split()), command, context
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            assert inner is not None
            yield from every_command(inner, context, word)


def reference() -> str:
    parts = [HEAD, "## Exit codes\n\n| code | meaning |\n| --- | --- |"]
    parts[-1] += "".join(f"\n| {code} | {meaning} |" for code, meaning in MEANINGS.items()) + "\n"
    for path, command, context in every_command():
        parts.append(f"## {' '.join(path)}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
