/** @file `./run claims`: tests published claims, each by a question that is settled in a folder of its own. */
import { writeWhole } from "../../../files/write_file.ts";
import { chooseClaims, type Claim } from "../../claims/claim.ts";
import { tableOf, withTable } from "../../claims/claims_table.ts";
import { priceOf, settleClaim } from "../../claims/settle_claim.ts";
import { formatDuration } from "../../cost/estimate.ts";
import { readVerdict } from "../../study/verdict_file.ts";
import { asTyped, readCheckpointEvery, readRole } from "../arguments.ts";
import type { CommandDeps } from "../command_deps.ts";
import { readArguments } from "../commands.ts";
import { endWhilePlanning, listenForStop } from "../stop.ts";

/** The page that the table stands in. */
const RESULTS = "docs/results.md";

export async function claimsCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, flags, positional } = readArguments("claims", args);
  const isJson = flags.has("json"), role = readRole(flags, texts);
  const checkpointEveryMs = readCheckpointEvery(texts.get("checkpoint-every"));
  const all = texts.get("out") ?? "results/claims", outOf = ({ name }: Claim) => `${all}/${name}`;
  const claims = await chooseClaims(positional);
  if (flags.has("table")) {
    const rows = await Promise.all(
      claims.map(async (claim) => [claim, await readVerdict(outOf(claim))] as const),
    );
    await writeWhole(RESULTS, withTable(await Deno.readTextFile(RESULTS), tableOf(rows)));
    deps.print(`Wrote the table of ${rows.length} claims into ${RESULTS}: deno fmt lays it out`);
    return 0;
  }
  const registries = await deps.registries();
  const screen = deps.display(isJson || flags.has("dry-run") ? "stderr" : "stdout");
  using _planning = endWhilePlanning(screen.say);
  try {
    if (flags.has("dry-run")) return await tellPrices(claims, outOf, registries, isJson, deps);
    const told: unknown[] = [];
    for (const claim of claims) {
      screen.say(`${claim.name}: ${claim.says}`);
      using interruption = listenForStop(screen.say);
      const { settled, verdict } = await settleClaim(
        claim,
        outOf(claim),
        asTyped("claims", args),
        registries,
        {
          role,
          deps: await deps.runDeps(screen.say, registries),
          display: screen,
          signal: interruption.signal,
          checkpointEveryMs,
          say: screen.say,
        },
      );
      if (settled.interrupted) {
        deps.complain(`Stopped: the same command goes on from what is stored in ${all}`);
        return interruption.exitCode();
      }
      const [failed] = settled.failed;
      if (failed?.status === "failed") {
        deps.complain(`${claim.name}: a run failed, the same command makes it again: ${failed.error}`);
        return 1;
      }
      if (verdict === null) continue;
      const { outcome, line } = verdict;
      told.push({ claim: claim.name, source: claim.source, out: outOf(claim), outcome, line });
      if (!isJson) deps.print(`${claim.name}: ${line}`);
    }
    if (isJson) deps.print(JSON.stringify(told));
    return 0;
  } finally {
    screen.end();
  }
}

async function tellPrices(
  claims: readonly Claim[],
  outOf: (claim: Claim) => string,
  registries: Awaited<ReturnType<CommandDeps["registries"]>>,
  isJson: boolean,
  deps: CommandDeps,
): Promise<number> {
  const prices = [];
  for (const claim of claims) {
    const price = await priceOf(claim, outOf(claim), registries);
    prices.push({ claim: claim.name, ...price });
    const time = price.ms === null
      ? "nobody knows how long"
      : `about ${formatDuration(price.ms)} in one process`;
    if (!isJson) deps.print(`${claim.name}: at most ${price.runs} runs, ${time}`);
  }
  const known = prices.every(({ ms }) => ms !== null);
  if (isJson) deps.print(JSON.stringify(prices));
  else if (known) {
    deps.print(
      `All: about ${formatDuration(prices.reduce((sum, { ms }) => sum + ms!, 0))}; --jobs shares them`,
    );
  }
  return 0;
}
