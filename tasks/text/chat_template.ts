/**
 * @file How a model writes conversations: the template of Jinja's language that lies beside its checkpoint, rendered within bounds.
 *
 * Source: https://huggingface.co/docs/transformers/chat_templating; the language: https://jinja.palletsprojects.com.
 */
import type { Environment, Interpreter } from "@huggingface/jinja";
import { readJsonFile, UnreadableFile } from "../../files/json_file.ts";
import { requireFile } from "../../files/write_file.ts";
import type { Turn } from "../data/contents.ts";
import { DataError, reasonOf } from "../data/data_error.ts";

/** The file that goes before what `tokenizer_config.json` says. */
export const CHAT_TEMPLATE = "chat_template.jinja";
const CONFIG = "tokenizer_config.json";
/** Most bytes of either file. */
const MOST_BYTES = 2 ** 26;
/** Most characters of a template: ten times what the longest have. */
const MOST_CHARACTERS = 2 ** 20;
/** Most numbers of a range. */
const MOST_RANGE = 10_000;
/** What a rendering may make: a step, a character and an element of a list count one each. */
const BUDGET = { least: 2 ** 19, perCharacter: 1000 };

/** Tokens that templates name. */
const SPECIAL = ["bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token"] as const;

/** A template that refuses a conversation, in its own words. */
export class RefusedByTemplate extends Error {
  /** Tells it apart in logs. */
  override readonly name = "RefusedByTemplate";
}

/** A model's way to write conversations. */
export interface ChatTemplate {
  /**
   * The text of some turns.
   *
   * @param asks true where what begins the assistant's next turn stands at the end
   * @throws {RefusedByTemplate} where the template says that it takes no such turns
   * @throws {DataError} where it can't be rendered, or makes too much
   */
  render(turns: readonly Turn[], asks: boolean): string;
}

/**
 * The template beside a model's checkpoint: `chat_template.jinja`, else `chat_template` in `tokenizer_config.json`, of several
 * the one named "default"; null where there is none, and where there is no `tokenizer.json`: other files' tokenizers do not know
 * the tokens that templates spell out.
 *
 * @throws {DataError} where a file can't be read or is no template
 */
export async function readChatTemplate(folder: string): Promise<ChatTemplate | null> {
  if (await readText(`${folder}/tokenizer.json`) === undefined) return null;
  const file = `${folder}/${CHAT_TEMPLATE}`, config = await readConfig(`${folder}/${CONFIG}`);
  const own = await readText(file), said = own ?? templateIn(config["chat_template"]);
  if (said === undefined) return null;
  const special = Object.fromEntries(
    SPECIAL.flatMap((name) => {
      const spelled = spelling(config[name]);
      return spelled === undefined ? [] : [[name, spelled]];
    }),
  );
  const where = own === undefined ? `chat_template in ${folder}/${CONFIG}` : file;
  return await createChatTemplate(said, special, where);
}

/**
 * A template of its text.
 *
 * @param special spellings of the tokens that it may name, e.g. `bos_token`
 * @param where what it is called in errors
 * @throws {DataError} where it is no template
 */
export async function createChatTemplate(
  source: string,
  special: Readonly<Record<string, string>>,
  where: string,
): Promise<ChatTemplate> {
  // Loaded when needed: most data are no conversations.
  const library = await import("@huggingface/jinja");
  const refused = (reason: string) => new DataError(`Cannot use ${where}: ${oneLine(reason)}`);
  if (source.length > MOST_CHARACTERS) throw refused(`it has more than ${MOST_CHARACTERS} characters`);
  let program: ReturnType<typeof library.parse>;
  try {
    program = library.parse(library.tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
  } catch (error) {
    throw refused(`it is no template, ${reasonOf(error)}`);
  }
  const { Bounded, TooMuch } = boundedBy(library.Interpreter);
  return {
    render(turns, asks) {
      const environment = new library.Environment();
      define(environment, {
        ...special,
        messages: turns.map(({ role, text }) => ({ role, content: text })),
        add_generation_prompt: asks,
        tools: null,
        documents: null,
      });
      const characters = turns.reduce((sum, { text }) => sum + text.length, source.length);
      try {
        const bounded = new Bounded(environment, BUDGET.least + BUDGET.perCharacter * characters);
        return String(bounded.run(program).value);
      } catch (error) {
        if (error instanceof RefusedByTemplate) throw error;
        if (error instanceof TooMuch) {
          throw refused("it goes on without end, or makes far more than it is given");
        }
        throw refused(`it can't be rendered, ${reasonOf(error)}`);
      }
    },
  };
}

/** The library's interpreter with an end: it has none, and lists and texts can double at every step. */
function boundedBy(Inner: typeof Interpreter) {
  class TooMuch extends Error {}
  class Bounded extends Inner {
    #left: number;

    constructor(environment: Environment, budget: number) {
      super(environment);
      this.#left = budget;
    }

    override evaluate(...given: Parameters<Interpreter["evaluate"]>): ReturnType<Interpreter["evaluate"]> {
      this.#spend(1);
      const result = super.evaluate(...given), { value } = result;
      if (typeof value === "string" || Array.isArray(value)) this.#spend(value.length);
      if (typeof value === "string") mendStrips(result.builtins as Builtins, value);
      return result;
    }

    #spend(count: number): void {
      this.#left -= count;
      if (this.#left < 0) throw new TooMuch();
    }
  }
  return { Bounded, TooMuch };
}

/** What a text of the library can be asked, by name. */
type Builtins = Map<string, ReturnType<Interpreter["evaluate"]>>;

/** strip() and its kin take away the characters that they are given; the library (0.5.11) takes white space whatever they are. */
function mendStrips(builtins: Builtins, text: string): void {
  for (const [name, fromStart, fromEnd] of STRIPS) {
    const own = builtins.get(name);
    if (!own) continue;
    const { constructor: FunctionValue, value: plain } = own as unknown as {
      readonly constructor: new (call: Call) => NonNullable<typeof own>;
      readonly value: Call;
    };
    builtins.set(
      name,
      new FunctionValue((given, scope) => {
        const characters = (given[0] as { readonly value?: unknown } | undefined)?.value;
        if (typeof characters !== "string") return plain(given, scope);
        const all = [...text],
          isOne = (one: string | undefined) => one !== undefined && characters.includes(one);
        let from = 0, to = all.length;
        while (fromStart && isOne(all[from])) from++;
        while (fromEnd && to > from && isOne(all[to - 1])) to--;
        const StringValue = given[0]!.constructor as new (text: string) => unknown;
        return new StringValue(all.slice(from, to).join(""));
      }),
    );
  }
}

type Call = (given: readonly object[], scope: unknown) => unknown;

const STRIPS = [["strip", true, true], ["lstrip", true, false], ["rstrip", false, true]] as const;

/** What transformers gives every template, and the template's own values. */
function define(environment: Environment, values: Readonly<Record<string, unknown>>): void {
  const all: Readonly<Record<string, unknown>> = {
    ...{ true: true, false: false, none: null, True: true, False: false, None: null },
    raise_exception(reason: unknown): never {
      throw new RefusedByTemplate(oneLine(String(reason)));
    },
    range,
    strftime_now,
    ...values,
  };
  for (const [name, value] of Object.entries(all)) environment.set(name, value);
}

function range(...given: readonly number[]): number[] {
  const [start, stop] = given.length === 1 ? [0, given[0]!] : [given[0]!, given[1]!], step = given[2] ?? 1;
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (!(count <= MOST_RANGE)) {
    throw new RangeError(`range() of ${count} numbers, ${MOST_RANGE} at most are made`);
  }
  return Array.from({ length: count }, (_, i) => start + i * step);
}

/** The day that Llama's template falls back on: an example is the same on every day. */
const DAY: Readonly<Record<string, string>> = {
  ...{
    "%d": "26",
    "%m": "07",
    "%b": "Jul",
    "%B": "July",
    "%Y": "2024",
    "%y": "24",
    "%A": "Friday",
    "%a": "Fri",
  },
  ...{ "%H": "00", "%M": "00", "%S": "00", "%%": "%" },
};

function strftime_now(format: string): string {
  return format.replaceAll(/%./g, (part) => {
    if (!Object.hasOwn(DAY, part)) throw new RangeError(`strftime_now() of "${part}" is not known`);
    return DAY[part]!;
  });
}

/** A config has one template, or several by name. */
function templateIn(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as readonly { readonly name?: unknown; readonly template?: unknown }[];
  const found = named.find((one) => one?.name === "default")?.template;
  return typeof found === "string" ? found : undefined;
}

function spelling(value: unknown): string | undefined {
  const text = typeof value === "object" && value !== null && "content" in value ? value.content : value;
  return typeof text === "string" ? text : undefined;
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\s]+/gu, " ").trim().slice(0, 200);
}

async function readConfig(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await readJsonFile(path, MOST_BYTES) as Record<string, unknown> | undefined ?? {};
  } catch (error) {
    if (error instanceof UnreadableFile) throw new DataError(`Cannot read ${path}: ${error.message}`);
    throw error;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    await requireFile(path);
    if ((await Deno.stat(path)).size > MOST_BYTES) {
      throw new DataError(`Cannot read ${path}: it has more than ${MOST_BYTES} bytes`);
    }
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}
