/** @file What an adapter does to its base model, as a page that works offline, a table, and rows for other programs. */
import type { AdapterLook, MapLook } from "../../training/export/look_at_adapter.ts";
import { formatCount } from "./format.ts";
import { lines, Markup, markup } from "./markup.ts";
import { style } from "./page/style.ts";
import type { VegaLiteSpec } from "./drawing/lay_out.ts";
import { renderSvg } from "./render.ts";
import type { Table } from "./table.ts";

/** One row a kind of map: means over layers. */
export function kindsTable({ maps }: AdapterLook): Table {
  const kinds = [...Map.groupBy(maps, ({ kind }) => kind)];
  return {
    title: "Kinds of map",
    note: "Means over layers: see the list of maps for each.",
    columns: columnsOf(maps, "Kind", "Maps"),
    rows: kinds.map((
      [kind, own],
    ) => [kind, String(own.length), ...numbersOf(maps, (of) => meanOf(own.map(of)))]),
  };
}

/** One row a map. */
export function mapsTable({ maps }: AdapterLook): Table {
  return {
    title: "Maps",
    note: "Each linear map that the adapter changes.",
    columns: columnsOf(maps, "Map", "Layer"),
    rows: maps.map((
      map,
    ) => [map.path, map.layer === null ? "—" : String(map.layer), ...numbersOf(maps, (of) => of(map))]),
  };
}

/** The numbers of a map, with what they are called. */
const NUMBERS: readonly (readonly [title: string, of: (map: MapLook) => number | null, digits: number])[] = [
  ["Rank", ({ rank }) => rank, 4],
  ["Used", ({ used }) => used, 4],
  ["Effective rank", ({ effectiveRank }) => effectiveRank, 4],
  ["Norm", ({ norm }) => norm, 3],
  ["Norm / base", ({ relativeNorm }) => relativeNorm, 3],
  ["Intruders of 10", ({ intruders }) => intruders, 3],
];
const TO_RUN: typeof NUMBERS = [
  ["Cosine to run", ({ toRun }) => toRun?.cosine ?? null, 3],
  ["Distance / run", ({ toRun }) => toRun?.distance ?? null, 3],
];

function numbersFor(maps: readonly MapLook[]): typeof NUMBERS {
  return maps.some(({ toRun }) => toRun) ? [...NUMBERS, ...TO_RUN] : NUMBERS;
}

function columnsOf(maps: readonly MapLook[], ...first: readonly string[]): string[] {
  return [...first, ...numbersFor(maps).map(([title]) => title)];
}

function numbersOf(
  maps: readonly MapLook[],
  value: (of: (map: MapLook) => number | null) => number | null,
): string[] {
  return numbersFor(maps).map(([, of, digits]) => {
    const number = value(of);
    return number === null ? "—" : String(Number(number.toPrecision(digits)));
  });
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** All that was found, without the adapter's own numbers: these are in its file, and may be millions. */
export function adapterJson({ adapter: { name, base, method }, ...found }: AdapterLook): string {
  return JSON.stringify({ adapter: { name, base, method }, ...found });
}

/** The sentences that the page and the terminal begin with. */
export function describeAdapter({ adapter, model, maps, whole, count }: AdapterLook): string[] {
  const largest = maps.reduce((most, map) => map.relativeNorm > most.relativeNorm ? map : most);
  const intruders = maps.flatMap(({ intruders }) => intruders ?? []),
    strange = intruders.filter((one) => one > 0).length;
  const spread = meanOf(maps.map(({ effectiveRank }) => effectiveRank)),
    rank = meanOf(maps.map(({ rank }) => rank))!;
  const compared = maps.flatMap(({ toRun }) => toRun ? [toRun] : []);
  return [
    `${adapter.name} is a ${adapter.method} adapter of ${
      count.toLocaleString("en-US")
    } numbers beside ${model}: it changes ${formatCount(maps.length, "linear map")}${
      whole.length > 0 ? ` and replaces ${whole.join(", ")}` : ""
    }.`,
    largest.norm === 0
      ? "It leaves all of them as they are: a factor of each is 0, as an adapter that was not trained has it."
      : `The change is largest, beside the base weight, at ${largest.path}: ${
        (100 * largest.relativeNorm).toPrecision(3)
      }% of its norm.`,
    ...spread === null ? [] : [
      `Of a mean rank of ${rank.toPrecision(3)} the changes are spread over ${
        spread.toPrecision(3)
      } directions (effective rank).`,
    ],
    intruders.length === 0
      ? "Intruder dimensions were not counted: a side of each weight is longer than 512."
      : `Intruder dimensions, directions that the base weight has not, are among the first 10 of ${strange} of ${intruders.length} weights.`,
    ...compared.length === 0 ? [] : [
      `Beside the run's own change, the mean cosine is ${
        meanOf(compared.map(({ cosine }) => cosine))!.toPrecision(3)
      }.`,
    ],
  ];
}

/** Charts by id, with title and caption. */
export function adapterCharts(look: AdapterLook): readonly {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly spec: VegaLiteSpec;
}[] {
  const rows = look.maps.map((map) => ({ ...map, singularValues: null, layer: map.layer ?? 0 }));
  // Maps of one kind in several places of a block, as T5's, are points of their own.
  const isOne = new Set(rows.map(({ layer, kind }) => `${layer} ${kind}`)).size === rows.length;
  const byLayer = (field: string, title: string): VegaLiteSpec => ({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width: 560,
    height: 260,
    data: { values: rows.filter((row) => row[field as keyof typeof row] !== null) },
    mark: isOne ? { type: "line", point: true } : { type: "point", filled: true },
    encoding: {
      x: { field: "layer", type: "quantitative", title: "Layer", axis: { tickMinStep: 1, format: "d" } },
      y: { field, type: "quantitative", title },
      color: { field: "kind", type: "nominal", title: "Map" },
    },
  } as unknown as VegaLiteSpec);
  const spectra = look.maps.flatMap(({ path, kind, singularValues }) =>
    (singularValues ?? []).flatMap((value, i) => value > 0 ? [{ path, kind, place: i + 1, value }] : [])
  );
  return [
    {
      id: "norm-by-layer",
      title: "How much does the adapter change each weight?",
      caption: "Frobenius norm of the change over that of the base weight, by layer.",
      spec: byLayer("relativeNorm", "Norm of the change / norm of the weight"),
    },
    ...spectra.length === 0 ? [] : [{
      id: "singular-values",
      title: "Over how many directions is each change spread?",
      caption: "Singular values of each change in their order, on a logarithmic axis; a line for each map.",
      spec: {
        $schema: "https://vega.github.io/schema/vega-lite/v6.json",
        width: 560,
        height: 260,
        data: { values: spectra },
        mark: { type: "line", strokeWidth: 1, opacity: 0.7 },
        encoding: {
          x: { field: "place", type: "quantitative", title: "Place", axis: { tickMinStep: 1, format: "d" } },
          y: { field: "value", type: "quantitative", title: "Singular value", scale: { type: "log" } },
          color: { field: "kind", type: "nominal", title: "Map" },
          detail: { field: "path", type: "nominal" },
        },
      } as unknown as VegaLiteSpec,
    }],
    ...rows.every(({ intruders }) => (intruders ?? 0) === 0) ? [] : [{
      id: "intruders-by-layer",
      title: "Where are directions that the base weight has not?",
      caption:
        "Of the tuned weight's first 10 left singular vectors, those whose cosine with every one of the base weight's is below 0.5: " +
        "intruder dimensions (Shuttleworth et al., arXiv 2410.21228), by layer.",
      spec: byLayer("intruders", "Intruder dimensions"),
    }],
  ];
}

/** The page, and its charts' specifications by file name. */
export async function adapterPage(look: AdapterLook): Promise<ReadonlyMap<string, string>> {
  const charts = adapterCharts(look);
  const svgs = await Promise.all(charts.map(({ id, spec }) => renderSvg(spec, id)));
  const tables = [kindsTable(look), mapsTable(look)];
  const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${look.adapter.name}</title>
<style>${Markup.asIs(style)}</style>
</head>
<body>
<div class="page">
<aside class="side" aria-label="Contents">
<nav aria-label="Parts of this page"><ol>
${
    lines(
      [["answer", "What was found"], ["kinds", "Kinds of map"], ["charts", "Charts"], ["maps", "Maps"]].map(
        ([id, title]) => markup`<li><a href="#${id!}">${title!}</a></li>`,
      ),
    )
  }
</ol></nav>
</aside>
<main>
<p class="eyebrow">An adapter beside ${look.model}</p>
<h1>What does ${look.adapter.name.split("/").filter((part) => part !== "").slice(-2).join("/")} change?</h1>
<section class="answer" id="answer" aria-labelledby="answer-title">
<h2 id="answer-title">What was found</h2>
${lines(describeAdapter(look).map((sentence) => markup`<p>${sentence}</p>`))}
</section>
${table(tables[0]!, "kinds")}
<h2 id="charts">Charts</h2>
${
    lines(charts.map(({ title, caption }, i) =>
      markup`<figure><div role="img" aria-label="Chart: ${title}">${Markup.asIs(svgs[i]!)}</div>
<figcaption><strong>${title}</strong> ${caption}</figcaption></figure>`
    ))
  }
${table(tables[1]!, "maps")}
</main>
</div>
</body>
</html>
`.text;
  const specs = charts.map(({ id, spec }) =>
    [`${id}.vl.json`, `${JSON.stringify(spec, null, 1)}\n`] as const
  );
  return new Map([["index.html", page], ["maps.csv", toCsv(tables[1]!)], ...specs]);
}

function table({ title, note, columns, rows }: Table, id: string): Markup {
  return markup`<h3 id="${id}">${title}</h3>
<p class="note">${note}</p>
<div class="scroll" role="region" aria-label="${title}"><table>
<thead><tr>${columns.map((column) => markup`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>
${lines(rows.map((row) => markup`<tr>${row.map((cell) => markup`<td>${cell}</td>`)}</tr>`))}
</tbody>
</table></div>`;
}

function toCsv({ columns, rows }: Table): string {
  const line = (cells: readonly string[]) =>
    cells.map((cell) => cell === "—" ? "" : /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
      .join(",");
  return [columns, ...rows].map((row) => `${line(row)}\r\n`).join("");
}
