"""Records tests/golden/network.json: small cases computed by PyTorch in float64.

Run with Debian's torch (apt-get install python3-torch), from anywhere:

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE /usr/bin/python3 tests/golden/record.py

The file has one entry per case. A tensor is {"shape": [...], "data": [...]}, row-major. A network case has "inputs",
"options", "output", "outputGradient" (fixed random numbers; absent where the output is a scalar) and "gradients", one
per differentiable input: d sum(output * outputGradient) / d input. A trajectory case has its start, its options and
one entry per step. Numbers differ between torch versions by rounding only.

The LoRA-Pro trajectories restate the method by hand: the equivalent gradient by projecting dL/dW itself, with
projectors from torch.linalg.pinv, and X from a Kronecker system, so that they share no formula in A's and B's
gradients with the TypeScript reference. Nothing is damped.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(20240718)


def normal(*shape, deviation=1.0):
    # Rounded to f32, so that a GPU test starts from exactly these numbers.
    return (torch.randn(*shape, generator=generator) * deviation).float().double()


def tensor(value):
    return {"shape": list(value.shape), "data": value.detach().flatten().tolist()}


def tensors(values):
    return {name: tensor(value) for name, value in values.items()}


def network_case(function, inputs, **options):
    """Output and gradients of `function` for named floating-point inputs."""
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    output = function(**leaves)
    case = {"options": options, "inputs": tensors(inputs), "output": tensor(output)}
    if output.dim() == 0:
        output.backward()
    else:
        output_gradient = normal(*output.shape)
        output.backward(output_gradient)
        case["outputGradient"] = tensor(output_gradient)
    case["gradients"] = {name: tensor(leaf.grad) for name, leaf in leaves.items()}
    return case


# ---- Parts of networks


def rms_norm(x, weight):
    return F.rms_norm(x, (x.shape[-1],), weight, eps=1e-5)


def layer_norm(x, weight, bias):
    return F.layer_norm(x, (x.shape[-1],), weight, bias, eps=1e-5)


def rotate_half(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


def frequencies(head_size, theta, llama3=None):
    """As Hugging Face's modeling_rope_utils has them, by cases of the wave length."""
    plain = theta ** (-torch.arange(0, head_size, 2).double() / head_size)
    if llama3 is None:
        return plain
    low_length = llama3["originalLength"] / llama3["lowFrequencyFactor"]
    high_length = llama3["originalLength"] / llama3["highFrequencyFactor"]
    out = []
    for frequency in plain.tolist():
        wave_length = 2 * math.pi / frequency
        if wave_length < high_length:
            out.append(frequency)
        elif wave_length > low_length:
            out.append(frequency / llama3["factor"])
        else:
            smooth = (llama3["originalLength"] / wave_length - llama3["lowFrequencyFactor"]) / (
                llama3["highFrequencyFactor"] - llama3["lowFrequencyFactor"]
            )
            out.append((1 - smooth) * frequency / llama3["factor"] + smooth * frequency)
    return torch.tensor(out)


def rotate(x, inverse_frequencies):
    """x is [batch, heads, length, head size]."""
    angles = torch.arange(x.shape[2]).double()[:, None] * inverse_frequencies[None]
    angles = torch.cat((angles, angles), dim=-1)
    return x * angles.cos() + rotate_half(x) * angles.sin()


def split_heads(x, batch, length, heads):
    return x.reshape(batch, length, heads, -1).transpose(1, 2)


def join_heads(x):
    batch, heads, length, size = x.shape
    return x.transpose(1, 2).reshape(batch * length, heads * size)


def rotary_case(batch, length, heads, head_size, theta, llama3=None):
    options = dict(batch=batch, length=length, heads=heads, headSize=head_size, theta=theta)
    if llama3 is not None:
        options["llama3"] = llama3
    turns = frequencies(head_size, theta, llama3)

    def function(x):
        return join_heads(rotate(split_heads(x, batch, length, heads), turns))

    return network_case(function, {"x": normal(batch * length, heads * head_size)}, **options)


def attention_case(batch, length, heads, key_value_heads, head_size, causal, theta):
    """Grouped-query attention; q and k are rotated first where theta is a number."""
    options = dict(batch=batch, length=length, heads=heads, keyValueHeads=key_value_heads, headSize=head_size)
    options.update(causal=causal, scale=head_size**-0.5, theta=theta)

    def function(q, k, v):
        q = split_heads(q, batch, length, heads)
        k = split_heads(k, batch, length, key_value_heads)
        v = split_heads(v, batch, length, key_value_heads)
        if theta is not None:
            q, k = (rotate(part, frequencies(head_size, theta)) for part in (q, k))
        k, v = (part.repeat_interleave(heads // key_value_heads, dim=1) for part in (k, v))
        return join_heads(F.scaled_dot_product_attention(q, k, v, is_causal=causal))

    rows = batch * length
    inputs = {
        "q": normal(rows, heads * head_size),
        "k": normal(rows, key_value_heads * head_size),
        "v": normal(rows, key_value_heads * head_size),
    }
    return network_case(function, inputs, **options)


def cross_entropy_case():
    targets = [3, -100, 0, 6, 6, -100]
    case = network_case(
        lambda logits: F.cross_entropy(logits, torch.tensor(targets), ignore_index=-100),
        {"logits": normal(6, 7, deviation=2.0)},
        count=4,
        ignore=-100,
    )
    case["targets"] = targets
    return case


# ---- AdamW


def adamw_case(weight_decay):
    """Five steps with given gradients."""
    start = normal(3, 5)
    gradients = [normal(3, 5, deviation=10.0**-step) for step in range(5)]
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([parameter], lr=0.01, weight_decay=weight_decay)
    steps = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        steps.append({"gradient": tensor(gradient), "parameter": tensor(parameter)})
    return {
        "options": {"learningRate": 0.01, "weightDecay": weight_decay},
        "start": tensor(start),
        "steps": steps,
    }


# ---- Low rank, on L(W) = |W - target|^2 / 2 with W = base + scale * B A, so that dL/dW = W - target

problem = {"base": normal(6, 5), "target": normal(6, 5)}
SCALE, RANK = 2.0, 2


def quadratic_loss(a, b):
    return ((problem["base"] + SCALE * b @ a - problem["target"]) ** 2).sum() / 2


def low_rank_case(a, b, step, **options):
    case = {
        "options": {"scale": SCALE, **options},
        "problem": tensors(problem),
        "start": {"a": tensor(a), "b": tensor(b)},
        "steps": [],
    }
    for _ in range(5):
        a, b = step(a, b)
        case["steps"].append({"a": tensor(a), "b": tensor(b), "loss": quadratic_loss(a, b).item()})
    return case


def raw_gradients(a, b):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    quadratic_loss(a, b).backward()
    return a.grad, b.grad


def lora_case(learning_rate):
    """torch.optim.AdamW on A and B, from B = 0."""
    a = torch.nn.Parameter(normal(RANK, 5, deviation=0.5))
    b = torch.nn.Parameter(torch.zeros(6, RANK))
    optimizer = torch.optim.AdamW([a, b], lr=learning_rate, weight_decay=0.0)

    def step(_a, _b):
        optimizer.zero_grad()
        quadratic_loss(a, b).backward()
        optimizer.step()
        return a.detach().clone(), b.detach().clone()

    return low_rank_case(a.detach().clone(), b.detach().clone(), step, learningRate=learning_rate)


def gauge_matrix(gauge, a, b, direction):
    """X of each choice for the full-size direction D, with gA = pinv(B) D / s before X."""
    particular = torch.linalg.pinv(b) @ direction / SCALE
    gram_a, gram_b = a @ a.T, b.T @ b
    if gauge == "zero":
        return torch.zeros(RANK, RANK)
    if gauge == "symmetric":
        return -torch.linalg.solve(gram_a, particular @ a.T, left=False) / 2
    eye = torch.eye(RANK)
    # Row-major vec: vec(P X) = (P x I) vec X, vec(X Q) = (I x Q^T) vec X.
    system = torch.kron(gram_b, eye) + torch.kron(eye, gram_a.T.contiguous())
    return torch.linalg.solve(system, -(particular @ a.T).flatten()).reshape(RANK, RANK)


def best_factor_gradients(gauge, a, b, direction):
    """The factor gradients whose equivalent gradient is closest to `direction`."""
    pinv_a, pinv_b = torch.linalg.pinv(a), torch.linalg.pinv(b)
    x = gauge_matrix(gauge, a, b, direction)
    off_b = direction - b @ pinv_b @ direction
    return pinv_b @ direction / SCALE + x @ a, off_b @ pinv_a / SCALE - b @ x


class Adam:
    """Adam's direction, written out."""

    def __init__(self):
        self.first = self.second = 0.0
        self.step = 0

    def direction(self, gradient, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.step += 1
        self.first = beta1 * self.first + (1 - beta1) * gradient
        self.second = beta2 * self.second + (1 - beta2) * gradient**2
        root = (self.second / (1 - beta2**self.step)).sqrt()
        return self.first / (1 - beta1**self.step) / (root + epsilon)


def lora_pro_full_case(gauge, learning_rate):
    adam = Adam()

    def step(a, b):
        gradient = problem["base"] + SCALE * b @ a - problem["target"]
        on_b, on_a = b @ torch.linalg.pinv(b), torch.linalg.pinv(a) @ a
        equivalent = on_b @ gradient + gradient @ on_a - on_b @ gradient @ on_a
        change_a, change_b = best_factor_gradients(gauge, a, b, adam.direction(equivalent))
        return a - learning_rate * change_a, b - learning_rate * change_b

    return low_rank_case(
        *lora_pro_start, step, mode="full", gauge=gauge, learningRate=learning_rate
    )


def lora_pro_efficient_case(gauge, learning_rate):
    adam_a, adam_b = Adam(), Adam()

    def step(a, b):
        gradient = problem["base"] + SCALE * b @ a - problem["target"]
        raw_a, raw_b = raw_gradients(a, b)
        torch.testing.assert_close(raw_a, SCALE * b.T @ gradient)
        torch.testing.assert_close(raw_b, SCALE * gradient @ a.T)
        change_a, change_b = best_factor_gradients(gauge, a, b, gradient)
        return a - learning_rate * adam_a.direction(change_a), b - learning_rate * adam_b.direction(change_b)

    return low_rank_case(
        *lora_pro_start, step, mode="efficient", gauge=gauge, learningRate=learning_rate
    )


def lora_pro_sgd_case(gauge, learning_rate):
    def step(a, b):
        gradient = problem["base"] + SCALE * b @ a - problem["target"]
        change_a, change_b = best_factor_gradients(gauge, a, b, gradient)
        return a - learning_rate * change_a, b - learning_rate * change_b

    return low_rank_case(*lora_pro_start, step, mode="sgd", gauge=gauge, learningRate=learning_rate)


cases = {
    "rms_norm": network_case(rms_norm, {"x": normal(4, 7), "weight": normal(7)}, epsilon=1e-5),
    "layer_norm": network_case(
        layer_norm, {"x": normal(4, 7), "weight": normal(7), "bias": normal(7)}, epsilon=1e-5
    ),
    "gelu": network_case(lambda x: F.gelu(x), {"x": normal(5, 5, deviation=2.0)}),
    "gelu_tanh": network_case(lambda x: F.gelu(x, approximate="tanh"), {"x": normal(5, 5, deviation=2.0)}),
    "quick_gelu": network_case(lambda x: x * torch.sigmoid(1.702 * x), {"x": normal(5, 5, deviation=2.0)}),
    "swiglu": network_case(
        lambda gate, up: F.silu(gate) * up, {"gate": normal(5, 5, deviation=2.0), "up": normal(5, 5)}
    ),
    "rotary": rotary_case(batch=2, length=5, heads=2, head_size=6, theta=10000.0),
    "rotary_llama3": rotary_case(
        batch=1,
        length=7,
        heads=1,
        head_size=10,
        theta=500.0,
        llama3=dict(factor=8.0, lowFrequencyFactor=1.0, highFrequencyFactor=4.0, originalLength=64),
    ),
    "attention_causal_grouped_rotary": attention_case(
        batch=2, length=5, heads=4, key_value_heads=2, head_size=6, causal=True, theta=10000.0
    ),
    "attention_plain": attention_case(
        batch=2, length=3, heads=2, key_value_heads=2, head_size=5, causal=False, theta=None
    ),
    "cross_entropy": cross_entropy_case(),
    "adamw": adamw_case(0.0),
    "adamw_weight_decay": adamw_case(0.01),
    "lora_adamw": lora_case(learning_rate=0.05),
}
lora_pro_start = (normal(RANK, 5, deviation=0.5), normal(6, RANK, deviation=0.5))
for gauge in ("sylvester", "zero", "symmetric"):
    cases[f"lora_pro_full_{gauge}"] = lora_pro_full_case(gauge, learning_rate=0.05)
    cases[f"lora_pro_efficient_{gauge}"] = lora_pro_efficient_case(gauge, learning_rate=0.05)
cases["lora_pro_sgd_sylvester"] = lora_pro_sgd_case("sylvester", learning_rate=0.05)

recorded = {"recordedWith": f"torch {torch.__version__}, float64", "cases": cases}
path = pathlib.Path(__file__).with_name("network.json")
path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n")
print(path, path.stat().st_size, "bytes")
for name, case in cases.items():
    if "problem" in case:
        print(name, [round(step["loss"], 6) for step in case["steps"]])
