/** @file Fine-tuning on code: English specifications to JavaScript, judged by running it. */
import { createRandom } from "../../numerics/random.ts";
import { poolBatches } from "../batches.ts";
import { type Pools, takeExamples } from "../examples.ts";
import { realDataOf } from "../data/load.ts";
import { toJavaScript } from "./expressions.ts";
import { HIDDEN_INPUTS, hiddenOutputs } from "./hidden_inputs.ts";
import { runPrograms } from "./javascript_sandbox.ts";
import {
  measurePrograms,
  MEASURES,
  type ProgramTrial,
  runDistinct,
  scorePrograms,
} from "./program_scores.ts";
import { realPrograms, requirePermission } from "./real_programs.ts";
import { drawSpecification } from "./specifications.ts";
import type { Split, Task } from "../task.ts";
import { answerBatch, type TextExample } from "../text/text_batch.ts";
import { decode, encode, STOP, VOCABULARY_SIZE } from "../text/tokenizer.ts";

/** Tokens of a row. */
const LENGTH = 64;
/** Most tokens of a program: the longest answer trained on has 18. */
const MOST_TOKENS = 24;

/** Sizes of the fixed pools that the examples are taken from. */
const POOL = { test: 2000, validation: 1000, train: 8000 };

/** A specification, an answer, and what any right answer gives on the hidden inputs. */
export interface CodeExample extends TextExample {
  readonly outputs: readonly (number | boolean)[];
}

let pools: Pools<CodeExample> | undefined;

/**
 * The pools; made once, as they depend on no option. No prompt comes twice, and no two pools share a function: programs
 * that give the same on the hidden inputs are in one pool.
 */
function loadPools(): Pools<CodeExample> {
  if (pools) return pools;
  const random = createRandom(0).fork("code");
  const made: Record<keyof typeof POOL, CodeExample[]> = { test: [], validation: [], train: [] };
  const poolOf = new Map<string, keyof typeof POOL>(), prompts = new Set<string>();
  for (let draw = 0; Object.entries(made).some(([name, pool]) => pool.length < POOL[name as Split]); draw++) {
    const { english, expression } = drawSpecification(random.fork(`specification ${draw}`));
    const prompt = `${english}:`, answer = toJavaScript(expression);
    if (prompts.has(prompt) || prompt.length + answer.length >= LENGTH) continue;
    prompts.add(prompt);
    const outputs = hiddenOutputs(expression), key = outputs.join();
    let name = poolOf.get(key);
    if (!name) {
      const fraction = random.fork(`pool ${draw}`).uniform(1, 0, 1)[0]!;
      name = fraction < 0.1 ? "test" : fraction < 0.2 ? "validation" : "train";
      poolOf.set(key, name);
    }
    if (made[name].length < POOL[name]) made[name].push({ prompt, answer, outputs });
  }
  pools = made;
  return made;
}

/**
 * Specifications such as "4 less than the product of x and y, doubled", answered by a JavaScript expression: what
 * follows "(x,y)=>" in a program. A program is right where it gives what the specification says on 31 pairs of inputs
 * that no prompt shows, to the type; how it is written does not matter. Its score is pass@1, greedy; of test examples
 * pass@5 is measured too, from ten programs each. Real programs by path are Python, in the tokens of the user's model.
 *
 * The base checkpoint knows the expressions, from prefix notation, and no word that the specifications say operations
 * with. Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
export const code: Task = {
  id: "code",
  title: "JavaScript from English",
  family: "code",
  metric: { name: "pass@1", chance: 0 },
  measures: MEASURES,
  source: "generated",
  realData: { ...realDataOf("code"), requirePermission },
  shipped: {
    model: "decoder-tiny-code",
    steps: 150,
    batchSize: 16,
    trainExamples: 4000,
    validationExamples: 128,
    testExamples: 200,
  },
  async load(options, model) {
    const { data } = options;
    if (data !== undefined) return await realPrograms({ ...options, data }, model);
    const pools = takeExamples("code", loadPools(), options);
    return {
      needs: { family: "decoder", outputs: VOCABULARY_SIZE, inputSize: LENGTH },
      ...poolBatches("code", options.seed, pools, (examples) => answerBatch(examples, LENGTH)),
      score: (predictor, split) => scorePrograms(predictor, pools[split], TRIAL),
      measure: (predictor, split) => measurePrograms(predictor, pools[split], TRIAL),
    };
  },
};

const TRIAL: ProgramTrial<CodeExample> = {
  promptOf: ({ prompt }) => encode(prompt),
  maxTokens: MOST_TOKENS,
  stop: STOP,
  async judge(examples, texts) {
    const outcomes = await runDistinct(
      texts.map((tokens) => `(x,y)=>${decode(tokens)}`),
      (sources) => runPrograms(sources.map((source) => ({ source, calls: HIDDEN_INPUTS }))),
    );
    return examples.map(({ outputs }, i) => {
      const outcome = outcomes[i]!;
      return outcome.kind === "returned" &&
        outcome.values.every((value, k) => isSame(value, outputs[k]!));
    });
  },
};

/** The same value of the same type. 0 and -0 are the same, and NaN, which remainders by 0 are, is NaN. */
function isSame(value: number | boolean | string, wanted: number | boolean): boolean {
  return value === wanted || (Number.isNaN(value) && Number.isNaN(wanted));
}
