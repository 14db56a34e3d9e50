"""Long stories of the scheduler as text that a person reads: what is told to it, and what it answers.

A story is a file here. Its blocks are divided by empty lines: the lines that are told, `----`, and what came
of them. `#` begins a remark. The words that can be told are those of `teller.WORDS`. After a change that is
meant, `python -m tests.stories.record` writes what comes now, and the difference is what a review reads.
"""
