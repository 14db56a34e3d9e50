"""python3 check.py [HEAD] < ledger.jsonl: is what `cronclave ledger export` printed whole and as it was?
Each hash follows from the entry before it, nothing has two outcomes, and one has the hash HEAD, noted
elsewhere: without it nobody sees an end cut off, or all written anew. Exit code 1 where it does not hold."""

import hashlib
import itertools
import json
import sys

ALL = "seq job trigger kind key first_ms last_ms ticks outcome reason run into_ms decided_ms epoch idx tzdata"


def packed(value):
    """As MessagePack: nothing, text, a whole number."""
    if value is None:
        return b"\xc0"
    if isinstance(value, str):
        size, text = len(value.encode()), value.encode()
        head = 0xA0 + size if size < 32 else 0xD900 + size if size < 256 else 0xDA0000 + size
        return head.to_bytes(1 if size < 32 else 2 if size < 256 else 3, "big") + text
    if -32 <= value < 128:
        return value.to_bytes(1, "big", signed=value < 0)
    power = next(n for n in range(4) if (max(value, ~value) << (value < 0)) >> (8 << n) == 0)
    return bytes([(0xCC, 0xD0)[value < 0] + power]) + value.to_bytes(1 << power, "big", signed=value < 0)


wrong, heads, spans, before, seq = [], {"00" * 32}, {}, bytes(32), 0
for line in sys.stdin.buffer:
    try:
        entry = json.loads(line)
        body = b"\xdc\x00\x10" + b"".join([packed(entry[name]) for name in ALL.split()])
        said = bytes.fromhex(entry["hash"])
    except Exception:
        sys.exit(f"behind entry {seq} stands what is no entry, or not the whole of one")
    if entry["seq"] != seq + 1:
        wrong.append(f"entry {entry['seq']} stands behind entry {seq}")
    elif hashlib.sha256(before + body).hexdigest() != entry["hash"]:
        wrong.append(f"entry {entry['seq']}: its hash does not follow from the entry before it")
    before, seq = said, entry["seq"]
    heads.add(entry["hash"])
    event = (entry["job"], entry["kind"], entry["key"]) if entry["key"] else entry["trigger"]
    span = (0, 0) if entry["key"] else (entry["first_ms"], entry["last_ms"])
    spans.setdefault(event, []).append((*span, seq))
for each in map(sorted, spans.values()):
    pairs = ((a, b) for (_, last, a), (first, _, b) in itertools.pairwise(each) if first <= last)
    wrong += [f"entries {a} and {b} are two outcomes of one" for a, b in pairs]
if not any(head.startswith((*sys.argv, "")[1].lower()) for head in heads):
    wrong.append(f"no entry has the hash {sys.argv[1]}")
print("\n".join(wrong) or f"{seq} entries, one outcome each, the chain is whole; head {before.hex()}")
sys.exit(bool(wrong))
