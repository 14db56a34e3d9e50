"""The agents of a development cluster get tokens of their own, each bound to its agent's name.

Rule: the administrator's token opens everything, and what runs as an agent's user can read what that agent
reads. So an agent never has it, and starts only once its own token is the cluster's.
"""

from __future__ import annotations

from cli.client import Client, path_of
from cli.dev.layout import AgentPlan, Identity, write_private
from cli.exits import CONFLICT, Failure


def is_admitted(agent: AgentPlan, identity: Identity) -> bool:
    """Whether it has a token, and one of its own."""
    try:
        return agent.token.read_text().strip() not in ("", identity.token)
    except FileNotFoundError:
        return False


def admit(client: Client, agent: AgentPlan) -> None:
    """Make its token and put it where its configuration says. Raises Failure."""
    wanted = {"name": agent.name, "role": "agent", "holder": agent.name}
    try:
        made = client.post(path_of("tokens"), wanted)
    except Failure as failure:
        if failure.exit_code != CONFLICT:
            raise
        # Made before, by a `dev` that ended before it had written it down: nobody knows that secret.
        client.delete(path_of("tokens", agent.name))
        made = client.post(path_of("tokens"), wanted)
    write_private(agent.token, made["token"] + "\n")
