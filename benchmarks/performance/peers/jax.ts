/** @file jax-js: the whole step, AdamW included, is one jitted function. (@jax-js/optax is not on npm.) */
import {
  type Array as Tensor,
  blockUntilReady,
  defaultDevice,
  init,
  jit,
  nn,
  numpy as np,
  valueAndGrad,
} from "@jax-js/jax";
import { rotaryAngles } from "../../../models/decoder.ts";
import type { Peer, Trainer } from "./peer.ts";
import type { Problem } from "./problem.ts";

type Weights = Record<string, Tensor>;
type State = { weights: Weights; m: Weights; v: Weights };

/** jax-js on two of its devices. */
export const peers: readonly Peer[] = (["webgpu", "wasm"] as const).map((backend) => ({
  name: "jax-js",
  backend,
  open: (problem) => open(problem, backend),
}));

async function open(problem: Problem, device: "webgpu" | "wasm"): Promise<Trainer> {
  if (!(await init(device)).includes(device)) throw new Error(`jax-js has no device "${device}" here`);
  const { learningRate, beta1, beta2, epsilon, weightDecay } = problem.adamw;
  const lossAndGradients = valueAndGrad(lossOf(problem, device));

  const update = jit(
    (state: State, tokens: Tensor, targets: Tensor, correction1: Tensor, correction2: Tensor) => {
      const [loss, gradients] = lossAndGradients(refs(state.weights), tokens, targets);
      const next: State = { weights: {}, m: {}, v: {} };
      for (const [name, g] of Object.entries(gradients as Weights)) {
        const m = state.m[name]!.mul(beta1).add(g.ref.mul(1 - beta1));
        const v = state.v[name]!.mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
        const direction = m.ref.mul(correction1.ref).div(np.sqrt(v.ref.mul(correction2.ref)).add(epsilon));
        next.weights[name] = state.weights[name]!.mul(1 - learningRate * weightDecay).sub(
          direction.mul(learningRate),
        );
        next.m[name] = m;
        next.v[name] = v;
      }
      correction1.dispose();
      correction2.dispose();
      return { loss, ...next };
    },
  );

  defaultDevice(device);
  const of = (make: (shape: number[], data: Float32Array<ArrayBuffer>) => Tensor): Weights =>
    Object.fromEntries(problem.weights.map(({ name, shape, data }) => [name, make([...shape], data)]));
  const zeros = (shape: number[]) => np.zeros(shape, { device });
  let state: State = {
    weights: of((shape, data) => np.array(data, { shape, device })),
    m: of(zeros),
    v: of(zeros),
  };
  let step = 0;
  return {
    async train(steps) {
      defaultDevice(device);
      const losses: Tensor[] = [];
      for (let i = 0; i < steps; i++) {
        step++;
        const { tokens, targets } = problem.batches[(step - 1) % problem.batches.length]!;
        const ids = (data: Int32Array<ArrayBuffer>) => np.array(data, { dtype: np.int32, device });
        const number = (value: number) => np.array([value], { device });
        const { loss, ...next } = update(
          state,
          ids(tokens.data),
          ids(targets.data),
          number(1 / (1 - beta1 ** step)),
          number(1 / (1 - beta2 ** step)),
        ) as State & { loss: Tensor };
        state = next;
        losses.push(loss);
      }
      await blockUntilReady(state.weights);
      return await Promise.all(losses.map(async (loss) => (await loss.data())[0]!));
    },
    [Symbol.asyncDispose]() {
      for (const weights of Object.values(state)) for (const value of Object.values(weights)) value.dispose();
      update.dispose();
      return Promise.resolve();
    },
  };
}

/** The decoder of `models/decoder.ts` and its mean cross-entropy. Each use of an array but the last takes a `ref`. */
function lossOf({ decoder, batch }: Problem, device: "webgpu" | "wasm") {
  const { vocabulary, layers, heads, headSize, length, normEpsilon } = decoder;
  const rows = batch * length, half = headSize / 2;
  const angles = rotaryAngles(decoder);
  const table = (part: 0 | 1) =>
    np.array(angles.filter((_, i) => i % 2 === part)).reshape([1, length, 1, half]);

  const linear = (x: Tensor, weight: Tensor) => np.matmul(x, weight.transpose());
  const rmsNorm = (x: Tensor, weight: Tensor) => {
    const square = np.mean(x.ref.mul(x.ref), -1, { keepdims: true });
    return x.div(np.sqrt(square.add(normEpsilon))).mul(weight);
  };
  const byHeads = (x: Tensor) => x.reshape([batch, length, heads, headSize]);
  const turn = (x: Tensor) => {
    const cosine = table(0), sine = table(1);
    const first = x.ref.slice([], [], [], [0, half]), second = x.slice([], [], [], [half, headSize]);
    return np.concatenate([
      first.ref.mul(cosine.ref).sub(second.ref.mul(sine.ref)),
      second.mul(cosine).add(first.mul(sine)),
    ], -1);
  };

  return (weights: Weights, tokens: Tensor, targets: Tensor): Tensor => {
    const weight = (name: string) => weights[`${name}.weight`]!;
    // The gradient of `take` is a shader that wgpu refuses in 0.1.25: on WebGPU rows are picked by a product.
    let x = device === "webgpu"
      ? np.matmul(nn.oneHot(tokens, vocabulary), weight("model.embed_tokens"))
      : np.take(weight("model.embed_tokens"), tokens, 0);
    for (let layer = 0; layer < layers; layer++) {
      const part = (name: string) => weight(`model.layers.${layer}.${name}`);
      const y = rmsNorm(x.ref, part("input_layernorm"));
      const q = turn(byHeads(linear(y.ref, part("self_attn.q_proj"))));
      const k = turn(byHeads(linear(y.ref, part("self_attn.k_proj"))));
      const v = byHeads(linear(y, part("self_attn.v_proj")));
      const mixed = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([rows, heads * headSize]);
      x = x.add(linear(mixed, part("self_attn.o_proj")));
      const z = rmsNorm(x.ref, part("post_attention_layernorm"));
      const gate = nn.silu(linear(z.ref, part("mlp.gate_proj")));
      x = x.add(linear(gate.mul(linear(z, part("mlp.up_proj"))), part("mlp.down_proj")));
    }
    const logits = linear(rmsNorm(x, weight("model.norm")), weight("lm_head"));
    const chosen = nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, vocabulary));
    return chosen.sum().mul(-1 / rows);
  };
}

function refs(weights: Weights): Weights {
  return Object.fromEntries(Object.entries(weights).map(([name, value]) => [name, value.ref]));
}
