/** @file A report for a paper in LaTeX: its tables, a paragraph of settings, and a bibliography of its methods. */
import type { Paper } from "../../../optimizers/optimizer.ts";
import type { Registries } from "../../../training/configuration.ts";
import type { RunConfig } from "../../../training/run.ts";
import { FOREST } from "../drawing/forest_svg.ts";
import { formatWhole } from "../format.ts";
import type { Report } from "../report.ts";
import { escapeTex, tableToTex } from "./tex.ts";

/** Columns and notes of the tables of single scores, of verdicts and of costs: what a paper has room for. */
const SCORES = ["Task", "Rank", "Method", "Learning rate", "Score", "95% interval", "Seeds", "Examples"];
const SCORES_NOTE =
  "Mean over seeds of the mean over examples, with its 95% interval for new seeds and new examples, and where " +
  "there is one seed for new examples alone. “edge” marks a learning rate at the edge of the grid that it was chosen from.";
const VERDICTS = [
  "Task",
  "Rank",
  "Method",
  "against",
  "Difference",
  "95% interval",
  "Wins",
  "p, Holm",
  "Seeds",
  "Verdict",
];
const VERDICTS_NOTE =
  "Difference of scores on the same examples and seeds, with its 95% interval, which is not corrected. p and " +
  "the verdict are corrected (Holm) for all comparisons with the same other method on the same task. Wins are the seeds on " +
  "which the method scores higher.";
const OVER_TASKS = "Over all tasks";
const POOLED = [
  "Rank",
  "Method",
  "against",
  "Difference",
  "95% interval",
  "Wins",
  "p, Holm",
  "Tasks",
  "Seeds",
  "Verdict",
];
const POOLED_NOTE =
  "Mean over tasks of the differences of scores, a task being one observation, with its 95% interval (Student's t over " +
  "tasks), which is not corrected. p and the verdict are corrected (Holm) for all comparisons with the same other method. " +
  "Wins are the tasks on which the method scores higher.";
const COSTS = ["Task", "Rank", "Method", "Trained parameters", "State", "Peak", "Step, ms", "Step / LoRA's"];
const COSTS_NOTE =
  "Medians over seeds. State is what the method keeps between steps besides the trained parameters; peak is the " +
  "most that was alive on the GPU at once while a run trained; the time of a step is without telemetry.";

/**
 * The files by name: `scores.tex` (methods by tasks, then each score with its interval), `verdicts.tex`, `costs.tex`,
 * `settings.tex`, `methods.bib`, and `paper.tex`, which holds them all and compiles by itself. Their numbers are those of the
 * report's tables. A report without scores, or without costs, lacks these files.
 */
export function toLatex(report: Report, registries: Registries): ReadonlyMap<string, string> {
  const tableOf = (title: string) => report.tables.find((table) => table.title === title);
  const [scores, verdicts, costs] = ["Scores", "Comparisons", "Costs"].map(tableOf);
  const pooled = tableOf(OVER_TASKS);
  const scoresAt = scores ? report.tables.indexOf(scores) : 0;
  const files = new Map<string, string>();
  if (scores) {
    files.set(
      "scores.tex",
      [
        // Methods by tasks: a table for each kind of task stands before the table of single scores.
        ...report.tables.slice(0, scoresAt).filter(({ title }) => title !== OVER_TASKS).map((table, i) =>
          tableToTex(table, { label: `tab:scores-${i + 1}` })
        ),
        tableToTex(scores, { label: "tab:scores", columns: SCORES, note: SCORES_NOTE }),
      ].join("\n"),
    );
  }
  if (verdicts) {
    files.set(
      "verdicts.tex",
      [
        ...report.predicted ? [tableToTex(report.predicted, { label: "tab:predicted" })] : [],
        ...pooled ? [tableToTex(pooled, { label: "tab:pooled", columns: POOLED, note: POOLED_NOTE })] : [],
        tableToTex(verdicts, { label: "tab:verdicts", columns: VERDICTS, note: VERDICTS_NOTE }),
      ].join("\n"),
    );
  }
  if (costs) {
    files.set("costs.tex", tableToTex(costs, { label: "tab:costs", columns: COSTS, note: COSTS_NOTE }));
  }
  const cited = citationsOf(report, registries);
  files.set("settings.tex", settingsOf(report, cited, registries.tasks));
  files.set("methods.bib", toBibtex(cited));
  files.set("paper.tex", wholeOf(report, [...files.keys()].filter((name) => name.endsWith(".tex"))));
  return files;
}

/** A method of a report, and how it is cited. */
interface Citation {
  readonly optimizer: string;
  readonly title: string;
  readonly key: string;
  readonly source: string;
  readonly paper: Paper | null;
}

function citationsOf({ methods }: Report, { optimizers, described }: Registries): Citation[] {
  return [...new Set(methods.map(({ optimizer }) => optimizer))].flatMap((id) => {
    // A method that the registry no longer knows is told by its id, and can't be cited.
    const isIt = (module: { readonly id: string }) => module.id === id;
    const found = Object.values(optimizers).find(isIt) ?? described?.methods.find(isIt);
    if (!found) return [];
    const { title, source, paper = null } = found;
    return [{ optimizer: id, title, source, paper, key: paper ? keyOf(paper) : id }];
  });
}

/** "wang2024lorapro": the first author's family name, the year and the title's first word. */
function keyOf({ title, authors, year }: Paper): string {
  const plain = (text: string) => text.normalize("NFD").toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const family = authors[0]?.split(" ").at(-1) ?? "";
  // The first word that is not an article.
  const word = title.split(/[\s:]+/).find((one) => !/^(a|an|the)$/i.test(one)) ?? "";
  return `${plain(family)}${year}${plain(word)}`;
}

/** One entry for each paper, and for each method without one. */
function toBibtex(cited: readonly Citation[]): string {
  const entries = new Map(cited.map(({ key, title, source, paper }) => {
    const arxiv = /arxiv\.org\/abs\/(\d+\.\d+)/.exec(source)?.[1];
    const fields: [string, string][] = [
      // Braces keep capitals as they are.
      ["title", `{${escapeTex(paper?.title ?? title)}}`],
      ...paper
        ? [["author", paper.authors.map(escapeTex).join(" and ")], ["year", String(paper.year)]] as const
        : [],
      ...arxiv === undefined
        ? []
        : [["eprint", arxiv], ["archivePrefix", "arXiv"], ["note", `arXiv:${arxiv}`]] as const,
      ["url", source],
    ].map(([name, value]) => [name!, value!]);
    const lines = fields.map(([name, value]) => `  ${name} = {${value}},`);
    return [key, [`@misc{${key},`, ...lines, "}"].join("\n")];
  }));
  return `${[...entries.values()].join("\n\n")}\n`;
}

/** A paragraph that says how the runs were made, from their configs alone. */
function settingsOf(report: Report, cited: readonly Citation[], tasks: Registries["tasks"]): string {
  const configs = report.runs.map(({ config }) => config);
  const all = <T>(read: (config: RunConfig) => T) => [...new Set(configs.map(read))];
  const list = (parts: readonly string[]) => parts.join(", ");
  const methods = report.methods.map(({ optimizer, label }) => {
    const found = cited.find((one) => one.optimizer === optimizer);
    return `${escapeTex(label)}${found ? `~\\cite{${found.key}}` : ""}`;
  });
  const ranks = all(({ optimizer }) => optimizer.options["rank"]).filter((rank) => typeof rank === "number");
  const seeds = all(({ seed }) => seed).sort((a, b) => a - b);
  const perTask = [...Map.groupBy(configs, ({ task, model }) => JSON.stringify([task.id, model.id])).values()]
    .map((own) => describeTask(own, tasks));
  const environment = new Map(report.environment);
  const made = [
    ["Adapter", (value: string) => `on ${value}`],
    ["Deno", (value: string) => `with Deno ${value}`],
    ["Commit", (value: string) => `commit ${value.replaceAll(/\b([0-9a-f]{12})[0-9a-f]{28}\b/g, "$1")}`],
    ["Runs made", (value: string) => value],
  ] as const;
  const how = made.flatMap(([name, write]) => environment.has(name) ? write(environment.get(name)!) : []);
  return [
    "% How the runs were made. Learning rates are in scores.tex.",
    `\\paragraph{Settings.} We compare ${list(methods)}${
      ranks.length > 0 ? `, at rank ${formatList(ranks.sort((a, b) => a - b).map(String))}` : ""
    }. All methods see the same batches in the same order; ${
      seeds.length === 1 ? "the seed is" : `the ${seeds.length} seeds are`
    } ${formatList(seeds.map(String))}.`,
    ...perTask,
    `${report.runs.filter(({ status }) => status === "done").length} of ${report.runs.length} runs finished${
      how.length > 0 ? `, ${escapeTex(how.join(", "))}` : ""
    }.`,
    "",
  ].join("\n");
}

/** What the runs of a task share, a sentence or two. */
function describeTask(configs: readonly RunConfig[], tasks: Registries["tasks"]): string {
  const all = <T>(read: (config: RunConfig) => T) => [...new Set(configs.map(read))];
  const numbers = (read: (config: RunConfig) => number) => formatWhole(all(read));
  const { task, model } = configs[0]!;
  const title = Object.values(tasks).find(({ id }) => id === task.id)?.title ?? task.id;
  const schedules = all(({ schedule: { kind, warmup, floor } }) =>
    `${
      kind === "constant"
        ? "a constant learning rate"
        : `a ${kind} schedule to ${floor === 0 ? "0" : `${floor} of the peak`}`
    }` +
    (warmup > 0 ? ` after ${warmup} steps of warm-up` : "")
  );
  const clips = all(({ clip }) => clip === 0 ? "unclipped gradients" : `gradients clipped at norm ${clip}`);
  const targetModules = all(({ targetModules }) => targetModules.join(", "));
  const alsoTrain = all(({ alsoTrain = [] }) => alsoTrain.join(", ")).filter((one) => one !== "");
  return `On ${escapeTex(title)} (\\texttt{${escapeTex(task.id)}}), the model \\texttt{${
    escapeTex(model.id)
  }} is trained for ${numbers(({ steps }) => steps)} steps of ${
    numbers(({ batchSize }) => batchSize)
  } examples with ${escapeTex([...schedules, ...clips].join(", "))}, adapting ${
    targetModules.join() === "*"
      ? "all linear maps"
      : `the linear maps \\texttt{${escapeTex(targetModules.join("; "))}}`
  }${
    alsoTrain.length === 0 ? "" : ` and training \\texttt{${escapeTex(alsoTrain.join("; "))}} themselves`
  }; ${numbers(({ task }) => task.trainExamples)} examples are to train on, ${
    numbers(({ task }) => task.validationExamples)
  } to validate with, and scores are on ${
    configs.every(({ scoreOn }) => scoreOn === "test")
      ? `${numbers(({ task }) => task.testExamples)} test examples`
      : "validation examples"
  }.`;
}

/** "0, 1 and 2"; of many the first and the last. */
function formatList(parts: readonly string[]): string {
  if (parts.length > 12) return `${parts[0]} to ${parts.at(-1)}`;
  return parts.length === 1 ? parts[0]! : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** So many pictures, the report's first, are in the document where `--export pdf` was asked for too. */
const FIGURES = 4;

/** A document with everything in it. */
function wholeOf({ name, question, headline, forest, charts }: Report, names: readonly string[]): string {
  const { claim } = headline;
  const figures = [
    ...forest ? [{ id: FOREST, title: forest.title }] : [],
    ...charts.map(({ chart: { id, title } }) => ({ id, title })),
  ];
  return [
    "% pdflatex paper && bibtex paper && pdflatex paper && pdflatex paper",
    "\\documentclass{article}",
    "\\usepackage[T1]{fontenc}",
    "\\IfFileExists{lmodern.sty}{\\usepackage{lmodern}}{}",
    "\\usepackage[margin=2.5cm]{geometry}",
    "\\usepackage{amsmath,booktabs,graphicx,longtable,textcomp,url}",
    `\\title{${escapeTex(question)}}`,
    `\\author{Sweep \\texttt{${escapeTex(name)}}}`,
    "\\date{}",
    "\\begin{document}",
    "\\maketitle",
    `${escapeTex([headline.verdict, ...claim ? [claim.said, claim.unlike] : [], headline.what].join(" "))}\n`,
    ...names.includes("settings.tex") ? ["\\input{settings.tex}"] : [],
    ...names.filter((one) => one !== "settings.tex").map((one) => `\\input{${one}}`),
    ...figures.slice(0, FIGURES).flatMap(({ id, title }) => [
      `\\IfFileExists{../../charts/${id}.pdf}{\\begin{figure}[tp]\\centering`,
      `\\includegraphics[width=\\linewidth]{../../charts/${id}.pdf}`,
      `\\caption{${escapeTex(title)}}\\label{fig:${id}}\\end{figure}}{}`,
    ]),
    "\\bibliographystyle{plain}",
    "\\bibliography{methods}",
    "\\end{document}",
    "",
  ].join("\n");
}
