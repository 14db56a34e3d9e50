// A value that several components look at: `use` draws a component again when it changes.

import { useEffect, useState } from "./html.js";

export function store(value) {
  const heard = new Set();
  const listen = (hear) => { heard.add(hear); return () => heard.delete(hear); };
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const hear of [...heard]) hear(value);
    },
    listen,
    use() {
      const [, draw] = useState(0);
      useEffect(() => {
        const seen = value;
        const stop = listen(() => draw((n) => n + 1));
        if (seen !== value) draw((n) => n + 1);
        return stop;
      }, []);
      return value;
    },
  };
}
