"""`cronclave context`: names for clusters, so that a command needs no addresses and tokens."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click

from cli.completing import context_names
from cli.contexts import (
    Context,
    contexts_file,
    load_contexts,
    save_contexts,
    with_context,
    without_context,
)
from cli.exits import CONFLICT, USAGE, Failure
from cli.lazy import Group
from cli.options import formatted
from cli.output import show
from cli.target import DEV_FILE, split_urls


@click.group(
    "context", cls=Group, epilog="Example: cronclave context add prod --url https://10.0.1.1:8321 --ca ca.pem"
)
def context() -> None:
    """Name clusters, and choose which one commands talk to.

    A command takes the first that names a cluster: --url or --context, CRONCLAVE_URL, CRONCLAVE_CONTEXT, the
    dev cluster of this folder, the context in use.
    """


@context.command(
    "add",
    epilog="Example: cronclave context add prod --url https://a:8321,https://b:8321 --ca ca.pem "
    "--token-file token",
)
@click.argument("name")
@click.option("--url", required=True, metavar="URL", help="A node of it, or several with commas.")
@click.option("--token", metavar="TOKEN", help="Its bearer token; - reads it from standard input.")
@click.option(
    "--token-file", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
    help="Read the token from here at each command.",
)  # fmt: skip
@click.option(
    "--ca", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="Its ca.pem, for https."
)
@click.option("--replace", "is_replaced", is_flag=True, help="Change a context that is there.")
@click.option("--use", "is_used", is_flag=True, help="Use it from now on; the first one is used anyway.")
def add(
    name: str, url: str, token: str | None, token_file: str | None, ca: str | None, is_replaced: bool,
    is_used: bool,
) -> None:  # fmt: skip
    """Name a cluster. Nothing is asked of it: cronclave doctor tries it."""
    if token and token_file:
        raise Failure("--token and --token-file exclude each other", code=USAGE)
    if token == "-":
        token = sys.stdin.readline(65_536).strip()
        if not token:
            raise Failure("standard input has no token", code=USAGE, hint="Give it on one line.")
    if token and not (token.isascii() and token.isprintable()):
        raise Failure("the token holds letters that no token has", code=USAGE, hint="Copy it again.")
    contexts = load_contexts()
    if name in contexts.named and not is_replaced:
        raise Failure(f"there is a context {name} already", code=CONFLICT, hint="--replace changes it.")
    one = Context(",".join(split_urls(url, "--url")), token or "", _absolute(token_file), _absolute(ca))
    contexts = with_context(contexts, name, one)
    if is_used:
        contexts = replace(contexts, current=name)
    save_contexts(contexts)
    click.echo(f"{name} is {'in use' if contexts.current == name else 'added'}: {contexts_file()}")
    if contexts.current == name:
        _say_what_comes_first()


def _absolute(file: str | None) -> str:
    return str(Path(file).absolute()) if file else ""


@context.command("use", epilog="Example: cronclave context use prod")
@click.argument("name", required=False, shell_complete=context_names)
@click.option("--none", "is_none", is_flag=True, help="Use none any more.")
def use(name: str | None, is_none: bool) -> None:
    """Let commands talk to this cluster where nothing nearer names one."""
    if (name is None) != is_none:
        raise Failure("give the name of a context, or --none", code=USAGE, hint="cronclave context list")
    contexts = load_contexts()
    if name is not None:
        contexts.get(name, named_by="the argument")
    save_contexts(replace(contexts, current=name or ""))
    click.echo(f"{name} is in use" if name else "no context is in use")
    if name:
        _say_what_comes_first()


def _say_what_comes_first() -> None:
    nearer = [told for told in ("CRONCLAVE_URL", "CRONCLAVE_CONTEXT") if os.environ.get(told)]
    nearer += [str(DEV_FILE)] if DEV_FILE.exists() else []
    if nearer:
        click.echo(f"here {nearer[0]} comes before it: --context says otherwise", err=True)


@context.command("list", epilog="Example: cronclave context list -o json")
@formatted
def list_(form: str) -> None:
    """List the contexts; their tokens stay hidden."""
    contexts = load_contexts()
    items = [
        {"name": name, "current": name == contexts.current, **asdict(one), "token": _masked(one)}
        for name, one in contexts.named.items()
    ]
    columns = ("context", "in use", "url", "token", "ca")
    show(
        form, items, columns,
        lambda: [
            (i["name"], "yes" if i["current"] else "", i["url"], i["token"] or i["token_file"], i["ca"])
            for i in items
        ],
    )  # fmt: skip
    if form == "table" and not items:
        click.echo("there is none: cronclave context add NAME --url URL", err=True)


def _masked(one: Context) -> str:
    return "…" if one.token else ""


@context.command("remove", epilog="Example: cronclave context remove prod")
@click.argument("name", shell_complete=context_names)
def remove(name: str) -> None:
    """Forget a cluster and its token here. The cluster itself is not touched."""
    contexts = load_contexts()
    save_contexts(without_context(contexts, name))
    click.echo(f"{name} is removed" + ("; no context is in use" if contexts.current == name else ""))
