"""Examples that help shows, and that a test parses: one that works says soonest what a command is for."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """The end of a command's help. A line may be a pipe; words after two spaces and a # tell what it does."""
    if len(lines) == 1:
        return f"Example: {lines[0]}"
    width = max(len(line.partition("  # ")[0]) for line in lines)
    aligned = []
    for line in lines:
        command, mark, told = line.partition("  # ")
        aligned.append(f"  {command.ljust(width)}  # {told}" if mark else f"  {command}")
    return "\b\nExamples:\n" + "\n".join(aligned)
