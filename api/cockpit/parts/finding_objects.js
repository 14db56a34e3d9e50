// Objects and secrets for the palette, fetched when something is first looked for.

import * as api from "./api.js";
import { KINDS, objectAt } from "./objects.js";
import { at, go } from "./router.js";
import { learn, t } from "./words.js";
import texts from "../texts_later.js";

learn(texts);
const FOUND_MAX = 3, SECRETS_MAX = 1_000; // of a kind

export async function foundObjects(text, signal) {
  const query = new URLSearchParams({ q: text, limit: FOUND_MAX });
  const some = (kind, items) => items.slice(0, FOUND_MAX).map((one) =>
    ({ text: one.name, note: t("palette.object", { kind: t(`kinds.${kind}`), namespace: one.namespace }), work: () => go(kind === "secrets" ? at("objects", kind) : objectAt({ ...one, kind })) }));
  const fits = (one) => one.name.toLowerCase().includes(text.toLowerCase());
  const lists = await Promise.all([...Object.keys(KINDS).map((kind) => api.read(`/v1/${kind}?${query}`, { signal }).then(({ items }) => some(kind, items))),
    api.read(`/v1/secrets?limit=${SECRETS_MAX}`, { signal }).then(({ items }) => some("secrets", items.filter(fits)), () => [])]); // not for everybody
  return lists.flat();
}
