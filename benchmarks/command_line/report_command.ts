/** @file `./run report`. */
import { readExports, readGpu, readMargin } from "./arguments.ts";
import { withEntries } from "./bench.ts";
import { readArguments } from "./commands.ts";
import { readPeftRuns } from "../report/exports/from_peft.ts";
import { writeReport } from "../report/write.ts";
import { UserError } from "../../errors/user_error.ts";
import type { CommandDeps } from "./command_deps.ts";
import { printAnswer, tell } from "./printing.ts";

export async function reportCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, paths, flags } = readArguments("report", args);
  const out = texts.get("out");
  if (out === undefined) {
    throw new UserError("Cannot report: --out DIR is needed, the folder that bench wrote to");
  }
  const gpu = readGpu(texts), margin = readMargin(texts), exports = readExports(texts.get("export"));
  const peft = paths.get("with-peft"), against = texts.get("against"), site = readSite(texts.get("site"));
  const wishes = {
    ...gpu && { gpu },
    ...margin !== undefined && { margin },
    ...peft && { peft: await readPeftRuns(peft) },
    ...against !== undefined && { against },
    ...site !== undefined && { site },
    exports,
  };
  const screen = deps.display("stderr");
  screen.stage("Making the report");
  const { report, page, faults } = await withEntries(paths.get("with") ?? [], await deps.registries())
    .then((registries) => writeReport(out, registries, wishes))
    .finally(() => screen.end());
  for (const fault of faults) deps.complain(fault);
  if (flags.has("json")) {
    deps.print(
      JSON.stringify({
        out,
        report: page,
        answer: report.answer,
        caveats: report.caveats,
        ...report.against && { against: { verdict: report.against.verdict, ...report.against.counts } },
      }),
    );
  } else {
    // What changed against another sweep is what was asked.
    for (const sentence of report.against?.sentences ?? []) tell(deps, sentence);
    printAnswer(
      { ...report, answer: report.answer.slice(report.against?.sentences.length ?? 0) },
      deps,
    );
    deps.print(`Report:  ${page}`);
  }
  return 0;
}

/** @throws {UserError} for what is neither a site's address nor a path to it */
function readSite(site: string | undefined): string | undefined {
  if (site === undefined) return undefined;
  const url = URL.parse(site, "https://a.invalid/report/");
  if (url && /^https?:$/.test(url.protocol) && !url.hash && !url.search) return site;
  throw new UserError(
    `Cannot link to "${site}": an address such as https://example.org/site/ is needed, or a path such as ../../site/`,
  );
}
