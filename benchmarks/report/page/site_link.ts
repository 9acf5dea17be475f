/**
 * @file What a report's link to a site says: its runs, in the address's fragment, which no browser sends to a server. The
 * site makes the same runs on its reader's GPU.
 */
import type { RunConfig } from "../../../training/run.ts";
import { RunConfig as RunSchema } from "../../../training/schemas.ts";
import { parseWith } from "../../../training/configuration.ts";
import { UserError } from "../../../errors/user_error.ts";

/** Most characters of a fragment: browsers take more, chat programs and mails cut. */
const LONGEST = 8000;

/** What is compared, as a link has it. */
export interface LinkedRuns {
  readonly name: string;
  readonly question: string;
  readonly configs: readonly RunConfig[];
}

/**
 * The address that opens a site with these runs; null where they need files of the user's, and where they are too many for an
 * address.
 *
 * @param site the site's address, or a path from the report to it
 */
export async function siteLink(site: string, runs: LinkedRuns): Promise<string | null> {
  if (runs.configs.length === 0 || !runs.configs.every(isOfShipped)) return null;
  const packed = await packRuns(runs);
  return packed.length > LONGEST ? null : `${site}#runs=${packed}`;
}

/** True for runs of what ships, which a site has too. */
function isOfShipped({ task, model, optimizer }: RunConfig): boolean {
  const isOwn = [task.module, task.data, model.module, model.path, model.adapter, optimizer.module]
    .some((one) => one !== undefined);
  return !isOwn;
}

/** Runs as letters, digits, "-" and "_". */
export async function packRuns(runs: LinkedRuns): Promise<string> {
  const bytes = await through(JSON.stringify(runs), new CompressionStream("deflate-raw"));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** The runs of a fragment. @throws {UserError} where it is none of ours, or not whole */
export async function unpackRuns(packed: string): Promise<LinkedRuns> {
  let value: unknown;
  try {
    const bytes = Uint8Array.fromBase64(packed, { alphabet: "base64url" });
    value = JSON.parse(
      new TextDecoder().decode(await through(bytes, new DecompressionStream("deflate-raw"))),
    );
  } catch {
    throw new UserError("Cannot read the link: it is not whole, or was not made by a report");
  }
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
