/** Draws the figures of a scenario as one SVG: a panel per section, a bar per target, readable on light and dark pages. */
import type { Figures, Section } from "./scenarios/scenario.ts";
import { spreadOf } from "./statistics.ts";

const WIDTH = 760;
const LABELS_WIDTH = 210;
const VALUES_WIDTH = 90;
const BARS_WIDTH = WIDTH - LABELS_WIDTH - VALUES_WIDTH;
const PADDING = 16;
const TITLE_HEIGHT = 34;
const BAR_STEP = 26;
const BAR_HEIGHT = 16;
const AXIS_HEIGHT = 40;
const TICKS = 4;
/** Rows of this server are highlighted. */
const OURS = /^(node|workerd)/;

const STYLE = `
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a; }
  .title { font-size: 14px; font-weight: 600; fill: #1f2328; }
  .label, .value { fill: #1f2328; }
  .value { font-variant-numeric: tabular-nums; font-weight: 600; }
  .grid { stroke: #d8dee4; stroke-width: 1; }
  .bar { fill: #afb8c1; }
  .ours { fill: #e8710a; }
  .spread { stroke: #1f2328; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1; }
    .title, .label, .value { fill: #f0f6fc; }
    .grid { stroke: #30363d; }
    .bar { fill: #59636e; }
    .ours { fill: #f28b30; }
    .spread { stroke: #f0f6fc; }
  }
`;

/** @returns the SVG; `undefined` when none of the sections has figures. */
export function plotSections(title: string, sections: readonly Section[]): string | undefined {
  let top = PADDING;
  const panels = sections.flatMap((section) => {
    if (section.figures === undefined) return [];
    const panel = formatPanel(section.title, section.figures, top);
    top += panelHeight(section.figures);
    return [panel];
  });
  if (panels.length === 0) return undefined;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${STYLE}</style>`,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

function panelHeight({ values }: Figures): number {
  return TITLE_HEIGHT + values.size * BAR_STEP + AXIS_HEIGHT;
}

function formatPanel(title: string, { unit, better, values }: Figures, top: number): string {
  const rows = [...values].map(([name, of]) => ({ name, ...spreadOf(of) }));
  const step = niceStep(Math.max(...rows.map(({ max }) => max)) / TICKS);
  const last = step * Math.max(1, Math.ceil(Math.max(...rows.map(({ max }) => max)) / step));
  const xOf = (value: number): number => LABELS_WIDTH + (value / last) * BARS_WIDTH;
  const [barsTop, bottom] = [top + TITLE_HEIGHT, top + TITLE_HEIGHT + rows.length * BAR_STEP];
  const ticks = Array.from({ length: Math.round(last / step) + 1 }, (_, index) => index * step);
  return [
    `<text class="title" x="${PADDING}" y="${top + 16}">${escapeXml(title)}</text>`,
    ...ticks.map((tick) => {
      const x = round(xOf(tick));
      const line = `<line class="grid" x1="${x}" x2="${x}" y1="${barsTop - 4}" y2="${bottom}"/>`;
      return `${line}<text x="${x}" y="${bottom + 16}" text-anchor="middle">${escapeXml(formatTick(tick))}</text>`;
    }),
    `<text x="${WIDTH - PADDING}" y="${top + 16}" text-anchor="end">${escapeXml(unit)}, ${better} is better</text>`,
    ...rows.map((row, index) => formatRow(row, xOf, barsTop + index * BAR_STEP)),
  ].join("\n");
}

type Row = { readonly name: string; readonly median: number; readonly min: number; readonly max: number };

function formatRow({ name, median, min, max }: Row, xOf: (value: number) => number, top: number): string {
  const middle = top + BAR_STEP / 2;
  const kind = OURS.test(name) ? "bar ours" : "bar";
  const [from, to] = [round(xOf(min)), round(xOf(max))];
  const spread = from === to ? "" : `<line class="spread" x1="${from}" x2="${to}" y1="${middle}" y2="${middle}"/>`;
  return [
    `<text class="label" x="${LABELS_WIDTH - 10}" y="${middle + 4}" text-anchor="end">${escapeXml(name)}</text>`,
    `<rect class="${kind}" x="${LABELS_WIDTH}" y="${middle - BAR_HEIGHT / 2}" width="${round(Math.max(1, xOf(median) - LABELS_WIDTH))}" height="${BAR_HEIGHT}" rx="3"/>`,
    spread,
    `<text class="value" x="${Math.max(to, round(xOf(median))) + 8}" y="${middle + 4}">${formatValue(median)}</text>`,
  ].join("");
}

/** The next of 1, 2, 2.5 and 5 times a power of ten. */
function niceStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(atLeast, 1e-6)));
  return power * ([1, 2, 2.5, 5].find((factor) => factor * power >= atLeast) ?? 10);
}

function formatTick(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

function formatValue(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
