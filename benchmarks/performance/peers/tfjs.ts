/** @file TensorFlow.js on WebGPU, with AdamW by hand: its own optimizers have Adam without decay. */
import { registerHooks } from "node:module";
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { rotaryAngles } from "../../../models/decoder.ts";
import type { Peer, Trainer } from "./peer.ts";
import type { Problem } from "./problem.ts";

/** TensorFlow.js. */
export const peers: readonly Peer[] = [{ name: "tfjs", backend: "webgpu", open }];

type Library = typeof import("@tensorflow/tfjs-core");
type Variables = Record<string, Variable>;

let loaded: Promise<Library> | null = null;

async function load(): Promise<Library> {
  // Gradients are a module that tfjs's Node build leaves out, and whose imports have no extension, as bundlers want it.
  registerHooks({
    resolve: (specifier, context, next) =>
      next(
        context.parentURL?.includes("/@tensorflow/") && /^\.{1,2}\//.test(specifier) &&
          !specifier.endsWith(".js")
          ? `${specifier}.js`
          : specifier,
        context,
      ),
  });
  const tf = await import("@tensorflow/tfjs-core");
  await import("@tensorflow/tfjs-core/gradients");
  await import("@tensorflow/tfjs-core/chained-ops");
  await import("@tensorflow/tfjs-backend-webgpu");
  tf.enableProdMode();
  if (!await tf.setBackend("webgpu")) throw new Error("tfjs finds no WebGPU here");
  await tf.ready();
  return tf;
}

async function open(problem: Problem): Promise<Trainer> {
  const tf = await (loaded ??= load());
  const { learningRate, beta1, beta2, epsilon, weightDecay } = problem.adamw;
  const variables = (initial: (shape: number[], data: Float32Array) => Tensor): Variables =>
    Object.fromEntries(
      problem.weights.map(({ name, shape, data }) => [
        name,
        tf.tidy(() => tf.variable(initial([...shape], data))),
      ]),
    );
  const weights = variables((shape, data) => tf.tensor(data, shape));
  const m = variables((shape) => tf.zeros(shape)), v = variables((shape) => tf.zeros(shape));
  const { lossOf, constants } = decoder(tf, problem, weights);
  let step = 0;

  const takeStep = () =>
    tf.tidy(() => {
      step++;
      const { tokens, targets } = problem.batches[(step - 1) % problem.batches.length]!;
      const ids = (data: Int32Array) => tf.tensor1d(data, "int32");
      const { value, grads } = tf.variableGrads(
        () => lossOf(ids(tokens.data), ids(targets.data)),
        Object.values(weights),
      );
      for (const [name, weight] of Object.entries(weights)) {
        const g = grads[weight.name]!;
        m[name]!.assign(m[name]!.mul(beta1).add(g.mul(1 - beta1)));
        v[name]!.assign(v[name]!.mul(beta2).add(g.square().mul(1 - beta2)));
        const size = v[name]!.div(1 - beta2 ** step).sqrt().add(epsilon);
        const direction = m[name]!.div(1 - beta1 ** step).div(size);
        weight.assign(weight.mul(1 - learningRate * weightDecay).sub(direction.mul(learningRate)));
      }
      return value;
    });
  return {
    async train(steps) {
      const losses = Array.from({ length: steps }, takeStep);
      const all = tf.stack(losses);
      const values = await all.data();
      tf.dispose([...losses, all]);
      return [...values];
    },
    [Symbol.asyncDispose]() {
      tf.dispose([weights, m, v, constants]);
      return Promise.resolve();
    },
  };
}

/** The decoder of `models/decoder.ts` and its mean cross-entropy. */
function decoder(tf: Library, { decoder, batch }: Problem, weights: Variables) {
  const { vocabulary, layers, heads, headSize, length, normEpsilon } = decoder;
  const half = headSize / 2, scale = headSize ** -0.5;
  const angles = rotaryAngles(decoder);
  const table = (part: 0 | 1) => tf.tensor(angles.filter((_, i) => i % 2 === part), [1, length, half]);
  const cosine = table(0), sine = table(1);
  const future = tf.tidy(() => tf.linalg.bandPart(tf.ones([length, length]), -1, 0).sub(1).mul(1e30));

  const linear = (x: Tensor, weight: Tensor) => tf.matMul(x, weight, false, true);
  const rmsNorm = (x: Tensor, weight: Tensor) =>
    x.mul(x.square().mean(-1, true).add(normEpsilon).rsqrt()).mul(weight);
  const byHeads = (x: Tensor) =>
    x.reshape([batch, length, heads, headSize]).transpose([0, 2, 1, 3]).reshape([
      batch * heads,
      length,
      headSize,
    ]);
  const turn = (x: Tensor) => {
    const [first, second] = tf.split(x, 2, -1) as [Tensor, Tensor];
    return tf.concat([
      first.mul(cosine).sub(second.mul(sine)),
      second.mul(cosine).add(first.mul(sine)),
    ], -1);
  };
  const attention = (q: Tensor, k: Tensor, v: Tensor) =>
    tf.matMul(tf.softmax(tf.matMul(q, k, false, true).mul(scale).add(future)), v)
      .reshape([batch, heads, length, headSize]).transpose([0, 2, 1, 3]).reshape([
        batch * length,
        heads * headSize,
      ]);

  const lossOf = (tokens: Tensor, targets: Tensor) => {
    const weight = (name: string) => weights[`${name}.weight`]!;
    let x: Tensor = tf.gather(weight("model.embed_tokens"), tokens as ReturnType<Library["tensor1d"]>);
    for (let layer = 0; layer < layers; layer++) {
      const part = (name: string) => weight(`model.layers.${layer}.${name}`);
      const y = rmsNorm(x, part("input_layernorm"));
      const q = turn(byHeads(linear(y, part("self_attn.q_proj"))));
      const k = turn(byHeads(linear(y, part("self_attn.k_proj"))));
      const v = byHeads(linear(y, part("self_attn.v_proj")));
      x = x.add(linear(attention(q, k, v), part("self_attn.o_proj")));
      const z = rmsNorm(x, part("post_attention_layernorm"));
      const gate = linear(z, part("mlp.gate_proj"));
      const inner = gate.mul(gate.sigmoid()).mul(linear(z, part("mlp.up_proj")));
      x = x.add(linear(inner, part("mlp.down_proj")));
    }
    const logits = linear(rmsNorm(x, weight("model.norm")), weight("lm_head"));
    return tf.losses.softmaxCrossEntropy(tf.oneHot(targets, vocabulary), logits).asScalar();
  };
  return { lossOf, constants: [cosine, sine, future] };
}
