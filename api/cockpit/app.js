// The cockpit: who is signed in, then the shell with the page that the address names.

import * as api from "./parts/api.js";
import { html, render, useEffect, useState } from "./parts/html.js";
import { unwatch, watch } from "./parts/nodes.js";
import { forgetAll } from "./parts/reads.js";
import { Shell } from "./parts/shell.js";
import { SignIn } from "./parts/sign_in.js";
import "./parts/press.js";
import * as stream from "./parts/stream.js";
import { language } from "./parts/words.js";

const RETRY_MS = 2000;

// Behind the # comes what must not reach a server's log: a token to sign in with, or where a page comes from that has moved here.
const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
if (given.token || given.from) history.replaceState(null, "", location.pathname + location.search);

function App() {
  const session = api.session.use();
  language.use();
  const [error, fail] = useState(null);
  const [turn, again] = useState(0);
  useEffect(() => {
    if (session !== null) return undefined;
    let timer = null;
    const first = given.token ? api.begin(given.token) : api.current();
    first.catch((problem) => {
      if (problem instanceof api.ApiError && problem.status === 401) api.session.set(false);
      else timer = setTimeout(() => again((n) => n + 1), RETRY_MS);
      if (given.token || !(problem instanceof api.ApiError && problem.status === 401)) fail(problem);
    }).finally(() => { given.token = ""; });
    return () => clearTimeout(timer);
  }, [session, turn]);
  const signedIn = Boolean(session);
  useEffect(() => {
    if (!signedIn) return undefined;
    fail(null);
    stream.open(given.after || "");
    watch({ node: given.from, moved: given.moved });
    given.from = given.after = "";
    return () => { stream.close(); unwatch(); forgetAll(); };
  }, [signedIn]);
  if (session) return html`<${Shell} />`;
  return html`<${SignIn} waiting=${session === null} error=${error} from=${given.from} onSignedIn=${stream.restart} />`;
}

render(html`<${App} />`, document.getElementById("app"));
