"""What the log says: commands, events, outcomes, causes, the states that things may be in, and their bytes.

The promise: this package imports nothing else of the product but `shapes`, and nothing that acts. A record
says all of itself: its tag, who may decide it, the format it came with; what writes, reads and checks it
follows from its fields' types. There is no list of records anywhere else.

Reading order: `record` (what a record says of itself), `commands` and `events` (all of them, a file a noun),
`outcomes`, `causes`, `lifecycle` (the states), `codec` (the bytes), `unreadable` (why bytes are no command),
`sizes` (is it too large?).
"""
