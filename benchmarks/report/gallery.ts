/**
 * @file Puts real reports into `docs/reports/`, as pages that open from a clone, with a picture of each first screen:
 * `./run gallery quick=results/quick settled=results/settled`. Pictures need Chromium, where Debian puts it.
 */
import { asTypedElsewhere } from "../../errors/quote.ts";
import { UserError } from "../../errors/user_error.ts";
import { prepareFolder, writeWhole } from "../../files/write_file.ts";
import { makeReport } from "./write.ts";
import { shipped } from "../../training/shipped.ts";

const CHROMIUM = "/usr/bin/chromium";

/** Makes the page of a sweep's folder; paths of this machine are not in it. */
async function pageOf(folder: string): Promise<string> {
  const { files } = await makeReport(folder, shipped, { typed: asTypedElsewhere });
  return files.get("index.html")!;
}

/** A picture of a page's first screen. */
async function takePicture(page: string, picture: string, more: readonly string[] = []): Promise<void> {
  const { code, stderr } = await new Deno.Command(CHROMIUM, {
    args: [
      "--headless",
      "--no-sandbox",
      "--hide-scrollbars",
      "--window-size=1440,900",
      "--virtual-time-budget=20000",
      ...more,
      `--screenshot=${picture}`,
      `file://${page}`,
    ],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code !== 0) {
    throw new UserError(`Cannot take a picture of ${page}: ${new TextDecoder().decode(stderr)}`);
  }
}

if (import.meta.main) {
  const asked = Deno.args.map((text) => /^([\w-]+)=(.+)$/.exec(text) ?? [text]);
  const [wrong] = asked.find(({ length }) => length !== 3) ?? [];
  if (asked.length === 0 || wrong !== undefined) {
    throw new UserError(
      `Cannot make a gallery of "${wrong ?? ""}": NAME=FOLDER is needed, e.g. quick=results/quick`,
    );
  }
  const home = decodeURIComponent(new URL("../../docs/reports", import.meta.url).pathname);
  await prepareFolder(home);
  for (const [, name, folder] of asked) {
    const page = `${home}/${name}.html`;
    await writeWhole(page, await pageOf(folder!));
    await takePicture(page, `${home}/${name}.png`);
    console.log(`docs/reports/${name}.html`);
  }
}
