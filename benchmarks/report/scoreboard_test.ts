import { assert, assertEquals } from "@std/assert";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { build, made, rowsOf } from "../../tests/support/fakes/reports.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { mean } from "../statistics/statistics.ts";
import { axisOf } from "./bar.ts";
import { forestOfSettled } from "./forest.ts";
import { formatDifference, formatNumber } from "./format.ts";
import { scoreboardTable } from "./scoreboard.ts";

const report = build(await made({ ...fakeSweep, seeds: [0, 1, 2, 3, 4] })), board = report.scoreboard!;

Deno.test("scoreboardOf() has the scores and gaps of the report's own tables, baselines first, then the best", () => {
  const scores = rowsOf(report, "Scores"), comparisons = rowsOf(report, "Comparisons");
  const trained = board.rows.filter(({ method }) => report.methods.some(({ label }) => label === method));
  assertEquals(trained.length, 7);
  for (const { method, rank, scores: own } of trained) {
    for (const [i, { title }] of board.tasks.entries()) {
      const isHere = (row: readonly string[], place: number) =>
        row[0] === title && row[1] === (rank === null ? "—" : String(rank)) && row[place] === method;
      assertEquals(formatNumber(own[i]!.value), scores.find((row) => isHere(row, 2))![4]);
      const gap = comparisons.find((row) => isHere(row, 2) && row[3] === "Full fine-tuning");
      assertEquals(own[i]!.gap === null ? undefined : formatDifference(own[i]!.gap), gap?.[4]);
      assertEquals(own[i]!.isGapShown, gap !== undefined && /^(better|worse)/.test(gap.at(-1)!));
    }
  }
  const pinned = trained.filter(({ isPinned }) => isPinned),
    others = trained.filter(({ isPinned }) => !isPinned);
  assertEquals(new Set(pinned.map(({ method }) => method)), new Set(["Full fine-tuning", "LoRA"]));
  assertEquals(trained, [...pinned, ...others]);
  assertEquals(others.map(({ mean }) => mean), others.map(({ mean }) => mean).toSorted((a, b) => b! - a!));
});

Deno.test("scoreboardOf() marks the highest of each task and rank, and nothing where too few seeds were run", async () => {
  let apart = 0;
  for (const [i] of board.tasks.entries()) {
    for (const rank of [2, 8]) {
      const here = board.rows.filter((row) => row.rank === rank || row.method === "Full fine-tuning")
        .map(({ scores }) => scores[i]!);
      const highest = here.toSorted((a, b) => b.value - a.value)[0]!;
      assert(highest.isBest);
      apart += here.filter(({ isBest }) => !isBest).length;
    }
  }
  assert(apart > 0, "nothing is told apart");
  const few = build(await made()).scoreboard!;
  assertEquals(few.isJudged, false);
  assert(few.rows.every(({ scores }) => scores.every((score) => !score?.isBest)));
});

Deno.test("scoreboardTable() says the same in text", () => {
  const { columns, rows } = scoreboardTable(board);
  assertEquals(columns, ["Method", "Rank", "Mean", "Word problems (arithmetic)", "Shifted digits (digits)"]);
  const best = board.rows.find(({ scores }) => scores[0]?.isBest)!;
  assert(
    rows.some((row) =>
      row[0] === best.method && row[3]!.startsWith(`**${formatNumber(best.scores[0]!.value)}**`)
    ),
  );
});

Deno.test("forestOf() has every comparison of the table once, each baseline in a column, and baselines first", () => {
  const forest = report.forest!, comparisons = rowsOf(report, "Comparisons");
  assertEquals(forest.baselines, ["LoRA", "Full fine-tuning"]);
  assertEquals(forest.groups.map(({ title }) => title), [
    "Shifted digits, rank 2",
    "Shifted digits, rank 8",
    "Word problems, rank 2",
    "Word problems, rank 8",
  ]);
  const drawn = forest.groups.flatMap(({ title, rows }) =>
    rows.flatMap(({ method, bars }) =>
      bars.flatMap((bar, i) =>
        bar
          ? [[
            title,
            method,
            forest.baselines[i],
            formatDifference(bar.mean),
            bar.told,
            `${bar.wins} of ${bar.of}`,
          ]]
          : []
      )
    )
  );
  const told = comparisons.map((
    row,
  ) => [`${row[0]}, rank ${row[1]}`, row[2], row[3], row[4], row.at(-1), row[7]]);
  assertEquals(drawn.map(String).toSorted(), told.map(String).toSorted());
  for (const { rows } of forest.groups) assertEquals(rows[0]!.method, "LoRA");
});

Deno.test("axisOf() holds all means and the margin, and cuts an interval that is far longer", () => {
  const bar = (mean: number, half: number) => ({
    mean,
    interval: { low: mean - half, high: mean + half },
    verdict: "undecided" as const,
  });
  const near = axisOf([bar(0.1, 0.05), bar(-0.02, 0.01)], 0.02);
  assert(near.low < -0.03 && near.high > 0.15 && near.high < 0.2, JSON.stringify(near));
  const far = axisOf([bar(0.1, 5)], 0.02);
  assert(far.low > -0.3 && far.low < -0.1 && far.high > 0.1 && far.high < 0.3, JSON.stringify(far));
  const none = axisOf([bar(0, 0)], 0.02);
  assert(none.low < -0.02 && none.high > 0.02, JSON.stringify(none));
});

Deno.test("scoreboardOf() cuts intervals at 0 and 1, beyond which no score lies", async () => {
  const { plan, stored } = await made({ ...fakeSweep, seeds: [0, 1] }, async (config) => {
    const result = await fakeDone(config), share = config.seed === 0 ? 1 : 0.6;
    const scores = result.outcome.scores.map((_, i, { length }) => i < share * length ? 1 : 0);
    return { ...result, outcome: { ...result.outcome, scores, score: mean(scores) } };
  });
  const intervals = build({ plan, stored }).scoreboard!.rows.flatMap(({ scores }) =>
    scores.flatMap((score) => score?.interval ?? [])
  );
  assert(intervals.length > 4);
  assert(intervals.every(({ low, high }) => low >= 0 && high === 1), JSON.stringify(intervals));
});

Deno.test("forestOfSettled() has the best of the settled methods first", () => {
  const pair = (of: string, difference: number) => ({
    ...{ task: "digits", title: "Digits", rank: 8, of, against: "LoRA", difference, interval: null },
    ...{ verdict: "undecided", margin: 0.05, wins: 3, pairs: 4 } as const,
  });
  const forest = forestOfSettled([pair("DoRA", 0.01), pair("AltLoRA", -0.3), pair("LoRA-GA", 0.1)])!;
  assertEquals(forest.groups[0]!.rows.map(({ method }) => method), ["LoRA-GA", "DoRA", "AltLoRA"]);
  // What is varied makes other places of the same task and rank.
  const varied = [8, 128].map((size) => ({ ...pair("DoRA", size), title: `Digits, batch size ${size}` }));
  const { groups } = forestOfSettled(varied)!;
  assertEquals(groups.map(({ title, rows }) => [title, rows[0]!.bars[0]!.mean]), [
    ["Digits, batch size 8, rank 8", 8],
    ["Digits, batch size 128, rank 8", 128],
  ]);
});
