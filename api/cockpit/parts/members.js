// The members of the cluster as a page shows them: this node among its peers, and by how much the clock of each is off.
//
// A clock is judged by the middle of all that are known, as the leader judges its own: of three of which one has jumped, that one is
// called wrong, also by the node that it belongs to. Of two that differ nobody can say which is.

export const CLOCK_OFF_MS = 250;

export function clocksOf(offsets) {
  const sorted = offsets.filter((each) => each !== null).sort((a, b) => a - b);
  const low = sorted[(sorted.length - 1) >> 1], high = sorted[sorted.length >> 1];
  const middle = high - low <= CLOCK_OFF_MS ? Math.round((low + high) / 2) : 0; // this node's own, where the middle is between two
  return offsets.map((each) => each === null ? null : each - middle);
}

// `silent`: this node gives no answer now, and what it knew is old.
export function membersOf(known, silent) {
  const self = { ...known, tzdata: known.tzdata_installed, here: true, voter: true, reachable: !silent, silent_ms: null, clock_offset_ms: 0, lag_ms: known.leader === known.node ? 0 : known.commit_lag_ms };
  const nodes = [self, ...known.peers.filter((peer) => peer.node !== known.node)];
  const clocks = clocksOf(nodes.map((node) => node.here || node.reachable ? node.clock_offset_ms : null));
  return nodes.map((node, i) => ({ ...node, clock_off_ms: clocks[i], clock_is_off: Math.abs(clocks[i]) > CLOCK_OFF_MS, leads: node.node === known.leader && node.reachable }));
}
