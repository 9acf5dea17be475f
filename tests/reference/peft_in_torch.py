"""Logits of a Llama with an adapter in its weights, in float64, by PyTorch and PEFT's file rules alone.

    python3 tests/reference/peft_in_torch.py BASE ADAPTER… < tokens.json > logits.json

BASE has config.json and model.safetensors, each ADAPTER adapter_config.json and adapter_model.safetensors. Rows of tokens come
in, and for each adapter rows of logits go out.

Source: https://github.com/huggingface/peft 0.14: get_peft_model_state_dict (names), LoraLayer.get_delta_weight and rsLoRA's
scaling, DoraLinearLayer (length of each row), SVDLinear (AdaLoRA's triplets), get_pattern_key (patterns).
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
    paths = [name.removesuffix(f".lora_A{end}") for name in tensors if name.endswith(f".lora_A{end}")]
    for path in paths:
        assert any(path == one or path.endswith(f".{one}") for one in config["target_modules"]), path
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


def logits_of(config, weights, tokens):
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


def main(folder, *adapters):
    with open(f"{folder}/config.json") as file:
        config = json.load(file)
    base = read_safetensors(f"{folder}/model.safetensors")
    tokens = torch.tensor(json.load(sys.stdin))
    print(json.dumps([logits_of(config, with_adapter(base, one), tokens).tolist() for one in adapters]))


main(*sys.argv[1:])
