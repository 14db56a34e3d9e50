"""What people, agents and proofs look at: queries that are read-only, bounded, by indices; a file per noun.

Rules:

1. The machine and the planner use none of these: nothing is decided by them.
2. Rows and their columns are those of `store.tables`. A row of its own has what joins tables alone, or leaves
   out what is large.
3. Every list is a keyset page (it goes on after the last key that was given out, never by an offset) with a
   total ORDER BY; details that belong to a page are fetched for the whole page at once (`bounds`).
"""
