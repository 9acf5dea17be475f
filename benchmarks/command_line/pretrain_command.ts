/** @file `./run pretrain`. */
import { readOverrides } from "./arguments.ts";
import { withEntries } from "./bench.ts";
import { readArguments } from "./commands.ts";
import { lookup } from "../../training/lookup.ts";
import { UserError } from "../../errors/user_error.ts";
import type { CommandDeps } from "./command_deps.ts";

export async function pretrainCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, paths, flags, positional } = readArguments("pretrain", args);
  const registries = await withEntries(paths.get("with") ?? [], await deps.registries());
  const { models, own } = registries;
  const [model] = positional;
  const known = Object.values(models).map((entry) => entry.id).join(", ");
  if (model === undefined) {
    throw new UserError(`Cannot pretrain: the name of a model is needed, known are ${known}`);
  }
  const entry = lookup("model", models, model);
  const out = texts.get("out"), { steps, data, examples } = readOverrides({ texts, paths });
  const changed = ["steps", "data", "examples"].find((name) => texts.has(name));
  if (out === undefined && changed !== undefined) {
    throw new UserError(
      `Cannot pretrain ${model} with --${changed}: --out PATH is needed, what the project ships is made by its recipe`,
    );
  }
  if (out === undefined && own?.has(entry)) {
    throw new UserError(`Cannot pretrain ${model}: it is a model of yours, --out PATH is needed`);
  }
  const needing = flags.has("train-on-test") ? "train-on-test" : examples ? "examples" : null;
  if (data === undefined && needing !== null) {
    throw new UserError(
      `Cannot pretrain ${model} with --${needing}: they are of real images, --data DIR is needed`,
    );
  }
  let last = 0;
  const made = await deps.pretrain(model, registries, {
    ...(out === undefined ? {} : { out }),
    ...(steps !== undefined && { steps }),
    ...(data !== undefined &&
      { images: { data, ...examples, ...(flags.has("train-on-test") && { trainOnTest: true }) } }),
    onProgress({ step, steps, loss }) {
      if (performance.now() - last < 5000 && step < steps) return;
      last = performance.now();
      deps.complain(
        `${model}: step ${step} of ${steps}${loss === null ? "" : `, loss ${loss.toPrecision(3)}`}`,
      );
    },
  });
  deps.print(
    `Pretrained ${model}: ${made.path}, score ${made.score.toFixed(3)}, SHA-256 ${made.hash}`,
  );
  return 0;
}
