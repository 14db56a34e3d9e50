// Talks to the node that served this page. The session is a cookie that scripts cannot read; writes carry its CSRF token.

import { store } from "./store.js";

export const session = store(null); // null: not asked yet; false: nobody is signed in
const PATIENCE_MS = 15000;

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
    this.hint = problem.hint || "";
    this.errors = problem.errors || [];
  }
}

// No answer at all: the node is gone, or the way to it.
export class Silence extends Error {}

export async function ask(method, path, { body, headers = {}, signal, kind = "application/json" } = {}) {
  const options = { method, headers: { ...headers }, credentials: "same-origin", cache: "no-store" };
  options.signal = signal ? AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]) : AbortSignal.timeout(PATIENCE_MS);
  if (body !== undefined) {
    options.body = typeof body === "string" ? body : JSON.stringify(body);
    options.headers["Content-Type"] = kind;
  }
  if (method !== "GET") options.headers["X-CSRF-Token"] = session.get()?.csrf || "";
  let reply;
  try {
    reply = await fetch(path, options);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Silence(error.message);
  }
  if (!reply.ok) {
    const problem = await reply.json().catch(() => ({}));
    if (reply.status === 401 && path !== "/v1/session" && session.get()) session.set(false);
    throw new ApiError(reply.status, problem);
  }
  return reply;
}

// What is shown may be a moment old: it must also show when there is no quorum, and cost no commit.
export const stale = (path) => `${path}${path.includes("?") ? "&" : "?"}consistency=stale`;
export const read = async (path, options) => (await ask("GET", stale(path), options)).json();
export const text = async (path, options) => (await ask("GET", stale(path), options)).text();

export async function send(method, path, body, options = {}) {
  const reply = await ask(method, path, { ...options, body });
  const content = await reply.text();
  return content ? JSON.parse(content) : null;
}

export async function begin(token) {
  session.set(await (await ask("POST", "/v1/session", { body: { token } })).json());
}
export async function current() {
  session.set(await (await ask("GET", "/v1/session")).json());
}
export async function end() {
  await ask("DELETE", "/v1/session").catch(() => {});
  session.set(false);
}

// Whether the token may do that in this namespace ("*": in all, "": anywhere); the server judges again.
export const may = (capability, namespace = "") => {
  const who = session.get();
  return (namespace ? ["*", namespace].flatMap((each) => who?.may_in?.[each] || []) : who?.may || []).includes(capability);
};
