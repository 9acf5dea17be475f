/** @file `./run memory`: what training a model takes on the GPU, and which card holds it. */
import { UserError } from "../../errors/user_error.ts";
import type { KnownModel, Registries } from "../../training/configuration.ts";
import { lookup } from "../../training/lookup.ts";
import {
  type AskedMethod,
  cardFor,
  CARDS,
  type MemoryChoices,
  memoryChoices,
  PRECISIONS,
  tableBytes,
} from "../cost/memory_choices.ts";
import { formatSignificant } from "../report/format.ts";
import { modelAt } from "../sweep/sweep.ts";
import type { CommandDeps } from "./command_deps.ts";
import { readArguments } from "./commands.ts";
import { tell } from "./printing.ts";
import { toColumns } from "./terminal.ts";

const STANDARD = { optimizers: "lora,lora-pro", ranks: "8,64", tokens: "512", batch: "1" } as const;

export async function memoryCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, flags, positional } = readArguments("memory", args);
  const given = (name: keyof typeof STANDARD) => texts.get(name) ?? STANDARD[name];
  const numbers = (name: keyof typeof STANDARD) => given(name).split(",").map((one) => readWhole(name, one));
  const one = (name: keyof typeof STANDARD) => {
    const [first, ...more] = numbers(name);
    if (more.length > 0) {
      throw new UserError(`Cannot read --${name} "${given(name)}": one whole number is needed`);
    }
    return first!;
  };
  const askedTokens = one("tokens"), batchSize = one("batch");
  const registries = await deps.registries(),
    models = await openModels(positional, texts.get("model"), registries);
  const asked = given("optimizers").split(",").map((id) => lookup("optimizer", registries.optimizers, id));
  // What nobody asked for gives way to models that are too small for it.
  const longest = models.flatMap(({ family, inputSize }) => family === "vision" ? [] : [inputSize]);
  const tokens = texts.has("tokens") ? askedTokens : Math.min(askedTokens, ...longest);
  const found = models.map((model) => {
    if (model.family !== "vision" && tokens > model.inputSize) {
      throw new UserError(
        `Cannot tell the memory of model "${model.id}" for --tokens ${tokens}: it takes up to ${model.inputSize}`,
      );
    }
    const targetModules = model.targetModules();
    const methods = asked.flatMap((module): AskedMethod[] => {
      const ranks = "rank" in module.defaults ? numbers("ranks") : [null];
      return ranks.flatMap((rank, i) => {
        const options = { ...module.defaults, ...rank !== null && { rank } };
        const refusal = module.validate(options, targetModules, 1);
        if (refusal === null) return [{ module, options }];
        if (!texts.has("ranks") && i > 0) return [];
        throw new UserError(`Cannot use "${module.id}" on model "${model.id}": ${refusal}`);
      });
    });
    const lengths = { input: tokens, target: Math.min(tokens, model.targetSize ?? 0) };
    return {
      model: model.id,
      tables: tableBytes(model),
      choices: memoryChoices(model, methods, { lengths, batchSize }),
    };
  });
  if (flags.has("json")) {
    deps.print(JSON.stringify({ tokens, batchSize, cards: CARDS, models: found }));
    return 0;
  }
  found.forEach(({ choices, tables }, i) => {
    const { family, id, title } = models[i]!;
    if (i > 0) deps.print("");
    const examples = batchSize === 1 ? "one example" : `${batchSize} examples`;
    const of = family === "vision" ? "" : ` of ${tokens} tokens`;
    tell(
      deps,
      `${id}: ${title}. GB while it trains on batches of ${examples}${of}, adapters on all linear maps`,
    );
    for (const line of describe(choices, deps)) deps.print(line);
    if (!tables) return;
    const gigabytes = PRECISIONS.map((one) => `${formatSignificant(tables[one] / 1e9)} in ${one}`);
    tell(
      deps,
      `Of that, the vocabulary's tables take ${gigabytes[0]}; where they are frozen, ${
        gigabytes.slice(1).join(", ")
      } ` +
        '("frozenEmbeddings")',
    );
  });
  deps.print("");
  tell(
    deps,
    `In brackets: the smallest card of ${
      CARDS.join(", ")
    } GB that holds it with a tenth to spare. f32 to nf4: what ` +
      'frozen weights are kept in ("memory": {"frozenWeights": …}). "kept in f16": what blocks keep for the backward pass is in ' +
      '16 bits ("activations": "f16"). "again": blocks are computed again for the backward ' +
      'pass ("checkpointing": "blocks"). "again, f16": from inputs kept in 16 bits ("blocks-f16"). Validation, scoring and measurements may take more',
  );
  return 0;
}

const AGAIN = { none: "", blocks: ", again", "blocks-f16": ", again, f16" };
const KEPT = { f32: "", f16: ", kept in f16" };

function describe(choices: readonly MemoryChoices[], { columns, style }: CommandDeps): string[] {
  const rows = choices.map(({ method, rank, checkpointing, activations, peakBytes }) => [
    `${method}${rank === null ? "" : `, rank ${rank}`}${KEPT[activations]}${AGAIN[checkpointing]}`,
    ...PRECISIONS.map((one) => cell(peakBytes[one])),
  ]);
  return toColumns(["method", ...PRECISIONS], rows, columns, style);
}

/** "9.31 (12)": 10⁹ bytes, and the card. */
function cell(bytes: number | null): string {
  return bytes === null ? "—" : `${formatSignificant(bytes / 1e9)} (${cardFor(bytes) ?? "none"})`;
}

function readWhole(name: string, text: string): number {
  const value = /^[1-9]\d{0,6}$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(value)) {
    throw new UserError(`Cannot read --${name} "${text}": whole numbers from 1 to 9999999 are needed`);
  }
  return value;
}

async function openModels(
  ids: readonly string[],
  folder: string | undefined,
  registries: Registries,
): Promise<KnownModel[]> {
  const { models } = registries, choice = folder === undefined ? null : modelAt(folder, models);
  if (!choice && ids.length === 0) {
    throw new UserError("Cannot tell memory: a model's name is needed, as in llama-3-2-1b, or --model DIR");
  }
  const named = ids.map((id) => lookup("model", models, id));
  if (!choice) return named;
  // Loaded when needed: a folder's model brings the GPU's part of the program along.
  const { openFolders } = await import("../../training/resolve/resolve.ts");
  const opened = await openFolders([{ model: choice }], registries);
  return [...named, lookup("model", opened.models, choice.id)];
}
