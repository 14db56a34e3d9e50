"""Sources: folders, git repositories and parts of object stores that own jobs and objects.

The promise: what a source says becomes the cluster's, as a whole or not at all, by the staged apply that
people use (`api.routes.apply`), under the source's own name and within the namespaces that an administrator
gave to it. What is live stays where a source cannot be read, is empty, is of another environment, or holds
anything wrong. Where the leader is lost in the middle, the next one goes on with the same stage. Pauses,
holds and other runtime state are no part of it.

Reading order: contract.py (what a look gives), folder.py, git.py, store.py (a file for each place),
reading.py (from files to documents), applying.py (by the API), follower.py (who looks when, and what then).
"""

from __future__ import annotations

from collections.abc import Mapping

from node.config import NodeConfig
from node.effects.sources.contract import Place
from node.effects.sources.folder import Folder
from node.effects.sources.git import Git
from node.effects.sources.store import Store


def places(config: NodeConfig) -> Mapping[str, Place]:
    """Every place of this node where a source may be, by the field that names it."""
    folder = Folder(config.source_folders)
    return {"folder": folder, "git": Git(config.data / "sources", folder), "store": Store()}
