// Talks to the node that served this page. The session is a cookie that scripts cannot read; writes carry its CSRF token.

let csrf = "";
export let session = null;

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

async function ask(method, path, body, headers = {}) {
  const options = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  const reply = await fetch(path, options);
  if (!reply.ok) {
    const problem = await reply.json().catch(() => ({}));
    throw new ApiError(reply.status, problem);
  }
  return reply;
}

async function remember(reply) {
  session = await reply.json();
  csrf = session.csrf;
  return session;
}

export const begin = async (token) => remember(await ask("POST", "/v1/session", { token }));
export const current = async () => remember(await ask("GET", "/v1/session"));
export const end = () => ask("DELETE", "/v1/session");

// What is shown may be a moment old: it must also show when there is no quorum, and cost no commit.
export async function read(path) {
  const url = path + (path.includes("?") ? "&" : "?") + "consistency=stale";
  return (await ask("GET", url)).json();
}
export const text = async (path) => (await ask("GET", path)).text();
export const write = async (path, body) => (await ask("POST", path, body)).json();

export function may(capability) {
  const granted = {
    viewer: [],
    operator: ["run", "operate"],
    submitter: ["run"],
    admin: ["run", "operate"],
  };
  return session !== null && (granted[session.role] || []).includes(capability);
}
