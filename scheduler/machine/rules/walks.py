"""What is done to the tasks of a run one after the other (`steps.walking`): the values of `runs.walk`."""

from scheduler.words import reasons

ADMIT = "admit"  #: queue what waited with the run
KEEP_BACK = "keep_back"  #: take out of the queue what has not started
STOP = "stop"  #: cancel what has not started, ask agents to stop what has
DEADLINE = reasons.DEADLINE  #: expire what never started; the reason why its tick is missed
RESTORED = reasons.RESTORED  #: the same after a restore
LET_END = "let_end"  #: cancel what has not started, leave what has to its end; also how such a run stops
GIVE_UP = "give_up"  #: expire what waited when the state was restored

ENDING = frozenset((STOP, DEADLINE, RESTORED, LET_END))
"""What is queued or kept back meanwhile takes the place of none of these: what it was to end would stay."""
