"""What several systems have in common in saying when: each file one way of theirs, out come triggers of ours.

Rules: text in, the fields of triggers out; what cannot be kept raises NotTaken with the reason, what is kept
with a difference is a note. Numbers of days and the ways in which day fields are joined are those of the
program named in the file's first line, found by running it or by its source.

Reading order: spelling, then each alone.
"""
