"""Files that are there whole or as they were: the one way in which this product replaces a file.

Promise: after `replace_file` returned, the new bytes are on disk under that name, whatever happens to the
process, the kernel or the power; until then a reader, and a crash, finds the old ones. A disk that is full
costs the new bytes alone and leaves nothing behind. Nothing is tried again: an error reaches the caller, who
knows what his file is worth. The standard library alone: the spooler and the command line start with this.

Reading order: files.py.
"""
