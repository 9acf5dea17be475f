/**
 * @file What a report's link to a site says: its runs, or the question that it settled, in the address's fragment, which no
 * browser sends to a server. The site makes the same runs on its reader's GPU, or settles the same question there.
 */
import type { RunConfig } from "../../../training/run.ts";
import { RunConfig as RunSchema } from "../../../training/schemas.ts";
import { parseWith } from "../../../training/configuration.ts";
import { UserError } from "../../../errors/user_error.ts";
import { SweepSpec } from "../../sweep/sweep.ts";

/** Most characters of a fragment: browsers take more, chat programs and mails cut. */
const LONGEST = 8000;

/** What is compared, as a link has it. */
export interface LinkedRuns {
  readonly name: string;
  readonly question: string;
  readonly configs: readonly RunConfig[];
}

/**
 * The address that opens a site with these runs, or with the question that they settled; null where they need files of the
 * user's, and where they are too many for an address.
 *
 * @param site the site's address, or a path from the report to it
 * @param asks the question; where absent, the link is to the runs
 */
export async function siteLink(site: string, runs: LinkedRuns, asks?: SweepSpec): Promise<string | null> {
  if (runs.configs.length === 0 || !runs.configs.every(isOfShipped)) return null;
  const [name, packed] = asks ? ["question", await pack(asks)] : ["runs", await pack(runs)];
  return packed.length > LONGEST ? null : `${site}#${name}=${packed}`;
}

/** True for runs of what ships, which a site has too. */
function isOfShipped({ task, model, optimizer }: RunConfig): boolean {
  const isOwn = [task.module, task.data, model.module, model.path, model.adapter, optimizer.module]
    .some((one) => one !== undefined);
  return !isOwn;
}

/** Runs, or a question, as letters, digits, "-" and "_". */
export async function pack(linked: LinkedRuns | SweepSpec): Promise<string> {
  const bytes = await through(JSON.stringify(linked), new CompressionStream("deflate-raw"));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** @throws {UserError} where it is none of ours, or not whole */
async function unpack(packed: string): Promise<unknown> {
  try {
    const bytes = Uint8Array.fromBase64(packed, { alphabet: "base64url" });
    return JSON.parse(
      new TextDecoder().decode(await through(bytes, new DecompressionStream("deflate-raw"))),
    );
  } catch {
    throw new UserError("Cannot read the link: it is not whole, or was not made by a report");
  }
}

/** The question of a fragment. @throws {UserError} where it is none of ours, or not whole */
export async function unpackQuestion(packed: string): Promise<SweepSpec> {
  const spec = parseWith(SweepSpec, await unpack(packed), "the link");
  if (!spec.settle) throw new UserError("Cannot read the link: it asks no question that can be settled");
  return spec;
}

/** The runs of a fragment. @throws {UserError} where it is none of ours, or not whole */
export async function unpackRuns(packed: string): Promise<LinkedRuns> {
  const value = await unpack(packed);
  const { name, question, configs } = Object(value) as Record<string, unknown>;
  if (typeof name !== "string" || typeof question !== "string" || !Array.isArray(configs)) {
    throw new UserError("Cannot read the link: it names no runs");
  }
  return {
    name,
    question,
    configs: configs.map((config) => parseWith(RunSchema, config, "the link") as RunConfig),
  };
}

async function through(
  content: string | Uint8Array<ArrayBuffer>,
  by: CompressionStream | DecompressionStream,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([content]).stream().pipeThrough(by)).arrayBuffer());
}
