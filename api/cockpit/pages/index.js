// Every page of the cockpit: one file here and one line below. A page is {path, title, view, key?, icon?}: `title` is the
// key of a text, one with an `icon` stands in the navigation in this order, `key` is the second stroke of "g …".

import jobs from "./jobs.js";
import overview from "./overview.js";
import run from "./run.js";
import runs from "./runs.js";

export const PAGES = [overview, jobs, runs, run];
