// Where an instant stands between two others, in percent of the way: how bars over time are placed.

export function scale(from, to) {
  const length = Math.max(1, to - from);
  return (at) => `${Math.min(100, Math.max(0, ((at - from) / length) * 100)).toFixed(3)}%`;
}
