// A press means what it began on. What loads late moves what stands below it, and a browser drops the click when the pointer,
// though it stood still, is let go on something else: such a press is given back to what it began on.

const STILL_PX = 4;
let press = null;

document.addEventListener("pointerdown", (event) => {
  const on = event.isPrimary && !event.button ? event.target.closest?.("a[href], button, summary") : null;
  press = on && { on, x: event.clientX, y: event.clientY };
}, true);
document.addEventListener("pointerup", (event) => {
  const { on, x, y } = press || {};
  press = null;
  if (!on?.isConnected || on.contains(event.target) || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (Math.hypot(event.clientX - x, event.clientY - y) <= STILL_PX) on.click();
}, true);
