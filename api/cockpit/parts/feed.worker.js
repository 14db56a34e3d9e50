// A shared worker: all tabs of this origin have one stream, since a browser opens six connections to a host at most.

import { Feed } from "./feed.js";

const ports = new Set();
const feed = new Feed((message) => { for (const port of ports) port.postMessage(message); });

const WORK = {
  open(port, { after }) {
    ports.add(port);
    feed.open(after);
    port.postMessage({ kind: "state", state: feed.state });
  },
  leave(port) {
    ports.delete(port);
    if (!ports.size) feed.close();
  },
  // Somebody else is signed in now: what the old stream was allowed to see is over.
  restart() {
    feed.close();
    feed.open();
  },
};

self.addEventListener("connect", ({ ports: [port] }) => {
  port.onmessage = ({ data }) => WORK[data.kind](port, data);
});
