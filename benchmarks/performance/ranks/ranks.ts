/**
 * @file What a training step costs as the rank grows, and over LoRA's step at the same rank: `./run ranks --help`.
 *
 * Rounds over all ranks and methods are interleaved in one process, so that a busy moment of the machine does not fall on one
 * of them; times are medians of a step. Processor time is told beside them, which other programs disturb less: ratios of both
 * say the same on an idle machine. Beside both stands the ratio of FLOPs counted by formula: what it would be at one rate.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { createGradients } from "../../../autodiff/mod.ts";
import { openGpu } from "../../../gpu/mod.ts";
import { elementCount } from "../../../gpu/tensor.ts";
import { decoderTiny, vitTiny } from "../../../models/mod.ts";
import type { ModelEntry } from "../../../models/entry.ts";
import { createRandom } from "../../../numerics/random.ts";
import { arithmetic, digits } from "../../../tasks/mod.ts";
import { lackingKinds } from "../../../training/also_trained.ts";
import { countRunStep, flopsOf } from "../../../training/cost/work.ts";
import { attach } from "../../../training/loop/attach.ts";
import { differentiate } from "../../../training/loop/differentiate.ts";
import { adaptedForward } from "../../../training/loop/forward.ts";
import { lookup } from "../../../training/lookup.ts";
import { shipped } from "../../../training/shipped.ts";

/** Steps before the first round: decompositions begin where those of the step before ended, and factors change fastest at first. */
const WARM_UP = 20;
const STEPS = 3, RUN_STEPS = 100;
const help = `Times a training step as the rank grows, and over LoRA's step at the same rank:
by the clock, by processor time ("cpu"), and by counted FLOPs ("count").

  --width N        of the models; 128 where none is given
  --ranks N,N      8,32,64 where none are given
  --methods A,B    lora,lora-pro,lora-rite where none are given; "all" times every
                   method that ships, and says which a task's model refuses
  --tasks A,B      digits or arithmetic; both where none is given
  --rounds N       interleaved rounds of ${STEPS} steps; 7 where none is given
  --profile        list the kernels of one step by time
  --help           print this`;
const CASES = {
  digits: { task: digits, model: vitTiny, batchSize: 32 },
  arithmetic: { task: arithmetic, model: decoderTiny, batchSize: 8 },
};

/** What is asked for. @throws {Error} in one sentence */
function readArguments(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      ...{ width: { type: "string", default: "128" }, ranks: { type: "string", default: "8,32,64" } },
      ...{
        rounds: { type: "string", default: "7" },
        methods: { type: "string", default: "lora,lora-pro,lora-rite" },
      },
      ...{ tasks: { type: "string", default: Object.keys(CASES).join(",") } },
      ...{ profile: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
    },
  });
  const count = (name: string, text: string) => {
    if (/^[1-9]\d*$/.test(text)) return Number(text);
    throw new Error(`Cannot take --${name} ${text}: a whole number above 0 is needed`);
  };
  return {
    ...{ help: values.help, profile: values.profile },
    ...{ width: count("width", values.width), rounds: count("rounds", values.rounds) },
    ranks: values.ranks.split(",").map((rank) => count("ranks", rank)),
    methods: values.methods === "all"
      ? Object.values(shipped.optimizers)
      : values.methods.split(",").map((id) => lookup("optimizer", shipped.optimizers, id)),
    cases: values.tasks.split(",").map((id) => {
      if (id === "digits" || id === "arithmetic") return { name: id, ...CASES[id] };
      throw new Error(`Cannot time steps of task "${id}": known are ${Object.keys(CASES).join(", ")}`);
    }),
  };
}

function asked() {
  try {
    return readArguments(Deno.args);
  } catch (error) {
    console.error((error as Error).message.split("\n")[0]);
    Deno.exit(2);
  }
}

const { help: wanted, profile, width, rounds, ranks, methods, cases } = asked();
if (wanted) {
  console.log(help);
  Deno.exit(0);
}
const gpu = await openGpu();

for (const { name, task, model, batchSize } of cases) {
  const entry: ModelEntry = model.resize({ width });
  const data = await task.load(
    { seed: 0, trainExamples: 64, validationExamples: 8, testExamples: 8 } as Parameters<typeof task.load>[0],
    entry,
  );
  const steps = [], refused: string[] = [];
  for (const rank of ranks) {
    for (const module of methods) {
      const { id, defaults } = module, has = (option: string) => Object.hasOwn(defaults, option);
      const options = { ...defaults, ...has("rank") && { rank }, ...has("alpha") && { alpha: 2 * rank } };
      const refusal = lackingKinds(module, entry) ??
        module.validate(options, entry.targetModules(), RUN_STEPS);
      if (refusal !== null) {
        refused.push(`${id.padEnd(14)} rank ${String(rank).padStart(3)} is left out: ${refusal}`);
        continue;
      }
      gpu.scope(`${id} ${rank}`, "weights");
      const model = entry.create(gpu, entry.initial(createRandom(1)));
      const config = { optimizer: { id, options }, steps: RUN_STEPS, seed: 0, batchSize, accumulate: 1 };
      // Where weights come from makes no step longer: what they were trained on is the task's data here.
      const optimizer = await attach(gpu, config, {
        ...{ module, model, targetModules: model.targetModules, data, dataOf: () => data, loftq: null },
      });
      const adapted = new Set(model.targetModules);
      const gradients = createGradients(gpu, optimizer.trainable);
      const seed = gpu.upload(Float32Array.of(1), "f32", [1], "loss gradient");
      let step = 0;
      const take = async () => {
        using _ = gpu.scope(`step ${++step}`, "activations");
        differentiate(gpu, model, data.trainBatch(step, batchSize), gradients, {
          parts: 1,
          seed,
          forward: (tape) => adaptedForward(tape, optimizer, adapted),
        });
        await optimizer.step(gradients, { step, learningRate: 1e-3 });
        gradients.clear();
        gpu.submit();
      };
      const walls: number[] = [], cpus: number[] = [];
      const flops = flopsOf(countRunStep({ ...config, targetModules: ["*"] }, entry, module));
      const trained = optimizer.trainable.reduce((sum, { value }) => sum + elementCount(value.shape), 0);
      steps.push({ id, rank, trained, flops, take, walls, cpus });
    }
  }
  for (const { take } of steps) for (let i = 0; i < WARM_UP; i++) await take();
  await gpu.flush();
  for (let round = 0; round < rounds; round++) {
    for (const { take, walls, cpus } of steps) {
      await gpu.flush();
      const begun = performance.now(), cpu = process.cpuUsage();
      for (let i = 0; i < STEPS; i++) await take();
      await gpu.flush();
      walls.push((performance.now() - begun) / STEPS);
      const used = process.cpuUsage(cpu);
      cpus.push((used.user + used.system) / 1000 / STEPS);
    }
  }
  const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
  console.log(`\n${name}, width ${width}, batch ${batchSize}`);
  for (const { id, rank, trained, flops, walls, cpus } of steps) {
    const lora = steps.find((other) => other.rank === rank && other.id === "lora");
    const over = lora
      ? `  over LoRA ${(median(walls) / median(lora.walls)).toFixed(2)} cpu ${
        (median(cpus) / median(lora.cpus)).toFixed(2)
      } count ${(flops / lora.flops).toFixed(2)}`
      : "";
    console.log(
      `${id.padEnd(14)} rank ${String(rank).padStart(3)} ${median(walls).toFixed(1).padStart(8)} ms ${
        median(cpus).toFixed(1).padStart(8)
      } cpu-ms${over}  trains ${trained}`,
    );
  }
  for (const line of refused) console.log(line);
  if (profile) {
    for (const { id, rank, take } of steps) {
      const times = await gpu.profile(take);
      console.log(`\n${id} rank ${rank}`);
      for (const { kernel, launches, milliseconds } of times.slice(0, 9)) {
        console.log(
          `  ${kernel.padEnd(44)} ${String(launches).padStart(4)} ${milliseconds.toFixed(2).padStart(9)} ms`,
        );
      }
    }
  }
}
