// What the API says in words is English, whatever language the page has (decision 89). It is marked so, for whoever has it read aloud or translated.

import { html } from "./html.js";
import { language } from "./words.js";

export const Said = ({ children, class: look }) => html`<span class=${look} lang=${language.get() === "en" ? undefined : "en"}>${children}</span>`;
