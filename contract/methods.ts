/**
 * @file What every method promises to models, to the loop and to reports: held on a toy network, or by formula. Tests hold
 * what ships to it, `./run check FILE` a method of one's own.
 */
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import type { Parameter } from "../autodiff/tape.ts";
import { UserError } from "../errors/user_error.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { elementCount } from "../gpu/tensor.ts";
import * as kernels from "../kernels/mod.ts";
import { vitTiny } from "../models/sizes.ts";
import { multiply, randomMatrix, toFloat32, zeros } from "../numerics/matrix.ts";
import { createRandom } from "../numerics/random.ts";
import type { Optimizer, OptimizerModule, Options } from "../optimizers/optimizer.ts";
import { copyWeight } from "../optimizers/module_weight.ts";
import { allOptions, completeConfig, type Library } from "../training/configuration.ts";
import { packsBytes } from "../training/cost/memory.ts";
import { adaptedForward, plainForward } from "../training/loop/forward.ts";
import type { RunConfig } from "../training/run.ts";
import { assertClose } from "./assert_close.ts";
import type { Check } from "./check.ts";
import {
  attachToToy,
  bytesOf,
  createToyModel,
  differentiateToy,
  headOf,
  type ToyModel,
  trainToy,
} from "./toy_model.ts";

/** A method with the settings at which it is held to what it promises. */
export interface CheckedMethod {
  readonly module: OptimizerModule;
  /** A rank at which the toy's targets are within reach: they differ from the start by changes of rank 2. */
  readonly rank: number;
  /** Other options at which it can adapt the toy's maps, whose names tell nothing; none where absent. */
  readonly options?: Options;
  /** One at which sixty steps lower the toy's loss tenfold. */
  readonly learningRate: number;
  /** How many times they lower it: 10 where absent, fewer only where the targets are out of the method's reach. */
  readonly lowers?: number;
}

/** What suits most methods. */
export const usual = { rank: 2, learningRate: 0.05 } as const;

/** True where a method moves target modules, and does not leave them all as they are. */
function adapts({ parameters, targetModules }: ToyModel, { trainable }: Optimizer): boolean {
  const isWeight = (parameter: Parameter) => targetModules.some(({ weight }) => weight === parameter);
  return trainable.some((parameter) => isWeight(parameter) || !parameters.includes(parameter));
}

/** A rank where the method has one, with what else it needs. */
function optionsOf({ module: { defaults }, options }: CheckedMethod, rank: number): Options {
  return { ..."rank" in defaults ? { rank } : {}, ...options };
}

interface Run {
  readonly gpu: Gpu;
  readonly model: ToyModel;
  readonly optimizer: Optimizer;
  /** Takes steps first to last; returns the loss before each. */
  steps(first: number, last: number): Promise<number[]>;
}

/** A method at work on the toy model; nothing of it outlives `body`. */
export async function runOnToy<T>(
  gpu: Gpu,
  method: CheckedMethod,
  body: (run: Run) => Promise<T>,
  seed = 0,
): Promise<T> {
  using _ = gpu.scope("run");
  const { module, rank, learningRate } = method, model = await createToyModel(gpu);
  const optimizer = await attachToToy(model, module, optionsOf(method, rank), { seed });
  const store = createGradients(gpu, optimizer.trainable);
  return await body({
    gpu,
    model,
    optimizer,
    steps: (first, last) => trainToy(model, optimizer, store, learningRate, [first, last]),
  });
}

/** A and B of every target module. */
function factorsOf({ targetModules }: ToyModel, optimizer: Optimizer): readonly Parameter[] {
  const frozen = targetModules.flatMap((targetModule) => {
    const pair = optimizer.factors(targetModule);
    return pair ? [pair.a, pair.b] : [];
  });
  const trained = optimizer.trainable.filter(({ name }) => /\.[AB]$/.test(name));
  return [...new Map([...frozen, ...trained].map((parameter) => [parameter.name, parameter])).values()];
}

/** Everything that a checkpoint of a run must hold. */
function everything({ model, optimizer }: Run) {
  const all = [...model.parameters, ...optimizer.trainable, ...optimizer.state];
  return [...new Map(all.map((parameter) => [parameter.value, parameter])).values()];
}

/**
 * Everything that a method promises.
 *
 * @param library has the method
 */
export function checksOfMethod(method: CheckedMethod, library: Library): Check[] {
  const { module, rank, learningRate, lowers = 10 } = method, { id } = module, checks: Check[] = [];
  const check = (promise: string, hold: Check["hold"]) => checks.push({ promise, hold });

  check(
    "attach() leaves every effective weight as it was, or descends where it says that it moves them",
    async (gpu) => {
      using _ = gpu.scope("attach");
      const model = await createToyModel(gpu);
      const before = await gpu.downloadAll(model.targetModules.map(({ weight }) => weight.value));
      const optimizer = await attachToToy(model, module, optionsOf(method, rank));
      const after = await gpu.downloadAll(
        model.targetModules.map((targetModule) => optimizer.effectiveWeight(targetModule)),
      );
      if (module.startsMoved) {
        const { full } = differentiateToy(model, createGradients(gpu, []), plainForward);
        const gradients = await gpu.downloadAll(
          model.targetModules.map((targetModule) => full.get(targetModule)!),
        );
        gradients.forEach((gradient, i) =>
          assertLess(
            gradient.reduce((sum, value, j) => sum + value * (after[i]![j]! - before[i]![j]!), 0),
            0,
            model.targetModules[i]!.name,
          )
        );
        return;
      }
      // Rounding of one subtraction and one addition of a product of rank 2.
      before.forEach((weight, i) => assertClose(after[i]!, weight, { relative: 1e-5 }));
    },
  );

  // A type of 8 bits takes the same way as one of 4.
  for (const precision of ["f16", "nf4"] as const) {
    check(
      `with weights kept as ${precision} it trains, or refuses them by the target module's name`,
      async (gpu) => {
        using _ = gpu.scope("frozen");
        const model = await createToyModel(gpu, { precision });
        const before = await gpu.downloadAll(
          model.targetModules.map((targetModule) => copyWeight(gpu, targetModule)),
        );
        const footprint = module.footprint({ ...module.defaults, ...optionsOf(method, rank) }, {
          targetModules: model.targetModules,
          parameters: [],
          head: [],
        });
        if (footprint.trainsWeights) {
          await assertRejects(
            async () => await attachToToy(model, module, optionsOf(method, rank)),
            Error,
            'the weight of target module "layers.0"',
          );
          return;
        }
        const optimizer = await attachToToy(model, module, optionsOf(method, rank));
        const after = await gpu.downloadAll(
          model.targetModules.map((targetModule) => optimizer.effectiveWeight(targetModule)),
        );
        // A start that rewrites the weight rounds it again, to 11 bits or to one of sixteen values.
        if (!module.startsMoved) {
          before.forEach((weight, i) => {
            const absolute = precision === "f16" ? 2 ** -11 * 4 : Math.max(...weight.map(Math.abs)) / 4;
            assertClose(after[i]!, weight, { relative: 0, absolute });
          });
        }
        const store = createGradients(gpu, optimizer.trainable);
        const losses = await trainToy(model, optimizer, store, learningRate, [1, 60]);
        // What a start rounds again in 4 bits is another network, which the targets do not lie near.
        assertLess(losses.at(-1)!, losses[0]! / (precision === "f16" ? lowers : Math.min(lowers, 3)));
      },
    );
  }

  check("linear(x) is x times the transposed effective weight after three steps", async (gpu) => {
    await runOnToy(gpu, method, async ({ model, optimizer, steps }) => {
      await steps(1, 3);
      for (const targetModule of model.targetModules) {
        const x = gpu.upload(
          createRandom(5).normal(7 * targetModule.in, 1),
          "f32",
          [7, targetModule.in],
          "x",
        );
        const tape = new Tape(gpu, createGradients(gpu, []));
        const direct = optimizer.linear(tape, targetModule, tape.constant(x)).value;
        const merged = kernels.matmul(gpu, x, optimizer.effectiveWeight(targetModule), { transposeB: true });
        const [found, wanted] = await gpu.downloadAll([direct, merged]);
        // Sums of at most 12 f32 products, in another order.
        assertClose(found!, wanted!, { relative: 1e-5 }, targetModule.name);
      }
    });
  });

  check("parameters that are not trainable keep their bytes from attach() on", async (gpu) => {
    await runOnToy(gpu, method, async ({ model, optimizer, steps }) => {
      const trained = new Set(optimizer.trainable);
      const frozen = model.parameters.filter((parameter) => !trained.has(parameter));
      const before = await bytesOf(gpu, frozen);
      await steps(1, 5);
      assertEquals(await bytesOf(gpu, frozen), before);
    });
  });

  check("two steps change every trainable parameter and the head is one", async (gpu) => {
    await runOnToy(gpu, method, async ({ model, optimizer, steps }) => {
      for (const parameter of model.head) assert(optimizer.trainable.includes(parameter), parameter.name);
      // At B = 0 the gradient of A is 0, so the first step may leave something as it was.
      await steps(1, 1);
      const before = await bytesOf(gpu, optimizer.trainable);
      // A method may alternate between factors.
      await steps(2, 3);
      for (const [name, after] of await bytesOf(gpu, optimizer.trainable)) {
        assert(after.some((value, i) => value !== before.get(name)![i]), name);
      }
    });
  });

  check(`sixty steps lower the loss ${lowers === 10 ? "tenfold" : `${lowers} times`}`, async (gpu) => {
    await runOnToy(gpu, method, async ({ steps }) => {
      const losses = await steps(1, 60);
      assertLess(losses.at(-1)!, losses[0]! / lowers);
    });
  });

  if ("rank" in module.defaults) {
    check("at rank 1 it takes finite steps that change the weights", async (gpu) => {
      using _ = gpu.scope("rank 1");
      const model = await createToyModel(gpu);
      assertEquals(
        module.validate({ ...module.defaults, ...optionsOf(method, 1) }, model.targetModules, 60),
        null,
      );
      const optimizer = await attachToToy(model, module, optionsOf(method, 1));
      const before = await gpu.downloadAll(
        model.targetModules.map((targetModule) => optimizer.effectiveWeight(targetModule)),
      );
      await trainToy(model, optimizer, createGradients(gpu, optimizer.trainable), learningRate, [
        1,
        5,
      ]);
      const after = await gpu.downloadAll(
        model.targetModules.map((targetModule) => optimizer.effectiveWeight(targetModule)),
      );
      after.forEach((weight, i) => {
        assert(weight.every(Number.isFinite), model.targetModules[i]!.name);
        assert(weight.some((value, j) => value !== before[i]![j]), model.targetModules[i]!.name);
      });
    });

    check("from factors that lack ranks or vanish it takes finite steps", async (gpu) => {
      const random = createRandom(11);
      // [of A, of B]: how many of three directions differ.
      for (const [ofA, ofB] of [[1, 3], [3, 1], [1, 1], [2, 0], [0, 3], [0, 0]] as const) {
        using _ = gpu.scope("deficient");
        const model = await createToyModel(gpu);
        const optimizer = await attachToToy(model, module, optionsOf(method, 3));
        for (const { name, value } of factorsOf(model, optimizer)) {
          const [rows, columns] = value.shape as [number, number];
          const own = random.fork(name), differing = name.endsWith(".A") ? ofA : ofB;
          const factor = differing === 0 ? zeros(rows, columns) : multiply(
            randomMatrix(rows, differing, own.fork("l"), 0.3),
            randomMatrix(differing, columns, own.fork("r"), 0.3),
          );
          gpu.write(value, toFloat32(factor));
        }
        const store = createGradients(gpu, optimizer.trainable);
        const losses = await trainToy(model, optimizer, store, learningRate, [1, 5]);
        const label = `A of rank ${ofA}, B of rank ${ofB}`;
        assert(losses.every(Number.isFinite), label);
        for (const [name, values] of await bytesOf(gpu, [...optimizer.trainable, ...optimizer.state])) {
          assert(values.every(Number.isFinite), `${name}, ${label}`);
        }
      }
    });
  }

  check(
    "gradients that are not finite neither throw nor get lost: the next loss is not finite, and a run ends as diverged",
    async (gpu) => {
      for (const poison of [NaN, Infinity]) {
        await runOnToy(gpu, method, async ({ model, optimizer, steps }) => {
          await steps(1, 2);
          const store = createGradients(gpu, optimizer.trainable);
          differentiateToy(
            model,
            store,
            (tape) => adaptedForward(tape, optimizer, new Set(model.targetModules)),
          );
          const beside = optimizer.trainable.filter((parameter) => !model.head.includes(parameter));
          for (const parameter of beside.length > 0 ? beside : model.head) {
            const gradient = store.of(parameter), shape = [1];
            gpu.write({ ...gradient, shape }, Float32Array.of(poison));
          }
          await optimizer.step(store, { step: 3, learningRate: learningRate });
          // The trainer looks at losses and gradients: see record_step.wgsl.
          const [loss] = await steps(4, 4);
          assert(!Number.isFinite(loss), `${poison}: the next loss is ${loss}`);
        });
      }
    },
  );

  check("the same seed gives the same bytes, whatever ran before", async (gpu) => {
    const once = () =>
      runOnToy(gpu, method, async (run) => {
        const losses = await run.steps(1, 6);
        return { losses, bytes: await bytesOf(run.gpu, everything(run)) };
      }, 7);
    const first = await once();
    await runOnToy(gpu, method, ({ steps }) => steps(1, 3), 8);
    assertEquals(await once(), first);
  });

  check("live GPU bytes are equal after steps 2 and 20, and none are left after the run", async (gpu) => {
    const before = gpu.memory.liveBytes;
    await runOnToy(gpu, method, async ({ steps }) => {
      await steps(1, 2);
      const early = gpu.memory.liveBytes;
      await steps(3, 20);
      assertEquals(gpu.memory.liveBytes, early);
      assertGreater(early, before);
    });
    assertEquals(gpu.memory.liveBytes, before);
  });

  check("its footprint by formula is what it trains, keeps and allocates", async (gpu) => {
    await runOnToy(gpu, method, async ({ model, optimizer }) => {
      const sizes = (parameters: readonly Parameter[]) =>
        parameters.map(({ value }) => elementCount(value.shape));
      const footprint = module.footprint({ ...module.defaults, ...optionsOf(method, rank) }, {
        targetModules: model.targetModules,
        parameters: sizes(model.parameters),
        head: sizes(headOf(model, module)),
      });
      assertEquals(footprint.trained, sizes(optimizer.trainable));
      assertEquals(footprint.state.flat(), sizes(optimizer.state));
      const added = optimizer.trainable.filter((parameter) => !model.parameters.includes(parameter));
      assertEquals(footprint.adapters.flat(), sizes(added));
      const { liveBytesByCategory: live } = gpu.memory;
      assertEquals(live["adapters"] ?? 0, packsBytes(footprint.adapters));
      assertEquals(live["state"] ?? 0, packsBytes([...footprint.state, ...footprint.tables]));
      {
        using _ = gpu.scope("gradients");
        const store = createGradients(gpu, optimizer.trainable);
        gpu.resetPeak();
        const before = gpu.memory.liveBytes;
        using _step = gpu.scope("step");
        await optimizer.step(store, { step: 1, learningRate: 0.01 });
        assertEquals(gpu.memory.peakBytes - before, packsBytes(footprint.scratch));
      }
    });
  });

  check("its work and its footprint count the same numbers", () => {
    const { architecture: { maps, parameters }, ...model } = vitTiny;
    const counted = maps.map((map) => ({ ...map, inputGradient: true }));
    const isTargetModule = ({ name }: { readonly name: string }) =>
      model.targetModules().some((targetModule) => targetModule.name === name);
    const options = { ...module.defaults, ...optionsOf(method, rank) };
    const work = module.stepWork(options, {
      targetModules: counted.filter(isTargetModule),
      others: counted.filter((map) => !isTargetModule(map)),
      parameters,
      parts: 1,
    });
    const footprint = module.footprint(options, {
      targetModules: model.targetModules(),
      parameters: model.parameters.map(({ shape }) => elementCount(shape)),
      head: [],
    });
    const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
    assertEquals(
      { trained: work.trained, added: work.added, state: work.state, trainsAll: work.trainsAll },
      {
        trained: sum(footprint.trained),
        added: sum(footprint.adapters.flat()),
        state: sum(footprint.state.flat()),
        trainsAll: footprint.trainsAll,
      },
    );
  });

  check("saved after step 5 and restored, it continues byte for byte", async (gpu) => {
    const { saved, losses, bytes } = await runOnToy(gpu, method, async (run) => {
      await run.steps(1, 5);
      const saved = await bytesOf(run.gpu, everything(run));
      const losses = await run.steps(6, 10);
      return { saved, losses, bytes: await bytesOf(run.gpu, everything(run)) };
    });
    // Another seed, and steps of its own: whatever is not restored would show.
    await runOnToy(gpu, method, async (run) => {
      await run.steps(1, 2);
      assertEquals(everything(run).map(({ name }) => name), [...saved.keys()]);
      for (const { name, value } of everything(run)) run.gpu.write(value, saved.get(name)!);
      assertEquals(await run.steps(6, 10), losses);
      assertEquals(await bytesOf(run.gpu, everything(run)), bytes);
    }, 99);
  });

  check(
    "the equivalent gradient has the weight's shape, is finite and goes with the full one, or is 0 where no weight moves",
    async (gpu) => {
      await runOnToy(gpu, method, async ({ model, optimizer, steps }) => {
        const store = createGradients(gpu, optimizer.trainable);
        for (const taken of [0, 4]) {
          if (taken > 0) await steps(1, taken);
          const forward = (tape: Tape) => adaptedForward(tape, optimizer, new Set(model.targetModules));
          const { full } = differentiateToy(model, store, forward);
          const equivalents = optimizer.equivalentGradients(store);
          assertEquals([...equivalents.keys()], model.targetModules);
          for (const [targetModule, gradient] of full) {
            const equivalent = equivalents.get(targetModule)!;
            assertEquals(equivalent.shape, targetModule.weight.value.shape);
            const [found, wanted] = await gpu.downloadAll([equivalent, gradient]);
            const label = `${targetModule.name} after ${taken} steps`;
            assert(found!.every(Number.isFinite), label);
            if (!adapts(model, optimizer)) {
              assert(found!.every((value) => value === 0), label);
              continue;
            }
            assertGreater(
              found!.reduce((sum, value, i) => sum + value * wanted![i]!, 0),
              0,
              label,
            );
          }
        }
      });
    },
  );

  check("options that are unknown, of another type or out of range are refused by name", () => {
    const config: RunConfig = {
      schema: 1,
      task: { id: "digits", trainExamples: 8, validationExamples: 4, testExamples: 4 },
      model: { id: "vit-tiny" },
      targetModules: ["*"],
      optimizer: { id, options: {} },
      steps: 10,
      batchSize: 4,
      accumulate: 1,
      schedule: { kind: "constant", learningRate: 0.001, warmup: 0, floor: 0 },
      clip: 1,
      validateEvery: 5,
      telemetryEvery: 0,
      scoreOn: "test",
      seed: 0,
    };
    const complete = (options: Options) => completeConfig({ ...config, optimizer: { id, options } }, library);
    assertEquals(allOptions(module, complete({})), module.defaults);
    assertThrows(
      () => complete({ xyzzy: 2 }),
      UserError,
      `Cannot find option "xyzzy" of "${id}": known are `,
    );
    for (const [name, standard] of Object.entries(module.defaults)) {
      const otherType = typeof standard === "string" ? 1 : "x";
      assertThrows(
        () => complete({ [name]: otherType }),
        UserError,
        `Cannot read option "${name}" of "${id}"`,
      );
      if (typeof standard === "boolean") continue;
      const outOfRange = typeof standard === "string" ? "no such choice" : -1;
      const error = assertThrows(() => complete({ [name]: outOfRange }), UserError);
      assertStringIncludes(
        (error as UserError).message,
        `Cannot use "${id}" on model "vit-tiny": ${name} is `,
      );
    }
  });

  return checks;
}
