"""Numbers of how much a job may have, which kinds of work and the bounds of the whole (`bounds`) share."""

from __future__ import annotations

PARAMS_MAX = 100
NOTICE_LETTERS_MAX = 256  #: of the key of a notice on a board
NOTICE_MS_MAX = 3_653 * 86_400_000  #: that it stays there: ten years
