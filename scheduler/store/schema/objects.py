"""What jobs refer to, with its revisions."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # What jobs refer to, of all kinds (scheduler.model.objects), known by kind, namespace and name.
    """
    CREATE TABLE objects (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        labels TEXT NOT NULL,               -- JSON object
        source TEXT NOT NULL,
        created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, actor TEXT NOT NULL,
        spec BLOB NOT NULL,                 -- canonical JSON of the current revision
        pin TEXT NOT NULL,                  -- of what triggers hold of it; empty: nothing
        per_day INTEGER NOT NULL,           -- instants of a day for which its own triggers ask
        PRIMARY KEY (kind, namespace, name)
    )
    """,
    "CREATE INDEX objects_source ON objects (source, kind, namespace, name) WHERE source <> ''",
    # Every revision of every object that ever was; `deleted` rows end one, and its numbers go on after it.
    """
    CREATE TABLE object_revisions (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL,
        spec BLOB NOT NULL, stamp_ms INTEGER NOT NULL, idx INTEGER NOT NULL, actor TEXT NOT NULL,
        deleted INTEGER NOT NULL,
        PRIMARY KEY (kind, namespace, name, revision)
    ) WITHOUT ROWID
    """,
    # Which job or object refers to which object.
    """
    CREATE TABLE refs (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        to_kind TEXT NOT NULL, to_namespace TEXT NOT NULL, to_name TEXT NOT NULL,
        PRIMARY KEY (kind, namespace, name, to_kind, to_namespace, to_name)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX refs_to ON refs (to_kind, to_namespace, to_name, kind, namespace, name)",
    # The vars that a run began with, in the order of its job: of equal names in two the later one counts.
    """
    CREATE TABLE run_vars (
        run INTEGER NOT NULL, place INTEGER NOT NULL,
        namespace TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL,
        PRIMARY KEY (run, place)
    ) WITHOUT ROWID
    """,
)
