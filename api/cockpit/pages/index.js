// Every page of the cockpit: one file here and one line below. A page is {path, title, view, key?, icon?}: `title` is the
// key of a text, one with an `icon` stands in the navigation in this order, `key` is the second stroke of "g …".

import overview from "./overview.js";
import { later } from "../parts/lazy.js";

const jobs = { path: "/cockpit/jobs", title: "jobs.title", key: "j", view: later(() => import("./jobs.js")), icon: "M3.5 5h13M3.5 10h13M3.5 15h13" };
const runs = { path: "/cockpit/runs", title: "runs.title", key: "r", view: later(() => import("./runs.js")), icon: "M6 4.5v11l9-5.5z" };
const job = { path: "/cockpit/jobs/:namespace/:name", title: "job.job", view: later(() => import("./job.js")) };
const why = { path: "/cockpit/jobs/:namespace/:name/why", title: "why.title", view: later(() => import("./why.js")) };
const backfills = { path: "/cockpit/jobs/:namespace/:name/backfills", title: "backfill.title", view: later(() => import("./backfills.js").then(({ Backfills }) => ({ default: Backfills }))) };
const backfill = { ...backfills, path: "/cockpit/jobs/:namespace/:name/backfills/:backfill", view: later(() => import("./backfills.js").then(({ Backfill }) => ({ default: Backfill }))) };
const edit = { path: "/cockpit/jobs/:namespace/:name/edit", title: "job.edit", view: later(() => import("./editor.js").then(({ Edit }) => ({ default: Edit }))) };
const create = { path: "/cockpit/jobs/new", title: "editor.new", view: later(() => import("./editor.js").then(({ New }) => ({ default: New }))) };
const run = { path: "/cockpit/runs/:run", title: "run.page", view: later(() => import("./run.js")) };
const agents = { path: "/cockpit/agents", title: "agents.title", key: "a", view: later(() => import("./agents.js")),
  icon: "M4 4.5h12v4H4zM4 11.5h12v4H4zM6.5 6.5h.1M6.5 13.5h.1" };
const cluster = { path: "/cockpit/cluster", title: "cluster.title", key: "c", view: later(() => import("./cluster.js")),
  icon: "M10 3.2a2 2 0 1 0 .1 0M4.6 12.6a2 2 0 1 0 .1 0M15.4 12.6a2 2 0 1 0 .1 0M9 7 5.8 12.7M11 7l3.2 5.7M6.8 14.6h6.4" };
const ledger = { path: "/cockpit/ledger", title: "ledger.title", key: "l", view: later(() => import("./ledger.js")),
  icon: "M5 3.5h10v13H5zM7.5 7h5M7.5 10h5M7.5 13h3" };
const access = { path: "/cockpit/access", title: "access.title", key: "t", view: later(() => import("./access.js")),
  icon: "M9.6 10.4a3.6 3.6 0 1 1 .1 .1L4 16v-2.6h2.4" };

const plan = { path: "/cockpit/plan", title: "plan.title", key: "p", view: later(() => import("./plan.js")), icon: "M4 5h12v11H4zM4 8.5h12M7.5 3.5v3M12.5 3.5v3M7 12h3" };
const objects = { path: "/cockpit/objects", title: "objects.title", key: "o", view: later(() => import("./objects.js")), icon: "M4 4h5v5H4zM11 4h5v5h-5zM4 11h5v5H4zM13.5 11v5M11 13.5h5" };
const kind = { ...objects, path: "/cockpit/objects/:kind", key: null, icon: null };
const secrets = { path: "/cockpit/objects/secrets", title: "kinds.secrets", key: "s", view: later(() => import("./secrets.js")) };
const object = { path: "/cockpit/objects/:kind/:namespace/:name", title: "objects.title", view: later(() => import("./object.js")) };
const newObject = { path: "/cockpit/objects/:kind/new", title: "objects.title", view: later(() => import("./object_editor.js").then(({ New }) => ({ default: New }))) };
const editObject = { path: "/cockpit/objects/:kind/:namespace/:name/edit", title: "job.edit", view: later(() => import("./object_editor.js").then(({ Edit }) => ({ default: Edit }))) };
const namespaces = { path: "/cockpit/namespaces", title: "namespaces.title", key: "n", view: later(() => import("./namespaces.js")), icon: "M3.5 5h5l1.5 2h6.5v8.5h-13z" };
const newNamespace = { path: "/cockpit/namespaces/new", title: "namespaces.title", view: later(() => import("./namespace.js").then(({ New }) => ({ default: New }))) };
const namespace = { path: "/cockpit/namespaces/:namespace", title: "namespaces.title", view: later(() => import("./namespace.js")) };
const editNamespace = { path: "/cockpit/namespaces/:namespace/edit", title: "job.edit", view: later(() => import("./namespace.js").then(({ Edit }) => ({ default: Edit }))) };
const audit = { path: "/cockpit/audit", title: "audit.title", key: "w", view: later(() => import("./audit.js")) };
const notifications = { path: "/cockpit/notifications", title: "notify.title", key: "m", view: later(() => import("./notifications.js")), icon: "M4 5h12v9H4zM4 5.5l6 5 6-5" };

export const PAGES = [overview, jobs, runs, plan, objects, namespaces, agents, cluster, ledger, notifications, access, audit, create, job, why, backfills, backfill, edit, run,
  secrets, kind, newObject, object, editObject, newNamespace, namespace, editNamespace];
