"""The training step in PyTorch on the processor, for `pytorch.ts`.

Called with the number of threads. Reads from stdin one line of JSON (the problem), then all weights as float32 and all
batches as int32 (tokens, then targets). After that each line is a number of steps to take, answered by a line of JSON:
their losses.
"""

import json
import os
import sys
import time

# Before the import: pools that were once larger go on spinning.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = sys.argv[1]

import torch
import torch.nn.functional as F


def rms_norm(x, weight, epsilon):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight


def turn(x, cosine, sine):
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


def loss_of(decoder, weights, angles, tokens, targets):
    heads, size, epsilon = decoder["heads"], decoder["headSize"], decoder["normEpsilon"]
    batch, length = tokens.shape

    def by_heads(x):
        return x.view(batch, length, heads, size).transpose(1, 2)

    x = F.embedding(tokens, weights["model.embed_tokens.weight"])
    for layer in range(decoder["layers"]):
        part = lambda name: weights[f"model.layers.{layer}.{name}.weight"]
        y = rms_norm(x, part("input_layernorm"), epsilon)
        q = turn(by_heads(F.linear(y, part("self_attn.q_proj"))), *angles)
        k = turn(by_heads(F.linear(y, part("self_attn.k_proj"))), *angles)
        v = by_heads(F.linear(y, part("self_attn.v_proj")))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(batch, length, heads * size)
        x = x + F.linear(mixed, part("self_attn.o_proj"))
        z = rms_norm(x, part("post_attention_layernorm"), epsilon)
        inner = F.silu(F.linear(z, part("mlp.gate_proj"))) * F.linear(z, part("mlp.up_proj"))
        x = x + F.linear(inner, part("mlp.down_proj"))
    logits = F.linear(rms_norm(x, weights["model.norm.weight"], epsilon), weights["lm_head.weight"])
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def read_array(shape, dtype):
    count = torch.Size(shape).numel()
    return torch.frombuffer(bytearray(sys.stdin.buffer.read(4 * count)), dtype=dtype).view(shape)


def main():
    problem = json.loads(sys.stdin.buffer.readline())
    decoder, adamw = problem["decoder"], problem["adamw"]
    weights = {
        name: read_array(shape, torch.float32).requires_grad_() for name, shape in problem["weights"]
    }
    shape = (problem["batch"], decoder["length"])
    batches = [
        tuple(read_array(shape, torch.int32).long() for _ in range(2)) for _ in range(problem["batches"])
    ]
    optimizer = torch.optim.AdamW(
        weights.values(),
        lr=adamw["learningRate"],
        betas=(adamw["beta1"], adamw["beta2"]),
        eps=adamw["epsilon"],
        weight_decay=adamw["weightDecay"],
    )
    pairs = torch.arange(decoder["headSize"] // 2, dtype=torch.float64) * -2 / decoder["headSize"]
    turns = torch.arange(decoder["length"]).double().outer(decoder["ropeTheta"] ** pairs)
    angles = (turns.cos().float(), turns.sin().float())

    def gradients_of(batch):
        optimizer.zero_grad()
        loss = loss_of(decoder, weights, angles, *batch)
        loss.backward()
        return loss

    times = []
    for _ in range(4):
        begun = time.perf_counter()
        gradients_of(batches[0])
        times.append(time.perf_counter() - begun)
    print(json.dumps({"version": torch.__version__, "gradientSeconds": min(times)}), flush=True)

    step = 0
    for line in sys.stdin.buffer:
        losses = []
        for _ in range(int(line)):
            losses.append(gradients_of(batches[step % len(batches)]).detach())
            optimizer.step()
            step += 1
        print(json.dumps([float(loss) for loss in losses]), flush=True)


main()
