"""Records tests/golden/methods.json: five steps of every fine-tuning method, computed by PyTorch in float64.

Run with Debian's torch (apt-get install python3-torch), from anywhere:

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE /usr/bin/python3 tests/golden/methods.py

All methods train one network, y = V gelu(W x + b) + c with W [5, 7] (wide) and V [9, 5] (tall), on one batch of 17
rows; the loss is |y - target|^2 / (2 rows). c is the head, which every method trains with AdamW.

Methods are restated from their papers, and from what methods.md (section 7) takes as default where definitions differ;
nothing here is taken from the TypeScript. Gradients of what is trained are always autograd's. AdamW is
torch.optim.AdamW wherever a method ends in AdamW as it is. LoRA-Pro acts on dL/dW itself, with projectors from
torch.linalg.pinv; X "sylvester" is the least-squares solution of least norm, which needs no Sylvester equation.

The file holds "problem" (weights, biases, x, target) and "cases" by name:

    method, options, learningRate   what to run; other options are at their defaults
    computed    true where the method's start follows from weights and gradients: "start" is then to be met; false where
                it is random: "start" is then to be written before the first step
    start       tensors by name: "<site>.A" [rank, in], "<site>.B" [out, rank], "<site>.magnitude" [out],
                "<site>.E" [rank], "<site>.weight", "<site>.bias"
    startWeights  effective weight of each site at the start, where it is computed
    steps       for each of five steps "loss" before it, and after it "trained", what it changed by name
    weights     effective weight of each site after the last step, which follows from what is trained

A tensor is {"shape": [...], "data": [...]}, row-major. Numbers have 10 significant digits: an f32 start reads back to
the same f32, and what is compared to 1e-5 of a change is exact far beyond that. They differ between torch versions by
rounding.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(20250711)

STEPS = 5
ROWS = 17
SHAPES = {"wide": (5, 7), "tall": (9, 5)}
SITES = tuple(SHAPES)
HEAD = "tall.bias"


def rounded(value):
    """To f32, so that a GPU starts from exactly these numbers."""
    return value.float().double()


def normal(*shape, deviation=1.0):
    return rounded(torch.randn(*shape, generator=generator) * deviation)


def tensor(value):
    return {"shape": list(value.shape), "data": [float(f"{v:.10g}") for v in value.detach().flatten().tolist()]}


def tensors(values):
    return {name: tensor(value) for name, value in values.items()}


# ---- The problem

base = {site: normal(out, inputs, deviation=inputs**-0.5) for site, (out, inputs) in SHAPES.items()}
bias = {site: normal(out, deviation=0.1) for site, (out, _) in SHAPES.items()}
x = normal(ROWS, SHAPES["wide"][1])


def output(weights, head, middle=bias["wide"]):
    hidden = F.gelu(x @ weights["wide"].T + middle)
    return hidden @ weights["tall"].T + head


# Out of reach of any change of low rank, so that five steps leave gradients of a good size.
target = rounded(
    output(
        {site: weight + normal(*weight.shape, deviation=0.7) for site, weight in base.items()},
        bias["tall"] + normal(SHAPES["tall"][0], deviation=1.0),
    )
)


def loss_of(weights, head, middle=bias["wide"]):
    return ((output(weights, head, middle) - target) ** 2).sum() / (2 * ROWS)


@torch.enable_grad()
def full_gradients(weights=base, head=bias["tall"]):
    """dL/dW of each site."""
    leaves = {site: weights[site].detach().clone().requires_grad_() for site in SITES}
    loss_of(leaves, head.detach()).backward()
    return {site: leaf.grad for site, leaf in leaves.items()}


# ---- One trajectory


class Run:
    """A method on its way: tensors by name, of which `trained` names those that it changes."""

    def __init__(self, values, trained=None, frozen=None):
        self.values = {name: value.detach().clone() for name, value in values.items()}
        self.values[HEAD] = bias["tall"].clone()
        self.trained = [*(values if trained is None else trained), HEAD]
        self.frozen = {site: weight.clone() for site, weight in (frozen or base).items()}
        self.parameters = {name: torch.nn.Parameter(self.values[name]) for name in self.trained}

    def __getitem__(self, name):
        parameter = self.parameters.get(name)
        return self.values[name] if parameter is None else parameter

    def __setitem__(self, name, value):
        with torch.no_grad():
            self.parameters[name].copy_(value)

    def backward(self, weights, penalty=None):
        """Puts d (loss + penalty) / d parameter into every parameter's grad; returns the loss alone."""
        for parameter in self.parameters.values():
            parameter.grad = None
        loss = loss_of(weights(self), self[HEAD], self.parameters.get("wide.bias", bias["wide"]))
        (loss if penalty is None else loss + penalty(self)).backward()
        return loss.item()

    def state(self):
        return {name: parameter.detach().clone() for name, parameter in self.parameters.items()}


def record(method, options, rate, run, weights, update, computed=False, penalty=None):
    """Five steps of `update(step)`, which reads gradients from the parameters of `run` and changes them."""
    case = {
        "method": method,
        "options": options,
        "learningRate": rate,
        "computed": computed,
        "start": tensors({**run.values, **run.state()}),
        "steps": [],
    }
    if computed:
        case["startWeights"] = tensors(weights(run))
    for step in range(1, STEPS + 1):
        loss = run.backward(weights, penalty)
        with torch.no_grad():
            update(step)
        case["steps"].append({"loss": loss, "trained": tensors(run.state())})
    case["weights"] = tensors(weights(run))
    return case


ADAMW = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.0}


class Adam:
    """Adam's direction of one tensor, written out."""

    def __init__(self, options):
        self.beta1, self.beta2, self.epsilon, _ = settings(options)
        self.first = self.second = 0.0
        self.step = 0

    def direction(self, gradient):
        self.step += 1
        self.first = self.beta1 * self.first + (1 - self.beta1) * gradient
        self.second = self.beta2 * self.second + (1 - self.beta2) * gradient**2
        root = (self.second / (1 - self.beta2**self.step)).sqrt()
        return self.first / (1 - self.beta1**self.step) / (root + self.epsilon)


def settings(options):
    """Beta 1 and 2, epsilon and weight decay."""
    return [options.get(name, default) for name, default in ADAMW.items()]


def adamw(run, rate, options, names=None):
    """torch's AdamW over the named parameters (all where none are named), which follows what is in their grad."""
    beta1, beta2, epsilon, decay = settings(options)
    chosen = [run.parameters[name] for name in (run.trained if names is None else names)]
    return torch.optim.AdamW(chosen, lr=rate, betas=(beta1, beta2), eps=epsilon, weight_decay=decay)


# ---- Low-rank starts and weights


def scale_of(options):
    rank, alpha = options["rank"], options["alpha"]
    return alpha / math.sqrt(rank) if options.get("scaling") == "alpha/sqrt(r)" else alpha / rank


def random_factors(rank, b_deviation):
    """A as LoRA starts it; B normal, or 0."""
    values = {}
    for site, (out, inputs) in SHAPES.items():
        bound = inputs**-0.5
        values[f"{site}.A"] = rounded((torch.rand(rank, inputs, generator=generator) * 2 - 1) * bound)
        values[f"{site}.B"] = normal(out, rank, deviation=b_deviation)
    return values


def orthonormal_factors(rank):
    """A with orthonormal rows and B with orthogonal columns: full ranks at which inverses lose no digits."""
    values = {}
    for site, (out, inputs) in SHAPES.items():
        values[f"{site}.A"] = rounded(torch.linalg.qr(normal(inputs, rank)).Q.T)
        values[f"{site}.B"] = rounded(0.5 * torch.linalg.qr(normal(out, rank)).Q)
    return values


def random_triplets(rank, deviation, e_deviation):
    """AdaLoRA's P (as B), E and Q (as A)."""
    values = {}
    for site, (out, inputs) in SHAPES.items():
        values[f"{site}.A"] = normal(rank, inputs, deviation=deviation)
        values[f"{site}.B"] = normal(out, rank, deviation=deviation)
        values[f"{site}.E"] = normal(rank, deviation=e_deviation)
    return values


def pair(run, site):
    return run[f"{site}.A"], run[f"{site}.B"]


def product_weights(scale):
    def weights(run):
        return {site: run.frozen[site] + scale * run[f"{site}.B"] @ run[f"{site}.A"] for site in SITES}

    return weights


def signed_svd(matrix):
    """U, S, V^T with the largest entry of each right vector positive."""
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    sign = torch.gather(vt, 1, vt.abs().argmax(dim=1, keepdim=True)).sign()
    return u * sign.T, s, vt * sign


def folded(values, scale):
    """The frozen weights less the product that a start begins with."""
    return {site: base[site] - scale * values[f"{site}.B"] @ values[f"{site}.A"] for site in SITES}


def lora_like(method, options, rate, values, frozen=None, computed=False, **given):
    """Whatever ends in torch's AdamW on A and B as autograd sees them."""
    run = Run(values, frozen=frozen)
    optimizer = adamw(run, rate, options)
    return record(
        method,
        options,
        rate,
        run,
        product_weights(scale_of(options | given)),
        lambda _: optimizer.step(),
        computed=computed,
    )


# ---- Full fine-tuning


def full_case(options, rate):
    values = {f"{site}.weight": base[site] for site in SITES}
    if options["trains"] == "all":
        values["wide.bias"] = bias["wide"]
    run = Run(values)
    optimizer = adamw(run, rate, options)
    return record(
        "full",
        options,
        rate,
        run,
        lambda run: {site: run[f"{site}.weight"] for site in SITES},
        lambda _: optimizer.step(),
        computed=True,
    )


# ---- LoRA+: B's learning rate is a multiple of A's


def lora_plus_case(options, rate, values):
    run = Run(values)
    b_names = [name for name in run.trained if name.endswith(".B")]
    others = [name for name in run.trained if name not in b_names]
    optimizers = [adamw(run, rate, options, others), adamw(run, rate * options["ratio"], options, b_names)]
    return record(
        "lora-plus",
        options,
        rate,
        run,
        product_weights(scale_of(options)),
        lambda _: [optimizer.step() for optimizer in optimizers],
    )


# ---- PiSSA: the principal part of W is trained


def pissa_start(rank, scale):
    values = {}
    for site in SITES:
        u, s, vt = signed_svd(base[site])
        root = (s[:rank] / scale).sqrt()
        values[f"{site}.A"] = root[:, None] * vt[:rank]
        values[f"{site}.B"] = u[:, :rank] * root
    return values


def pissa_case(options, rate):
    scale = scale_of(options)
    values = pissa_start(options["rank"], scale)
    return lora_like("pissa", options, rate, values, frozen=folded(values, scale), computed=True)


# ---- MiLoRA: the minor part; OLoRA: the first columns of a QR decomposition


def milora_case(options, rate):
    rank, scale, values = options["rank"], scale_of(options), {}
    for site in SITES:
        u, s, vt = signed_svd(base[site])
        root = (s[-rank:] / scale).sqrt()
        values[f"{site}.A"] = root[:, None] * vt[-rank:]
        values[f"{site}.B"] = u[:, -rank:] * root
    return lora_like("milora", options, rate, values, frozen=folded(values, scale), computed=True)


def olora_case(options, rate):
    rank, scale, values = options["rank"], scale_of(options), {}
    for site in SITES:
        q, r = torch.linalg.qr(base[site])
        sign = r.diagonal().sign()[:rank]
        values[f"{site}.A"], values[f"{site}.B"] = sign[:, None] * r[:rank], q[:, :rank] * sign
    return lora_like("olora", options, rate, values, frozen=folded(values, scale), computed=True)


# ---- EVA, CorDA and LoRA-Null: starts that depend on inputs


def inputs_of_sites():
    """Rows that each site takes in."""
    return {"wide": x, "tall": F.gelu(x @ base["wide"].T + bias["wide"])}


def eva_case(options, rate):
    values = {}
    for site, inputs in inputs_of_sites().items():
        _, _, vt = signed_svd(inputs)
        values[f"{site}.A"] = vt[: options["rank"]]
        values[f"{site}.B"] = torch.zeros(SHAPES[site][0], options["rank"])
    return lora_like("eva", options, rate, values, computed=True)


def split(u, s, vt, scale):
    root = (s / scale).sqrt()
    return root[:, None] * vt, u * root


def corda_case(options, rate):
    rank, scale, values = options["rank"], scale_of(options), {}
    part = slice(-rank, None) if options.get("mode") == "kpm" else slice(rank)
    for site, inputs in inputs_of_sites().items():
        c = inputs.T @ inputs
        c = c / c.diagonal().mean() + options.get("damping", 0.01) * torch.eye(len(c))
        u, s, vt = signed_svd(base[site] @ c)
        triplets = u[:, part], s[part], torch.linalg.solve(c, vt[part], left=False)
        values[f"{site}.A"], values[f"{site}.B"] = split(*triplets, scale)
    return lora_like("corda", options, rate, values, frozen=folded(values, scale), computed=True)


def lora_null_case(options, rate):
    rank, scale, values = options["rank"], scale_of(options), {}
    for site, inputs in inputs_of_sites().items():
        _, _, vt = torch.linalg.svd(inputs)
        null = vt[-rank:].T
        u, s, vt = signed_svd(base[site] @ null @ null.T)
        values[f"{site}.A"], values[f"{site}.B"] = split(u[:, :rank], s[:rank], vt[:rank], scale)
    return lora_like("lora-null", options, rate, values, frozen=folded(values, scale), computed=True)


# ---- DoRA: a magnitude for each row, and a direction of norm 1 whose norm is a constant in backward


def dora_case(options, rate, values):
    scale = scale_of(options)
    plain = product_weights(scale)
    values = dict(values)
    run = Run(values)
    for site, weight in plain(run).items():
        values[f"{site}.magnitude"] = weight.norm(dim=1).detach()
    run = Run(values)

    def weights(run):
        out = {}
        for site, weight in plain(run).items():
            norm = weight.norm(dim=1, keepdim=True).detach()
            out[site] = run[f"{site}.magnitude"][:, None] * weight / norm
        return out

    optimizer = adamw(run, rate, options)
    return record("dora", options, rate, run, weights, lambda _: optimizer.step())


# ---- LoRA-GA: the start's first step follows the full gradient


def lora_ga_start(options, scale):
    rank, gamma = options["rank"], options.get("gamma", 16)
    direction, size = options.get("direction", "ArB2r"), options.get("startScale", "stable")
    values = {}
    for site, gradient in full_gradients().items():
        u, _, vt = signed_svd(gradient)
        columns = {
            "ArB2r": (range(0, rank), range(rank, 2 * rank)),
            "A2rBr": (range(rank, 2 * rank), range(0, rank)),
            "ArBr": (range(1, 2 * rank, 2), range(0, 2 * rank, 2)),
        }[direction]
        of_a, of_b = (list(part) for part in columns)
        times = {
            "stable": gradient.shape[0] ** 0.25 / math.sqrt(gamma),
            "gd": 1 / scale,
            "unit": 1.0,
            "weightS": (torch.linalg.svdvals(base[site])[:rank] / scale).sqrt().mean().item(),
        }[size]
        values[f"{site}.A"] = times * vt[of_a]
        values[f"{site}.B"] = times * u[:, of_b]
    return values


def lora_ga_case(options, rate):
    scale = scale_of(options)
    values = lora_ga_start(options, scale)
    return lora_like("lora-ga", options, rate, values, frozen=folded(values, scale), computed=True)


# ---- LoRA-Pro: the factor gradients whose equivalent gradient is nearest to the full one


def nearest_gradients(gauge, a, b, scale, wanted):
    """(gA, gB) with s (B gA + gB A) nearest to `wanted`, of W's size: no damping, no gradient of a factor."""
    if not b.any():
        # Exactly 0, where a decomposition leaves rounding that Adam would blow up.
        return torch.zeros_like(a), wanted @ torch.linalg.pinv(a) / scale
    if gauge == "sylvester":
        # Of all solutions the shortest: row-major vec(B gA) = (B x I) vec gA, vec(gB A) = (I x A^T) vec gB.
        turned = a.T.clone(memory_format=torch.contiguous_format)
        system = torch.cat((torch.kron(b, torch.eye(a.shape[1])), torch.kron(torch.eye(len(b)), turned)), dim=1)
        both = torch.linalg.pinv(scale * system) @ wanted.flatten()
        return both[: a.numel()].reshape(a.shape), both[a.numel() :].reshape(b.shape)
    pinv_a, pinv_b = torch.linalg.pinv(a), torch.linalg.pinv(b)
    on_a, on_b = pinv_a @ a, b @ pinv_b
    # The overlap P_B D P_A goes to A's part, or half to each.
    share = {"zero": 0.0, "symmetric": 0.5}[gauge]
    rest_a, rest_b = wanted - share * wanted @ on_a, wanted - (1 - share) * on_b @ wanted
    return pinv_b @ rest_a / scale, rest_b @ pinv_a / scale


def damped_gradients(gauge, a, b, scale, raw_a, raw_b, options):
    """Theorem 2.1's closed form in the factors' own gradients, every Gram matrix with its damping."""
    eye = torch.eye(len(a))

    def damped(gram):
        relative, absolute = options["relativeDamping"], options.get("absoluteDamping", 0.0)
        return gram + (relative * gram.diagonal().mean() + absolute) * eye

    gram_a, gram_b = damped(a @ a.T), damped(b.T @ b)
    particular = torch.linalg.solve(gram_b, raw_a) / scale**2
    if gauge == "zero":
        gauge_x = torch.zeros_like(gram_a)
    elif gauge == "symmetric":
        gauge_x = -torch.linalg.solve(gram_a, particular @ a.T, left=False) / 2
    else:
        # Row-major vec(P X) = (P x I) vec X, vec(X Q) = (I x Q^T) vec X.
        system = torch.kron(gram_b, eye) + torch.kron(eye, gram_a.T.contiguous())
        gauge_x = torch.linalg.solve(system, -(particular @ a.T).flatten()).reshape(gram_a.shape)
    off_b = raw_b - b @ torch.linalg.solve(gram_b, b.T @ raw_b)
    return particular + gauge_x @ a, torch.linalg.solve(gram_a, off_b, left=False) / scale**2 - b @ gauge_x


def lora_pro_update(run, options, rate, scale):
    """Algorithms 1 and 2, and the efficient mode, for every site; the head follows AdamW."""
    mode, gauge = options.get("mode", "full"), options.get("gauge", "sylvester")
    cap, decay = options.get("cap", 0), options.get("weightDecay", 0.0)
    undamped = options["relativeDamping"] == 0 and "absoluteDamping" not in options
    head = adamw(run, rate, options, [HEAD])
    moments = {site: Adam(options) for site in SITES}
    factors = adamw(run, rate, options, [name for name in run.trained if name != HEAD])

    def adjusted(site, gauge, wanted):
        a, b = (part.detach() for part in pair(run, site))
        if undamped:
            return nearest_gradients(gauge, a, b, scale, wanted)
        # A wanted direction D acts through the factors' gradients that it would have: s B^T D and s D A^T.
        return damped_gradients(gauge, a, b, scale, scale * b.T @ wanted, scale * wanted @ a.T, options)

    def update(_):
        full = full_gradients(product_weights(scale)(run), run[HEAD])
        for site in SITES:
            a, b = (part.detach() for part in pair(run, site))
            torch.testing.assert_close(run[f"{site}.A"].grad, scale * b.T @ full[site])
            torch.testing.assert_close(run[f"{site}.B"].grad, scale * full[site] @ a.T)
            wanted = full[site]
            if mode == "full":
                zero_a, zero_b = adjusted(site, "zero", wanted)
                wanted = moments[site].direction(scale * (b @ zero_a + zero_b @ a))
            step_a, step_b = adjusted(site, gauge, wanted)
            if mode == "efficient":
                run[f"{site}.A"].grad, run[f"{site}.B"].grad = step_a, step_b
                continue
            if cap > 0:
                step_a = step_a * min(1.0, (cap * a.norm() / (rate * step_a.norm())).item())
            keep = (1 - rate * decay) ** (0.5 if mode == "full" else 1)
            run[f"{site}.A"] = keep * a - rate * step_a
            run[f"{site}.B"] = keep * b - rate * step_b
        if mode == "efficient":
            factors.step()
        head.step()

    return update


def lora_pro_case(options, rate, values):
    scale = scale_of(options)
    run = Run(values)
    return record(
        "lora-pro", options, rate, run, product_weights(scale), lora_pro_update(run, options, rate, scale)
    )


def lora_ga_pro_case(options, rate):
    scale = scale_of(options)
    values = lora_ga_start(options, scale)
    run = Run(values, frozen=folded(values, scale))
    return record(
        "lora-ga-pro",
        options,
        rate,
        run,
        product_weights(scale),
        lora_pro_update(run, options, rate, scale),
        computed=True,
    )


# ---- LoRA-FA: A stays; B follows the best approximation of the full gradient in A's rows


def lora_fa_case(options, rate, values):
    scale = scale_of(options)
    run = Run(values, trained=[f"{site}.B" for site in SITES])
    settled = {"epsilon": 1e-6} | options
    optimizer = adamw(run, rate, settled, [name for name in run.trained if name != HEAD])
    head = adamw(run, rate, settled, [HEAD])
    (group,) = optimizer.param_groups

    def update(step):
        if options.get("epsilonTo") == "raw":
            # PEFT's sqrt(v) + epsilon, times sqrt(1 - beta2^t) after it is torch's sqrt(v^) + this.
            group["eps"] = settled["epsilon"] / math.sqrt(1 - settings(settled)[1] ** step)
        full = full_gradients(product_weights(scale)(run), run[HEAD])
        for site in SITES:
            a, b = pair(run, site)
            if options.get("correction", "inverse") == "inverse":
                # s gB A is the full gradient's projection on A's rows; PEFT's damping of 1e-8 is too small to tell.
                b.grad = full[site] @ torch.linalg.pinv(a) / scale
        optimizer.step()
        head.step()

    return record("lora-fa", options, rate, run, product_weights(scale), update)


# ---- Scaled AdamW: each factor's gradient in the metric of the other


def scaled_adamw_case(options, rate, values, order=None, method="scaled-adamw", computed=False):
    scale, order, damping = scale_of(options), order or options["order"], options["damping"]
    run = Run(values)
    eye = torch.eye(options["rank"])
    a_names, b_names = ([f"{site}.{factor}" for site in SITES] for factor in "AB")
    first, second = adamw(run, rate, options, [*a_names, HEAD]), adamw(run, rate, options, b_names)

    def turn_b():
        for site in SITES:
            a, b = pair(run, site)
            b.grad = torch.linalg.solve(a @ a.T + damping * eye, b.grad, left=False)

    def update(_):
        for site in SITES:
            a, b = pair(run, site)
            a.grad = torch.linalg.solve(b.T @ b + damping * eye, a.grad)
        if order == "simultaneous":
            turn_b()
        first.step()
        if order == "sequential":
            # The gradient is that of the old factors, the metric that of the new A.
            turn_b()
        second.step()

    return record(method, options, rate, run, product_weights(scale), update, computed=computed)


# ---- LoRA-RITE: Adam with r x r second moments, in bases that any regauging of the factors leaves as they are


class Rite:
    """Moments of one factor Z [size, r] (B, or A^T), in the orthonormal basis Q of the other factor's columns."""

    def __init__(self, size, rank):
        self.second, self.first = torch.zeros(rank, rank), torch.zeros(size, rank)
        self.basis = None

    def update(self, step, gradient, basis, beta1, beta2, epsilon, floor):
        """The direction in the new basis, for a gradient in it."""
        turn = torch.eye(self.second.shape[0]) if self.basis is None else basis.T @ self.basis
        self.basis = basis
        # Adam's corrections of the start, as decays that grow: the moments are then means themselves.
        decay1, decay2 = (b * (1 - b ** (step - 1)) / (1 - b**step) for b in (beta1, beta2))
        self.second = (1 - decay2) * gradient.T @ gradient / len(gradient) + decay2 * turn @ self.second @ turn.T
        values, vectors = torch.linalg.eigh((self.second + self.second.T) / 2)
        root = vectors @ torch.diag(1 / (values.clamp(min=0).sqrt() + epsilon)) @ vectors.T
        if values.min() < floor * values.max():
            root = torch.zeros_like(root)
        self.first = (1 - decay1) * gradient @ root + decay1 * self.first @ turn.T
        return self.first


def lora_rite_case(options, rate, values):
    scale, rank, clip, skip = scale_of(options), options["rank"], options["clipNorm"], options["skipAbove"]
    floor = options["momentFloor"]
    beta1, beta2, epsilon, decay = settings({"epsilon": 1e-6} | options)
    run = Run(values)
    head = adamw(run, rate, {"epsilon": 1e-6} | options, [HEAD])
    moments = {
        f"{site}.{factor}": Rite(SHAPES[site][1 if factor == "A" else 0], rank) for site in SITES for factor in "AB"
    }

    def update(step):
        unmagnified, bases, inverses = {}, {}, {}
        for site in SITES:
            a, b = pair(run, site)
            for name, gradient, other in ((f"{site}.A", a.grad.T, b), (f"{site}.B", b.grad, a.T)):
                bases[name], triangle = torch.linalg.qr(other.detach())
                inverses[name] = torch.linalg.pinv(triangle)
                turned = gradient @ inverses[name]
                too_large = skip > 0 and turned.square().mean().sqrt() > skip
                unmagnified[name] = torch.zeros_like(turned) if too_large else turned
        norm = math.sqrt(sum(part.square().sum().item() for part in unmagnified.values()))
        shrink = clip / norm if 0 < clip < norm else 1.0
        for name, gradient in unmagnified.items():
            part = gradient * shrink
            direction = moments[name].update(step, part, bases[name], beta1, beta2, epsilon, floor)
            change = direction @ inverses[name].T
            run[name] = (1 - rate * decay) * run[name] - rate * (change.T if name.endswith(".A") else change)
        head.step()

    return record("lora-rite", options, rate, run, product_weights(scale), update)


# ---- LoRA-One: the start is a step of its own, along the best approximation of the negative gradient


def lora_one_start(options):
    rank, gamma = options["rank"], options["gamma"]
    values = {}
    for site, gradient in full_gradients().items():
        u, s, vt = signed_svd(-gradient)
        root = (s[:rank] / s[0]).sqrt() / math.sqrt(gamma)
        if options["startScale"] == "stable":
            root = root * gradient.shape[0] ** 0.25 / 4
        values[f"{site}.A"] = root[:, None] * vt[:rank]
        values[f"{site}.B"] = u[:, :rank] * root
    return values


def lora_one_case(options, rate):
    if options.get("preconditioned"):
        start = lora_one_start(options)
        return scaled_adamw_case(options, rate, start, order="sequential", method="lora-one", computed=True)
    return lora_like("lora-one", options, rate, lora_one_start(options), computed=True)


# ---- AdaLoRA: W + s P diag(E) Q, whose triplets compete for a budget


def adalora_case(options, rate, values):
    target, total = options["rank"], STEPS
    rank = options.get("initialRank") or math.ceil(1.5 * target)
    start, end, every = options["tinit"], options["tfinal"], options["deltaT"]
    beta1, beta2 = options.get("importanceBeta", 0.85), options.get("uncertaintyBeta", 0.85)
    scale = options["alpha"] / (rank + 1e-5)
    run = Run(values)
    optimizer = adamw(run, rate, options)
    parts = {site: [f"{site}.{kind}" for kind in "EAB"] for site in SITES}
    importance, uncertainty = ({name: 0.0 for name in run.trained} for _ in range(2))
    budgets = []

    def weights(run):
        return {
            site: run.frozen[site] + scale * run[f"{site}.B"] * run[f"{site}.E"] @ run[f"{site}.A"] for site in SITES
        }

    def penalty(run):
        eye = torch.eye(rank)
        terms = []
        for site in SITES:
            a, b = pair(run, site)
            terms += [torch.linalg.norm(a @ a.T - eye), torch.linalg.norm(b.T @ b - eye)]
        return options.get("orthogonality", 0.5) * sum(terms) / len(terms)

    def score(name):
        return importance[name] * uncertainty[name]

    def triplets(site):
        e, a, b = parts[site]
        return score(e) + score(a).mean(dim=1) + score(b).mean(dim=0)

    def update(step):
        optimizer.step()
        step += options.get("firstStep", 1) - 1
        if step < total - end:
            for site in SITES:
                for name in parts[site]:
                    now = (run[name] * run[name].grad).abs()
                    importance[name] = beta1 * importance[name] + (1 - beta1) * now
                    uncertainty[name] = beta2 * uncertainty[name] + (1 - beta2) * (now - importance[name]).abs()
        whole, least = rank * len(SITES), target * len(SITES)
        if step <= start:
            return
        if step >= total - end:
            budget = least
        else:
            left = 1 - (step - start) / (total - end - start)
            budget = int((whole - least) * left**3 + least)
            if step % every != 0:
                return
        budgets.append(budget)
        scores = {site: triplets(site) for site in SITES}
        ranked = torch.cat([*scores.values()]).sort().values
        dropped = whole - budget
        if dropped > 0:
            for site in SITES:
                run[f"{site}.E"] = torch.where(scores[site] <= ranked[dropped - 1], 0.0, run[f"{site}.E"])

    case = record("adalora", options, rate, run, weights, update, penalty=penalty)
    print("AdaLoRA's budgets:", budgets)
    return case


# ---- AltLoRA: one factor a step, each nearest to the full gradient with the other as it is


def altlora_case(options, rate, values):
    scale, damping, period = scale_of(options), options["damping"], options.get("period", 1)
    beta1, beta2, epsilon, decay = settings(options)
    plus = options.get("secondMoment", False)
    run = Run(values)
    head = adamw(run, rate, options, [HEAD])
    eye = torch.eye(options["rank"])
    first = {name: torch.zeros_like(value) for name, value in run.values.items()}
    second = {name: torch.zeros_like(value) for name, value in run.values.items()}
    seen = {}
    count = {"A": 0, "B": 0}

    def update(step):
        turn = "BA"[(step - 1) // period % 2]
        count[turn] += 1
        for site in SITES:
            a, b = (part.detach() for part in pair(run, site))
            name, gradient = f"{site}.{turn}", run[f"{site}.{turn}"].grad
            if turn == "B":
                gradient, moved, other = gradient.T, b.T, a.T
            else:
                moved, other = a, b
            inverse = torch.linalg.inv(other.T @ other + damping * eye)
            now = inverse @ gradient / scale**2
            before = first[name].T if turn == "B" else first[name]
            if name in seen:
                before = inverse @ other.T @ seen[name] @ before
            # A copy: the factor changes in place.
            seen[name] = other.clone()
            moment = beta1 * before + (1 - beta1) * now
            first[name] = moment.T if turn == "B" else moment
            taken = count[turn] if options.get("biasCorrection", True) else math.inf
            direction = moment / (1 - beta1**taken)
            if plus:
                square = now.T**2 if turn == "B" else now**2
                second[name] = beta2 * second[name] + (1 - beta2) * square
                root = (second[name] / (1 - beta2**taken)).sqrt() + epsilon
                direction = direction / (root.T if turn == "B" else root)
            moved = (1 - rate * decay) * moved - rate * direction
            run[name] = moved.T if turn == "B" else moved
        head.step()

    return record("altlora", options, rate, run, product_weights(scale), update)


# ---- LoFT: AdamW on the gradient's projection, one factor a step, whose moments follow what the other factor spans


def loft_case(options, rate, values):
    scale, settled = scale_of(options), {"epsilon": 1e-4} | options
    beta1, beta2, epsilon, decay = settings(settled)
    simple, transposed = options.get("simple", False), options.get("transport") == "transposed"
    damping = {"A": options.get("dampingB", 1e-6), "B": options.get("dampingA", 1e-8)}
    run = Run(values)
    head = adamw(run, rate, settled, [HEAD])
    eye = torch.eye(options["rank"])
    kept = {}

    def update(step):
        full = full_gradients(product_weights(scale)(run), run[HEAD])
        for turn in "BA" if step % 2 == 0 else "AB":
            for site in SITES:
                # On the transposed problem for B: Z [r, size] moves, X [others, r] spans, W moves by s X dZ.
                gradient, moved, other = full[site], run[f"{site}.A"], run[f"{site}.B"]
                if turn == "B":
                    gradient, moved, other = gradient.T, run[f"{site}.B"].T, run[f"{site}.A"].T
                moved, other = moved.detach(), other.detach()
                inverse = torch.linalg.inv(scale**2 * other.T @ other + damping[turn] * eye)
                now = inverse @ (scale * other.T @ gradient)
                first, second, plain, before = kept.get(
                    (site, turn), (torch.zeros_like(now), torch.zeros(now.shape[1], *eye.shape), 0 * now, 0 * other)
                )
                carry = scale**2 * inverse @ other.T @ before
                first = beta1 * carry @ first + (1 - beta1) * now
                around = carry.T if transposed else carry
                second = beta2 * around @ second @ around.T + (1 - beta2) * now.T[:, :, None] * now.T[:, None, :]
                plain = beta2 * plain + (1 - beta2) * now**2
                kept[site, turn] = first, second, plain, other.clone()
                if turn != "AB"[step % 2]:
                    continue
                if simple:
                    change = first / (1 - beta1**step) / ((plain / (1 - beta2**step)).sqrt() + epsilon)
                else:
                    squares = scale**2 * torch.einsum("ia,jab,ib->ij", other, second, other).clamp(min=0)
                    root = (squares / (1 - beta2**step)).sqrt() + epsilon
                    change = scale * inverse @ other.T @ (scale * other @ first / (1 - beta1**step) / root)
                after = (1 - rate * decay) * moved - rate * change
                run[f"{site}.{turn}"] = after.T if turn == "B" else after
        head.step()

    return record("loft", options, rate, run, product_weights(scale), update)


# ---- LoRA-Muon: polar factors of momenta, each in the metric of the other factor


def msign(matrix):
    """U V^T, without singular values that are rounding."""
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    return u * (s > 1e-9 * s.max()) @ vt


def lora_muon_case(options, rate, values):
    scale, decay, momentum = scale_of(options), options.get("weightDecay", 0.0), options["momentum"]
    tangent = options.get("form") == "tangent"
    run = Run(values)
    head = adamw(run, rate, options, [HEAD])
    momenta = {name: torch.zeros_like(value) for name, value in run.values.items()}
    keep = math.sqrt(1 - rate * decay)

    def inverse_root(factor):
        """(X^T X)^(-1/2), 0 in directions in which X is."""
        values, vectors = torch.linalg.eigh(factor.T @ factor)
        powers = torch.where(values > 1e-12 * values.max(), values.clamp(min=1e-300) ** -0.5, 0.0)
        return vectors * powers @ vectors.T

    def update(_):
        full = full_gradients(product_weights(scale)(run), run[HEAD])
        for site in SITES:
            a, b = (part.detach().clone() for part in pair(run, site))
            for name, gradient in ((f"{site}.A", scale * b.T @ full[site]), (f"{site}.B", scale * full[site] @ a.T)):
                momenta[name] = momentum * momenta[name] + (1 - momentum) * gradient
            if tangent:
                to_a, to_b = torch.linalg.pinv(a), torch.linalg.pinv(b)
                on_a, off_b = to_a @ a, torch.eye(len(b)) - b @ to_b
                x = (to_b.T @ momenta[f"{site}.A"] + off_b @ momenta[f"{site}.B"] @ to_a.T) / scale
                for _ in range(options["tau"]):
                    x = msign(x)
                    x = x - off_b @ x @ (torch.eye(len(on_a)) - on_a)
                off_a = torch.eye(len(on_a)) - on_a
                run[f"{site}.A"] = keep * a - rate / (scale * keep) * to_b @ x @ off_a
                run[f"{site}.B"] = keep * b - rate / (scale * keep) * x @ to_a
                continue
            root_a, root_b = inverse_root(a.T), inverse_root(b)
            step_a = root_b @ msign(root_b @ momenta[f"{site}.A"])
            step_b = msign(momenta[f"{site}.B"] @ root_a) @ root_a
            run[f"{site}.A"] = keep * a - rate / (2 * scale * keep) * step_a
            run[f"{site}.B"] = keep * b - rate / (2 * scale * keep) * step_b
        head.step()

    return record("lora-muon", options, rate, run, product_weights(scale), update)


# ---- OFT: inputs turned by rotations, which Cayley's map makes of skew matrices


def oft_case(options, rate, deviation):
    values = {
        f"{site}.Q": normal(1, inputs * (inputs - 1) // 2, deviation=deviation)
        for site, (_, inputs) in SHAPES.items()
    }
    run = Run(values)

    def weights(run):
        out = {}
        for site, (_, inputs) in SHAPES.items():
            # The sides of these maps are prime: each is one block.
            i, j = torch.triu_indices(inputs, inputs, 1)
            upper = torch.zeros(inputs, inputs).index_put((i, j), run[f"{site}.Q"][0])
            skew, eye = upper - upper.T, torch.eye(inputs)
            out[site] = run.frozen[site] @ torch.linalg.solve(eye + skew, eye - skew, left=False).T
        return out

    optimizer = adamw(run, rate, options)
    return record("oft", options, rate, run, weights, lambda _: optimizer.step())


# ---- SHiRA, where its entries are all there are: AdamW on a change of each weight


def shira_case(options, rate):
    run = Run({f"{site}.S": torch.zeros(weight.numel()) for site, weight in base.items()})
    optimizer = adamw(run, rate, options)

    def weights(run):
        return {site: run.frozen[site] + run[f"{site}.S"].reshape(SHAPES[site]) for site in SITES}

    return record("shira", options, rate, run, weights, lambda _: optimizer.step(), computed=True)


# ---- MiSS: D repeated along the inputs


def miss_case(options, rate, deviation):
    rank, values = options["rank"], {}
    for site, (out, inputs) in SHAPES.items():
        values[f"{site}.A"] = torch.eye(rank).repeat(1, -(-inputs // rank))[:, :inputs]
        values[f"{site}.B"] = normal(out, rank, deviation=deviation)
    run = Run(values, trained=[f"{site}.B" for site in SITES])
    optimizer = adamw(run, rate, options)
    return record("miss", options, rate, run, product_weights(1.0), lambda _: optimizer.step())


# ---- HiRA: each weight times 1 + B A, element by element


def hira_case(options, rate, values):
    run = Run(values)
    optimizer = adamw(run, rate, options)

    def weights(run):
        return {site: run.frozen[site] * (1 + run[f"{site}.B"] @ run[f"{site}.A"]) for site in SITES}

    return record("hira", options, rate, run, weights, lambda _: optimizer.step())


# ---- LoRA-XS: R between the weight's frozen singular vectors


def middle_weights(scale):
    return lambda run: {
        site: run.frozen[site] + scale * run[f"{site}.B"] @ run[f"{site}.R"] @ run[f"{site}.A"] for site in SITES
    }


def lora_xs_case(options, rate):
    rank, values, kept = options["rank"], {}, {}
    for site in SITES:
        u, s, vt = signed_svd(base[site])
        values[f"{site}.R"] = torch.zeros(rank, rank)
        kept[f"{site}.A"], kept[f"{site}.B"] = s[:rank, None] * vt[:rank], u[:, :rank]
    run = Run(values)
    run.values |= kept
    optimizer = adamw(run, rate, options)
    case = record(
        "lora-xs", options, rate, run, middle_weights(scale_of(options)), lambda _: optimizer.step(), computed=True
    )
    # A and B are told by no pair of factors: what is trained is all that a start is compared with.
    case["start"] = {name: value for name, value in case["start"].items() if name not in kept}
    return case


# ---- LoRA-SB: the same from the best low-rank part of a step along the gradient's signs


def lora_sb_case(options, rate):
    rank, values, kept = options["rank"], {}, {}
    for site, gradient in full_gradients().items():
        u, s, vt = signed_svd(-options["startRate"] * gradient.sign())
        values[f"{site}.R"] = torch.diag(s[:rank])
        kept[f"{site}.A"], kept[f"{site}.B"] = vt[:rank], u[:, :rank]
    run = Run(values)
    run.values |= kept
    optimizer = adamw(run, rate, options)
    case = record("lora-sb", options, rate, run, middle_weights(1.0), lambda _: optimizer.step(), computed=True)
    case["start"] = {name: value for name, value in case["start"].items() if name not in kept}
    return case


# ---- GaLore and Fira: AdamW's moments in the span of the gradient's first singular vectors


def galore_case(options, rate):
    values = {f"{site}.weight": base[site] for site in SITES} | {"wide.bias": bias["wide"]}
    run = Run(values)
    others = adamw(run, rate, options, ["wide.bias", HEAD])
    decay, rank, scale = options.get("weightDecay", 0.0), options["rank"], options["scale"]
    bases, directions, norms = {}, {site: Adam(options) for site in SITES}, {}

    def update(step):
        for site, (out, inputs) in SHAPES.items():
            gradient, wide = run.parameters[f"{site}.weight"].grad, out < inputs
            if (step - 1) % options["period"] == 0:
                u, _, vt = signed_svd(gradient)
                bases[site] = u[:, :rank].T if wide else vt[:rank]
            upright = gradient.T if wide else gradient
            low = upright @ bases[site].T
            direction = directions[site].direction(low)
            change = direction @ bases[site]
            if options["rule"] == "fira":
                rest = upright - low @ bases[site]
                rest = rest * (direction.norm(dim=1) / (low.norm(dim=1) + 1e-8))[:, None]
                most = 1.01 * norms[site] if site in norms else math.inf
                rest = rest * min(1.0, most / rest.norm().item())
                norms[site] = rest.norm().item()
                change = change + rest
            weight = run[f"{site}.weight"].detach()
            run[f"{site}.weight"] = (1 - rate * decay) * weight - rate * scale * (change.T if wide else change)
        others.step()

    def weights(run):
        return {site: run[f"{site}.weight"] for site in SITES}

    return record("galore", options, rate, run, weights, update, computed=True)


# ---- VeRA: shared random A and B, cut to each map's sides, between vectors


def vera_case(options, rate, b_deviation, d_deviation=0.0):
    rank = options["rank"]
    uniform = lambda rows, columns: rounded(  # noqa: E731
        (torch.rand(rows, columns, generator=generator) * 2 - 1) * math.sqrt(6 / columns)
    )
    outs, ins = (max(shape[side] for shape in SHAPES.values()) for side in (0, 1))
    values = {"shared A": uniform(rank, ins), "shared B": uniform(outs, rank)}
    for site, (out, _) in SHAPES.items():
        values[f"{site}.d"] = rounded(torch.full((rank,), 0.1) + normal(rank, deviation=d_deviation))
        values[f"{site}.b"] = normal(out, deviation=b_deviation)
    run = Run(values, trained=[name for name in values if "." in name])
    optimizer = adamw(run, rate, options)

    def weights(run):
        return {
            site: run.frozen[site]
            + torch.diag(run[f"{site}.b"])
            @ run["shared B"][:out]
            @ torch.diag(run[f"{site}.d"])
            @ run["shared A"][:, :inputs]
            for site, (out, inputs) in SHAPES.items()
        }

    return record("vera", options, rate, run, weights, lambda _: optimizer.step())


# ---- IA3: each map's outputs by numbers of their own, as it has those of maps without a name that it knows


def ia3_case(options, rate):
    run = Run({f"{site}.l": torch.ones(out) for site, (out, _) in SHAPES.items()})
    optimizer = adamw(run, rate, options)

    def weights(run):
        return {site: run[f"{site}.l"][:, None] * run.frozen[site] for site in SITES}

    return record("ia3", options, rate, run, weights, lambda _: optimizer.step(), computed=True)


# ---- RandLoRA: sums of random products, A with the smaller side of each map


def randlora_case(options, rate, lambda_deviation):
    rank, scale = options["rank"], options.get("scale", 20.0)
    least = {site: min(shape) for site, shape in SHAPES.items()}
    times = {site: -(-least[site] // rank) for site in SITES}
    uniform = lambda *shape: torch.rand(*shape, generator=generator) * 2 - 1  # noqa: E731
    a = uniform(rank, max(least.values()))
    bases = uniform(max(max(shape) for shape in SHAPES.values()), max(times.values()) * rank)
    a, bases = rounded(a / a.std()), rounded(bases / bases.std())
    values = {"shared A": a}
    for site, shape in SHAPES.items():
        values[f"shared B.{max(shape)}"] = bases[: max(shape), : times[site] * rank].T.contiguous()
        values[f"{site}.lambda"] = normal(times[site] * rank, deviation=lambda_deviation)
        values[f"{site}.gamma"] = rounded(torch.full((times[site], least[site]), 1 / least[site]))
    run = Run(values, trained=[name for name in values if name.endswith(("lambda", "gamma"))])
    optimizer = adamw(run, rate, options)

    def weights(run):
        out = {}
        for site, shape in SHAPES.items():
            change = 0
            for j in range(times[site]):
                part = slice(j * rank, (j + 1) * rank)
                left = run[f"shared B.{max(shape)}"].T[:, part] @ torch.diag(run[f"{site}.lambda"][part])
                change = change + left @ a[:, : least[site]] @ torch.diag(run[f"{site}.gamma"][j])
            out[site] = run.frozen[site] + scale * (change.T if shape[1] > shape[0] else change)
        return out

    return record("randlora", options, rate, run, weights, lambda _: optimizer.step())


# ---- BitFit: biases alone


def biases_case(options, rate):
    run = Run({"wide.bias": bias["wide"]})
    optimizer = adamw(run, rate, options)
    return record("biases", options, rate, run, lambda run: run.frozen, lambda _: optimizer.step(), computed=True)


# ---- LoRA by other optimizers than AdamW


def lora_base_case(options, rate, values):
    base, keep = options["base"], 1 - rate * options.get("weightDecay", 0.0)
    run = Run(values)
    head = adamw(run, rate, options, [HEAD])
    momenta = {name: torch.zeros_like(value) for name, value in values.items()}

    def update(_):
        for name in values:
            gradient, m = run.parameters[name].grad, momenta[name]
            if base == "sgd":
                direction = momenta[name] = 0.9 * m + gradient
            elif base == "lion":
                direction = (0.9 * m + 0.1 * gradient).sign()
                momenta[name] = 0.99 * m + 0.01 * gradient
            else:
                momenta[name] = 0.95 * m + gradient
                direction = 0.2 * max(gradient.shape) ** 0.5 * msign(gradient + 0.95 * momenta[name])
            run[name] = keep * run[name].detach() - rate * direction
        head.step()

    return record("lora", options, rate, run, product_weights(scale_of(options)), update)


# ---- What is recorded

LORA = {"rank": 2, "alpha": 4}
ROOT = {"scaling": "alpha/sqrt(r)"}
OTHER = {"beta1": 0.8, "beta2": 0.95, "epsilon": 0.01}
adalora_steps = {"tinit": 0, "tfinal": 0, "deltaT": 1}
fresh, moved = random_factors(2, 0.0), random_factors(2, 0.4)
fresh1, moved1 = random_factors(1, 0.0), random_factors(1, 0.4)
fresh3 = random_factors(3, 0.0)

cases = {
    "full": full_case({"trains": "all"}, 0.02),
    "full, target modules, weight decay": full_case({"trains": "targetModules", "weightDecay": 0.5}, 0.02),
    "lora": lora_like("lora", LORA, 0.05, fresh),
    "lora, weight decay": lora_like("lora", LORA | {"weightDecay": 0.5}, 0.05, moved),
    "lora, alpha/sqrt(r), rank 3": lora_like("lora", LORA | ROOT | {"rank": 3}, 0.05, fresh3),
    "lora, rank 1": lora_like("lora", LORA | {"rank": 1}, 0.05, fresh1),
    "lora, other moments": lora_like("lora", LORA | OTHER, 0.05, fresh),
    "rslora": lora_like("rslora", LORA, 0.05, fresh, **ROOT),
    "lora-plus": lora_plus_case(LORA | {"ratio": 16}, 0.01, fresh),
    "lora-plus, weight decay": lora_plus_case(LORA | {"ratio": 4, "weightDecay": 0.5}, 0.02, moved),
    "pissa": pissa_case(LORA, 0.05),
    "pissa, randomized, alpha/sqrt(r)": pissa_case(LORA | ROOT | {"svd": "randomized"}, 0.05),
    "dora": dora_case(LORA, 0.05, fresh),
    "dora, B not zero, weight decay": dora_case(LORA | {"weightDecay": 0.5}, 0.05, moved),
    "lora-ga": lora_ga_case(LORA | ROOT, 0.05),
    "lora-ga, alpha/r, gamma 64": lora_ga_case(LORA | {"scaling": "alpha/r", "gamma": 64}, 0.05),
    "lora-ga, A2rBr, gd": lora_ga_case(LORA | ROOT | {"direction": "A2rBr", "startScale": "gd"}, 0.05),
    "lora-ga, ArBr, unit": lora_ga_case(LORA | ROOT | {"direction": "ArBr", "startScale": "unit"}, 0.05),
    "lora-ga, weightS, rank 1": lora_ga_case(LORA | ROOT | {"rank": 1, "startScale": "weightS"}, 0.05),
    "lora-ga-pro": lora_ga_pro_case(LORA | ROOT | {"relativeDamping": 0}, 0.05),
    "lora-ga-pro, efficient, ArBr, symmetric": lora_ga_pro_case(
        LORA | ROOT | {"relativeDamping": 0, "mode": "efficient", "direction": "ArBr", "gauge": "symmetric"}, 0.05
    ),
    "lora-one": lora_one_case(LORA | ROOT | {"startScale": "paper", "gamma": 64}, 0.05),
    "lora-one, stable, alpha/r": lora_one_case(
        LORA | {"scaling": "alpha/r", "startScale": "stable", "gamma": 16}, 0.05
    ),
}
for gauge in ("sylvester", "zero", "symmetric"):
    for mode in ("full", "efficient", "sgd"):
        options = LORA | {"mode": mode, "gauge": gauge, "relativeDamping": 0}
        cases[f"lora-pro, {mode}, {gauge}"] = lora_pro_case(options, 0.05, moved)
    cases[f"lora-pro, B = 0, {gauge}"] = lora_pro_case(
        LORA | {"gauge": gauge, "relativeDamping": 0}, 0.05, fresh
    )
for mode in ("full", "efficient", "sgd"):
    cases[f"lora-pro, {mode}, weight decay, damping 0.01"] = lora_pro_case(
        LORA | {"mode": mode, "weightDecay": 0.5, "relativeDamping": 0.01}, 0.05, moved
    )
cases["lora-pro, full, other moments, absolute damping"] = lora_pro_case(
    LORA | OTHER | {"relativeDamping": 0, "absoluteDamping": 0.1}, 0.05, moved
)
cases["lora-pro, efficient, B = 0, rank 1"] = lora_pro_case(
    LORA | {"rank": 1, "mode": "efficient", "relativeDamping": 0}, 0.05, fresh1
)
cases["lora-pro, rank 1, cap"] = lora_pro_case(
    LORA | {"rank": 1, "cap": 0.05, "relativeDamping": 0}, 0.05, moved1
)
cases |= {
    "lora-fa": lora_fa_case(LORA, 0.05, fresh),
    "lora-fa, no correction, weight decay": lora_fa_case(
        LORA | {"correction": "none", "weightDecay": 0.5}, 0.05, moved
    ),
}
for order in ("simultaneous", "sequential"):
    options = LORA | {"order": order, "damping": 0.01}
    cases[f"scaled-adamw, {order}"] = scaled_adamw_case(options, 0.05, fresh)
    cases[f"scaled-adamw, {order}, B not zero, weight decay"] = scaled_adamw_case(
        options | {"weightDecay": 0.5, "damping": 1e-6}, 0.05, moved
    )
cases |= {
    "altlora": altlora_case(LORA | {"damping": 1e-6}, 0.05, moved),
    "altlora, B = 0, damping 0.01": altlora_case(LORA | {"damping": 0.01}, 0.05, fresh),
    "altlora, second moment, period 2, weight decay": altlora_case(
        LORA | {"damping": 0.01, "secondMoment": True, "period": 2, "weightDecay": 0.5}, 0.05, moved
    ),
    "altlora, second moment, other moments, rank 1": altlora_case(
        LORA | OTHER | {"rank": 1, "damping": 1e-6, "secondMoment": True}, 0.05, moved1
    ),
}
rite = {"clipNorm": 1.0, "skipAbove": 0.0, "momentFloor": 1e-7}
cases |= {
    "lora-rite": lora_rite_case(LORA | rite, 0.01, moved),
    "lora-rite, B = 0, no clipping": lora_rite_case(LORA | rite | {"clipNorm": 0.0}, 0.01, fresh),
    "lora-rite, weight decay, skips": lora_rite_case(
        LORA | rite | {"weightDecay": 0.5, "skipAbove": 0.952}, 0.01, moved
    ),
    "lora-rite, rests where moments differ": lora_rite_case(LORA | rite | {"momentFloor": 0.15}, 0.01, moved),
    "lora-rite, rank 1, other moments": lora_rite_case(LORA | OTHER | rite | {"rank": 1}, 0.01, moved1),
}
cases |= {
    "adalora": adalora_case(LORA | adalora_steps, 0.05, random_triplets(3, 0.02, 0.0)),
    "adalora, four triplets to one, a step before and a step after": adalora_case(
        LORA | {"rank": 1, "initialRank": 4, "tinit": 1, "tfinal": 1, "deltaT": 1}, 0.05, random_triplets(4, 0.3, 0.5)
    ),
    "adalora, every second step, weight decay": adalora_case(
        LORA
        | {"initialRank": 4, "tinit": 0, "tfinal": 1, "deltaT": 2, "weightDecay": 0.5, "orthogonality": 2.0}
        | {"importanceBeta": 0.5, "uncertaintyBeta": 0.7},
        0.05,
        random_triplets(4, 0.3, 0.5),
    ),
}
# A start whose last choice would be another one by the scores of its own step.
generator.manual_seed(16)
cases["adalora, the last choice by the scores of the step before"] = adalora_case(
    LORA
    | {"initialRank": 4, "tinit": 0, "tfinal": 1, "deltaT": 3}
    | {"importanceBeta": 0.3, "uncertaintyBeta": 0.2},
    0.1,
    random_triplets(4, 0.3, 0.5),
)

# Whatever draws numbers comes last, so that what is above keeps its own.
full_rank = orthonormal_factors(5)
cases |= {
    "loft": loft_case(LORA, 0.05, moved),
    "loft, B = 0": loft_case(LORA, 0.05, fresh),
    # V is a sum whose terms cancel where W's gradient is small: beside a small epsilon float32 would lose digits.
    "loft, full rank, other moments, weight decay": loft_case(
        LORA | OTHER | {"rank": 5, "weightDecay": 0.5, "epsilon": 0.1}, 0.05, full_rank
    ),
    "loft, rank 1, simple": loft_case(LORA | {"rank": 1, "simple": True}, 0.05, moved1),
    "loft, simple, B = 0": loft_case(LORA | {"simple": True}, 0.05, fresh),
    "loft, transposed": loft_case(LORA | {"transport": "transposed"}, 0.05, moved),
}
muon = {"momentum": 0.95}
cases |= {
    "lora-muon": lora_muon_case(LORA | muon, 0.2, moved),
    "lora-muon, B = 0, rank 3": lora_muon_case(LORA | muon | {"rank": 3}, 0.2, fresh3),
    "lora-muon, full rank, weight decay": lora_muon_case(
        LORA | {"rank": 5, "weightDecay": 0.5, "momentum": 0.5}, 0.2, orthonormal_factors(5)
    ),
    "lora-muon, tangent": lora_muon_case(LORA | muon | {"form": "tangent", "tau": 4}, 0.2, moved),
    "lora-muon, tangent, tau 1, B = 0, weight decay": lora_muon_case(
        LORA | muon | {"form": "tangent", "tau": 1, "weightDecay": 0.5}, 0.2, fresh
    ),
    "lora-muon, rank 1": lora_muon_case(LORA | muon | {"rank": 1}, 0.2, moved1),
}
cases |= {
    "oft": oft_case({}, 0.05, 0.0),
    "oft, from rotations, weight decay": oft_case({"block": 7, "weightDecay": 0.5}, 0.05, 0.3),
}
cases["shira, all entries, weight decay"] = shira_case({"rank": 5, "weightDecay": 0.5}, 0.02)
cases |= {
    "miss": miss_case({"rank": 3}, 0.05, 0.0),
    "miss, D not zero, weight decay, full rank": miss_case({"rank": 5, "weightDecay": 0.5}, 0.02, 0.4),
}
cases |= {
    "hira": hira_case({"rank": 2}, 0.05, fresh),
    "hira, B not zero, weight decay, rank 1": hira_case({"rank": 1, "weightDecay": 0.5}, 0.05, moved1),
    "hira, full rank": hira_case({"rank": 5}, 0.02, full_rank),
}

cases |= {
    "lora-xs": lora_xs_case(LORA, 0.05),
    "lora-xs, rank 1, alpha/sqrt(r), weight decay": lora_xs_case(
        LORA | ROOT | {"rank": 1, "weightDecay": 0.5}, 0.05
    ),
    "lora-xs, full rank": lora_xs_case(LORA | {"rank": 5}, 0.02),
}

cases |= {
    "lora-sb": lora_sb_case({"rank": 2, "startRate": 0.05}, 0.05),
    "lora-sb, rank 1, weight decay": lora_sb_case({"rank": 1, "startRate": 0.01, "weightDecay": 0.5}, 0.05),
}
for rule in ("galore", "fira"):
    options = {"rule": rule, "rank": 2, "scale": 0.25, "period": 200}
    cases[f"galore, {rule}"] = galore_case(options, 0.1)
    cases[f"galore, {rule}, another Q, weight decay, rank 3"] = galore_case(
        options | {"rank": 3, "period": 3, "weightDecay": 0.5}, 0.1
    )

for base_optimizer, rate in (("sgd", 0.01), ("lion", 0.02), ("muon", 0.05)):
    options = LORA | {"base": base_optimizer}
    # From B = 0 a small rate of SGD moves A by less than f32 can tell to 1e-5.
    cases[f"lora, {base_optimizer}"] = lora_base_case(options, 0.05 if base_optimizer == "sgd" else rate, fresh)
    cases[f"lora, {base_optimizer}, B not zero, weight decay"] = lora_base_case(
        options | {"weightDecay": 0.5}, rate, moved
    )

cases |= {
    "lora-fa, epsilon to the raw root": lora_fa_case(LORA | {"epsilonTo": "raw", "epsilon": 0.01}, 0.05, fresh),
    "altlora, no bias correction": altlora_case(LORA | {"damping": 1e-6, "biasCorrection": False}, 0.2, moved),
    "altlora, second moment, no bias correction": altlora_case(
        LORA | {"damping": 0.01, "secondMoment": True, "biasCorrection": False}, 0.02, moved
    ),
    "lora-one, preconditioned": lora_one_case(
        LORA | ROOT | {"startScale": "paper", "gamma": 4, "preconditioned": True, "damping": 0.01}, 0.02
    ),
    "lora-one, as its script for T5 has it": lora_one_case(
        LORA | ROOT | {"startScale": "stable", "gamma": 1, "preconditioned": True, "damping": 1e-6}, 0.02
    ),
    "adalora, counted from 0": adalora_case(
        LORA | {"rank": 1, "initialRank": 4, "tinit": 1, "tfinal": 1, "deltaT": 1, "firstStep": 0},
        0.05,
        random_triplets(4, 0.3, 0.5),
    ),
}

for name, starts in (("milora", milora_case), ("olora", olora_case)):
    cases |= {
        name: starts(LORA, 0.05),
        f"{name}, rank 1, alpha/sqrt(r), weight decay": starts(LORA | ROOT | {"rank": 1, "weightDecay": 0.5}, 0.05),
        f"{name}, full rank": starts(LORA | {"rank": 5}, 0.02),
    }
for name, starts in (("eva", eva_case), ("corda", corda_case), ("lora-null", lora_null_case)):
    cases |= {
        name: starts(LORA, 0.05),
        f"{name}, rank 1, alpha/sqrt(r), weight decay": starts(LORA | ROOT | {"rank": 1, "weightDecay": 0.5}, 0.05),
        f"{name}, full rank": starts(LORA | {"rank": 5}, 0.05),
    }
cases["corda, kpm, damping 0.1"] = corda_case(LORA | {"mode": "kpm", "damping": 0.1}, 0.05)
cases |= {
    "vera": vera_case({"rank": 2}, 0.02, 0.0),
    "vera, b not zero, rank 1, weight decay": vera_case({"rank": 1, "weightDecay": 0.5}, 0.05, 0.4, 0.4),
    "vera, a rank above the sides": vera_case({"rank": 12}, 0.02, 0.4, 0.4),
    "randlora": randlora_case({"rank": 2}, 0.02, 0.0),
    "randlora, lambda not zero, rank 1, weight decay": randlora_case({"rank": 1, "weightDecay": 0.5}, 0.01, 0.2),
    "randlora, one product of full rank": randlora_case({"rank": 5, "scale": 2.0}, 0.02, 0.2),
    "biases": biases_case({}, 0.05),
    "biases, weight decay, other moments": biases_case({"weightDecay": 0.5} | OTHER, 0.05),
    "ia3": ia3_case({"maps": "all"}, 0.05),
    "ia3, weight decay, other moments": ia3_case({"maps": "all", "weightDecay": 0.5} | OTHER, 0.05),
}

problem = {
    "weights": tensors(base),
    "biases": tensors(bias),
    "x": tensor(x),
    "target": tensor(target),
}
recorded = {"recordedWith": f"torch {torch.__version__}, float64", "problem": problem, "cases": cases}
path = pathlib.Path(__file__).with_name("methods.json")
path.write_text(json.dumps(recorded, separators=(",", ":")).replace('},"', '},\n"') + "\n")
print(path, path.stat().st_size, "bytes")
for name, case in cases.items():
    print(name, [round(step["loss"], 4) for step in case["steps"]])
