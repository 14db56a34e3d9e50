// What most pages need, in one import. What few need (charts, graphs, long lists of lines) they import themselves, so that it is not
// fetched by everybody.

export { Act, ask, command, curl, Mistake, toast } from "./parts/action.js";
export * as api from "./parts/api.js";
export { Copy, Dialog } from "./parts/dialog.js";
export * from "./parts/html.js";
export { useKeys } from "./parts/keys.js";
export { cluster } from "./parts/nodes.js";
export { useOffers } from "./parts/palette.js";
export { Ago, Bars, Choice, Facts, Loading, Search, Until, When } from "./parts/parts.js";
export { useNow, useRead } from "./parts/reads.js";
export { at, go, holdLeaving, setQuery, useQuery, useRoute } from "./parts/router.js";
export { Said } from "./parts/said.js";
export { lookOf, Shape, Status } from "./parts/status.js";
export { hear, live } from "./parts/stream.js";
export { ago, between, bytes, clock, clockOff, date, isKnown, number, schedule, span, t, tn, until, when, whole, word } from "./parts/words.js";
