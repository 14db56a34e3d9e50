// A chart over time by uPlot, which is fetched with the first chart. `series`: [{name, values, look, points?}], `times` in seconds.
// The same numbers in words stand under it, for those who do not see it.

import { html, useEffect, useRef, useState } from "./html.js";
import { dress } from "./lazy.js";
import { clock, date, number, t } from "./words.js";

const HEIGHT = 170, EDGE = 32; // half of the last time below it
let library = null;

const load = () => library ??= Promise.all([import("../vendor/uplot.js"), dress("/assets/vendor/uplot.css")]).then(([found]) => found.default, (error) => { library = null; throw error; });

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export function Chart({ times, series, unit = (value) => number(value), label }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [theme, follow] = useState(document.documentElement.dataset.theme);
  const [error, fail] = useState(null);
  const data = [times, ...series.map((each) => each.values)];
  useEffect(() => {
    const watch = new MutationObserver(() => follow(document.documentElement.dataset.theme));
    watch.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    let gone = false;
    const size = new ResizeObserver(([{ contentRect }]) => plot.current?.setSize({ width: Math.floor(contentRect.width), height: HEIGHT }));
    load().then((UPlot) => {
      if (gone) return;
      const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "12px system-ui, sans-serif" };
      const span = times.at(-1) - times[0];
      plot.current = new UPlot({
        width: Math.floor(box.current.clientWidth), height: HEIGHT, cursor: { y: false }, padding: [null, EDGE, null, null], legend: { live: true },
        axes: [{ ...axis, space: 84, values: (_, ticks) => ticks.map((at) => span > 2 * 86400 ? date(at * 1000) : clock(at * 1000).slice(0, span > 600 ? 5 : 8)) },
          { ...axis, size: 62, values: (_, ticks) => ticks.map(unit) }],
        scales: { y: { range: (_, least, most) => [Math.min(0, least), Math.max(most, 0.001)] } },
        series: [{ label: t("chart.time"), value: (_, at) => at === null ? "–" : clock(at * 1000) }, ...series.map((each) => ({
          label: each.name, stroke: colour(each.look), width: each.points ? 0 : 1.5, fill: each.points ? undefined : `${colour(each.look)}22`,
          points: { show: each.points || undefined, size: each.points ? 7 : 4, fill: colour(each.look) }, value: (_, value) => value === null || value === undefined ? "–" : unit(value) }))],
      }, data, box.current);
      size.observe(box.current);
    }, fail);
    return () => { gone = true; size.disconnect(); plot.current?.destroy(); plot.current = null; };
  }, [theme, series.map((each) => each.name).join()]);
  useEffect(() => { plot.current?.setData(data); }, [times.length, times.at(-1), series.map((each) => each.values.at(-1)).join()]);
  return html`<figure class="chart" role="group" aria-label=${label}><div ref=${box}></div>${error ? html`<p class="error">${t("chart.failed")}</p>` : null}</figure>`;
}
