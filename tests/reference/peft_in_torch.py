"""Logits of a Llama or a T5 with an adapter in its weights, in float64, by PyTorch and PEFT's file rules alone.

    python3 tests/reference/peft_in_torch.py < asked.json > logits.json

A list of {base, adapters, batch} comes in, and for each of its adapters rows of logits go out, in one list. The folder `base` has
config.json and model.safetensors, each of `adapters` adapter_config.json and adapter_model.safetensors. A batch has rows of
`tokens` for a Llama, and for a T5 `inputs`, their `mask`, and `read`, what the decoder reads.

Source: https://github.com/huggingface/peft 0.14: get_peft_model_state_dict (names), LoraLayer.get_delta_weight and rsLoRA's
scaling, DoraLinearLayer (length of each row), SVDLinear (AdaLoRA's triplets), get_pattern_key (patterns). T5:
https://github.com/huggingface/transformers, modeling_t5.py.
"""

import json
import math
import re
import sys

import torch
import torch.nn.functional as F

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + at for at in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).double()
    return tensors


def with_adapter(base, folder):
    with open(f"{folder}/adapter_config.json") as file:
        config = json.load(file)
    tensors = read_safetensors(f"{folder}/adapter_model.safetensors")
    prefix = "base_model.model."
    assert all(name.startswith(prefix) for name in tensors), folder
    tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    weights, used = dict(base), set()

    def take(name):
        used.add(name)
        return tensors[name]

    is_adalora = config["peft_type"] == "ADALORA"
    end = "" if is_adalora else ".weight"

    def is_target(path):
        return any(path == one or path.endswith(f".{one}") for one in config["target_modules"])

    paths = [name.removesuffix(f".lora_A{end}") for name in tensors if name.endswith(f".lora_A{end}")]
    # What PEFT would adapt and the file lacks would begin anew.
    missing = [name for name in base if is_target(name.removesuffix(".weight")) and name.removesuffix(".weight") not in paths]
    assert missing == [], missing
    for path in paths:
        assert is_target(path), path
        a, b = take(f"{path}.lora_A{end}"), take(f"{path}.lora_B{end}")
        rank = value_for(config.get("rank_pattern"), path, config["r"])
        alpha = value_for(config.get("alpha_pattern"), path, config["lora_alpha"])
        if is_adalora:
            change = b @ (a * take(f"{path}.lora_E")) * config["lora_alpha"] / (config["r"] + 1e-5)
        else:
            assert a.shape[0] == b.shape[1] == rank, path
            change = b @ a * (alpha / (math.sqrt(rank) if config["use_rslora"] else rank))
        if config["fan_in_fan_out"]:
            change = change.T
        weight = weights[f"{path}.weight"] + change
        if config.get("use_dora"):
            length = take(f"{path}.lora_magnitude_vector")
            weight = weight * (length / weight.norm(dim=1))[:, None]
        weights[f"{path}.weight"] = weight
    for name in set(tensors) - used:
        # What was trained itself stands for the base's.
        assert name.removesuffix(".weight").split(".")[-1] in (config.get("modules_to_save") or []), name
        weights[name] = tensors[name]
    return weights


def value_for(pattern, path, standard):
    for key, value in (pattern or {}).items() if not isinstance(pattern, list) else []:
        if re.match(rf"(.*\.)?({key})$", path) and not isinstance(value, list):
            return value
    return standard


def rms_norm(x, weight, epsilon):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight


def turn(x, cosine, sine):
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


def llama(config, weights, tokens):
    heads, kept = config["num_attention_heads"], config["num_key_value_heads"]
    size, epsilon = config["hidden_size"] // heads, config["rms_norm_eps"]
    texts, length = tokens.shape
    pairs = torch.arange(size // 2, dtype=torch.float64) * -2 / size
    turns = torch.arange(length).double().outer(config["rope_theta"] ** pairs)
    angles = (turns.cos(), turns.sin())

    def by_heads(x, count):
        return x.view(texts, length, count, size).transpose(1, 2)

    x = F.embedding(tokens, weights["model.embed_tokens.weight"])
    for layer in range(config["num_hidden_layers"]):
        part = lambda name: weights[f"model.layers.{layer}.{name}.weight"]
        y = rms_norm(x, part("input_layernorm"), epsilon)
        q = turn(by_heads(F.linear(y, part("self_attn.q_proj")), heads), *angles)
        k = turn(by_heads(F.linear(y, part("self_attn.k_proj")), kept), *angles)
        v = by_heads(F.linear(y, part("self_attn.v_proj")), kept)
        k, v = (one.repeat_interleave(heads // kept, dim=1) for one in (k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(texts, length, heads * size)
        x = x + F.linear(mixed, part("self_attn.o_proj"))
        z = rms_norm(x, part("post_attention_layernorm"), epsilon)
        inner = F.silu(F.linear(z, part("mlp.gate_proj"))) * F.linear(z, part("mlp.up_proj"))
        x = x + F.linear(inner, part("mlp.down_proj"))
    return F.linear(rms_norm(x, weights["model.norm.weight"], epsilon), weights["lm_head.weight"])


def bucket_of(distance, two_sided, buckets, furthest):
    """Of a key at position key - query = distance."""
    offset = 0
    if two_sided:
        buckets //= 2
        offset, distance = (buckets if distance > 0 else 0), abs(distance)
    else:
        distance = max(-distance, 0)
    exact = buckets // 2
    if distance < exact:
        return offset + distance
    share = math.log(distance / exact) / math.log(furthest / exact)
    return offset + min(buckets - 1, exact + int(share * (buckets - exact)))


def t5(config, weights, inputs, mask, read):
    heads, size, epsilon = config["num_heads"], config["d_kv"], config["layer_norm_epsilon"]
    buckets = config["relative_attention_num_buckets"], config.get("relative_attention_max_distance", 128)
    is_tied = config.get("tie_word_embeddings", True)

    def attention(root, x, looked, bias):
        def by_heads(part, y):
            return F.linear(y, weights[f"{root}.{part}.weight"]).view(*y.shape[:2], heads, size).transpose(1, 2)

        scores = by_heads("q", x) @ by_heads("k", looked).transpose(2, 3) + bias
        mixed = (scores.softmax(-1) @ by_heads("v", looked)).transpose(1, 2)
        return F.linear(mixed.reshape(*x.shape[:2], heads * size), weights[f"{root}.o.weight"])

    def feed_forward(root, x):
        part = lambda name, y: F.linear(y, weights[f"{root}.DenseReluDense.{name}.weight"])
        if config["feed_forward_proj"] == "relu":
            return part("wo", part("wi", x).relu())
        return part("wo", F.gelu(part("wi_0", x), approximate="tanh") * part("wi_1", x))

    def by_position(stack, length):
        table = weights[f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
        rows = [
            [bucket_of(key - query, stack == "encoder", *buckets) for key in range(length)] for query in range(length)
        ]
        return table[torch.tensor(rows)].permute(2, 0, 1)[None]

    def run(stack, layers, x, bias, encoded=None):
        for layer in range(layers):
            root = f"{stack}.block.{layer}.layer"
            norm = lambda place: rms_norm(x, weights[f"{root}.{place}.layer_norm.weight"], epsilon)
            y = norm(0)
            x = x + attention(f"{root}.0.SelfAttention", y, y, bias)
            if encoded is not None:
                x = x + attention(f"{root}.1.EncDecAttention", norm(1), encoded, hidden)
            last = 1 if encoded is None else 2
            x = x + feed_forward(f"{root}.{last}", norm(last))
        return rms_norm(x, weights[f"{stack}.final_layer_norm.weight"], epsilon)

    hidden = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(mask == 0, -math.inf)[:, None, None, :]
    x = F.embedding(inputs, weights["shared.weight"])
    encoded = run("encoder", config["num_layers"], x, by_position("encoder", inputs.shape[1]) + hidden)
    length = read.shape[1]
    later = torch.full((length, length), -math.inf, dtype=torch.float64).triu(1)
    x = F.embedding(read, weights["shared.weight"])
    x = run("decoder", config["num_decoder_layers"], x, by_position("decoder", length) + later, encoded)
    if is_tied:
        return F.linear(x * config["d_model"] ** -0.5, weights["shared.weight"])
    return F.linear(x, weights["lm_head.weight"])


def main():
    found = []
    for asked in json.load(sys.stdin):
        with open(f"{asked['base']}/config.json") as file:
            config = json.load(file)
        base = read_safetensors(f"{asked['base']}/model.safetensors")
        batch = {name: torch.tensor(rows) for name, rows in asked["batch"].items()}
        model = {"llama": llama, "t5": t5}[config["model_type"]]
        found += [model(config, with_adapter(base, one), **batch).tolist() for one in asked["adapters"]]
    print(json.dumps(found))


main()
