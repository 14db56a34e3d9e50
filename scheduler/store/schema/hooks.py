"""What came in by hooks (`machine.deliveries`)."""

from __future__ import annotations

STATEMENTS = (
    # Deliveries that were taken, of each hook in their order; its oldest go first.
    """
    CREATE TABLE deliveries (
        namespace TEXT NOT NULL, hook TEXT NOT NULL, serial INTEGER NOT NULL,
        delivery TEXT NOT NULL,             -- its id, as its sender calls it
        at_ms INTEGER NOT NULL,             -- the stamp at which it was taken
        safe_ms INTEGER NOT NULL,           -- from then on its signature is too old to be sent again
        firings TEXT NOT NULL,              -- what came of it: JSON, as its sender was told
        PRIMARY KEY (namespace, hook, serial)
    ) WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX deliveries_named ON deliveries (namespace, hook, delivery)",
    "CREATE INDEX deliveries_at ON deliveries (at_ms, namespace, hook, serial)",
)
