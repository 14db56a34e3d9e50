"""Every decoder of foreign bytes gives a message or its one refusal, in bounded memory."""

from __future__ import annotations

from itertools import islice

import pytest

from cluster import wire
from tests.fuzz import FRAME_BYTES_MAX, MEMORY_BYTES_MAX, TARGETS, Target, fuzz, memory_of, try_one

INPUTS = 4_000
NESTED = b"\x91" * 60_000 + b"\x90"
CLAIMS = [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"]


@pytest.mark.parametrize("seed", [1, 2])
def test_no_input_is_worse_than_refused(seed: int) -> None:
    """More of it: python -m tests.fuzz --seconds 60 --seed N"""
    found = [finding for finding in islice(fuzz(seed), INPUTS) if finding is not None]

    assert not found, f"seed {seed}: {found[0]}"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_claims_of_enormous_values_and_deep_nesting_cost_no_memory(target: Target) -> None:
    for data in (NESTED, *CLAIMS, *(b"\x91" * 40 + claim for claim in CLAIMS)):
        assert try_one(target, data) is None
        assert memory_of(target, data) < MEMORY_BYTES_MAX


def test_fuzzer_finds_a_decoder_that_lets_out_more() -> None:
    broken = Target("broken", lambda data: dict[bytes, bytes]()[data], wire.ProtocolError, [{"type": "x"}])

    finding = try_one(broken, b"\x01")

    assert finding is not None
    assert "KeyError" in finding.what
    assert "01" in str(finding)


def test_frame_over_the_limit_is_refused_before_it_is_kept() -> None:
    reader = wire.FrameReader(FRAME_BYTES_MAX)

    with pytest.raises(wire.ProtocolError, match="at most"):
        list(reader.feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big") + b"x"))
