"""Ways of writing a step that become kernels, each compared with the loop in float64."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn, sigmoid, tanh
from torch.nn import functional
from torch.nn.functional import linear
from ways import IN, ONE, TWO, H, Written, affine, kernel_of, way

from rnnbench import Cell, Noise, Option, Tensors
from rnnbench.recurrence.backend import shapes_of
from rnnbench.recurrence.loop import loop

MEMBERS, STEPS, LENGTHS = 2, 4, (4, 1, 3, 4, 2, 4)
"""There are as many sequences as hidden units."""

ACTIVATIONS = {
    "torch.sigmoid": lambda a: torch.sigmoid(a),
    "functional.sigmoid": lambda a: functional.sigmoid(a),
    "a.sigmoid()": lambda a: a.sigmoid(),
    "nn.Sigmoid()": lambda a: nn.Sigmoid()(a),
    "sigmoid of what is written over": lambda a: torch.sigmoid_(a + 1),
    "tanh_ in place": lambda a: (a * 0.5).add_(0.1).tanh_(),
    "nn.Softplus(beta)": lambda a: nn.Softplus(beta=2.0)(a),
    "hardsigmoid, hardtanh, relu6": lambda a: (
        functional.hardsigmoid(a) + functional.hardtanh(a, -0.5, 2) + functional.relu6(a)
    ),
    "gelu, silu, mish, elu": lambda a: (
        functional.gelu(a) + functional.silu(a) + functional.mish(a) + functional.elu(a, 0.5)
    ),
    "selu, celu, leaky_relu, softsign": lambda a: (
        functional.selu(a) + functional.celu(a) + functional.leaky_relu(a) + functional.softsign(a)
    ),
    "logsigmoid, logaddexp": lambda a: (
        functional.logsigmoid(a) + torch.logaddexp(a, -a) - torch.logaddexp(a, torch.zeros_like(a))
    ),
    "powers": lambda a: (
        torch.square(a) + a.pow(2) + a**3 + (a * a + 0.1) ** 0.5 + (a * a + 1) ** -0.5
    ),
    "rsqrt, sqrt, reciprocal": lambda a: (
        torch.rsqrt(a * a + 1) + torch.sqrt(a * a + 0.1) + 1 / (2 + a * a) + (2 + a.abs()) ** -1
    ),
    "exp, log, log1p, expm1": lambda a: (
        torch.exp(-a.abs()) + torch.log(a * a + 1) + torch.log1p(a * a) + torch.expm1(-a.abs())
    ),
    "erf, sin, cos, atan": lambda a: torch.erf(a) + a.sin() + a.cos() + torch.atan(a),
    "methods for operators": lambda a: a.mul(2).add(a, alpha=0.5).sub(0.1).div(3).neg().exp(),
    "reflected operators": lambda a: (1 - a) / (2 + 1 / (2.5 + a.abs())) + (1.5 - a) * 2.0,
    "where with Python's numbers": lambda a: (
        torch.where(a > 0, 1.0, 0.0) * a + torch.where(a > 0.5, a, 0.0) + torch.where(a < -1, -1, a)
    ),
    "masks": lambda a: (a > 0).float() * a + (a <= 0) * 0.1 + a.masked_fill(a > 1, 0.5),
    "logical masks": lambda a: torch.where((a > 0) & (a < 1) | ~(a > -1), a, 0.1 * a),
    "clamp": lambda a: a.clamp(-1, 1) + a.clamp(max=0.5) + torch.clamp_min(a, -0.1),
    "sign, abs, relu": lambda a: torch.relu(a) - torch.sign(a) * a.abs() + a.relu(),
    "round and floor": lambda a: tanh(a) + torch.floor(4 * a) / 8 + torch.round(a) / 4,
    "numbers of numpy": lambda a: a * np.float64(0.5) + np.float32(0.25) * a,
    "a tensor of no dimension": lambda a: a * torch.tensor(0.5) + torch.tensor(0.1, dtype=float),
    "a constant tensor": lambda a: a * GRADED + GRADED.double().sum(),
    "a constant mask": lambda a: torch.where(GRADED > 0.5, a, 2 * a),
    "a constant of integers": lambda a: a * torch.arange(H),
    "dropout that is off": lambda a: functional.dropout(a, 0.5, training=False),
}
"""Functions of one gate."""

GRADED = torch.linspace(0, 1, H)

MIXTURES = {
    "lerp": lambda a, h: torch.lerp(h, tanh(a), sigmoid(h)) + torch.lerp(h, a, 0.25),
    "addcmul, addcdiv": lambda a, h: (
        torch.addcmul(h, a, h, value=0.5) + torch.addcdiv(h, a, 1 + h * h)
    ),
    "maximum, minimum": lambda a, h: torch.maximum(a, h) - torch.minimum(a, h) * 0.5,
    "clamp to a tensor": lambda a, h: torch.clamp(a, min=h) + torch.clamp(a, max=h) * 0.5,
    "torch.add with alpha": lambda a, h: torch.add(a, h, alpha=0.5) - torch.sub(a, h, alpha=2),
    "where between tensors": lambda a, h: torch.where(a > h, a, h * 0.5),
    "copysign, hypot, atan2": lambda a, h: (
        torch.copysign(a, h) + torch.hypot(a, h) + torch.atan2(a, 1 + h * h)
    ),
    "zeros_like, full_like": lambda a, h: (
        torch.zeros_like(h) + torch.full_like(a, 0.5) * a + torch.ones_like(a)
    ),
    "new_zeros, new_full": lambda a, h: a + h.new_zeros(h.shape) + h.new_full(h.shape, 0.1),
    "zeros of the batch's size": lambda a, h: (
        torch.maximum(a, torch.zeros(h.shape[0], H)) + torch.full((len(h), 1), 0.5)
    ),
    "an intermediate in place": lambda a, h: (a * 1).mul_(0.5).add_(h).tanh_(),
}
"""Functions of a gate and the state."""


def assigning(x, s, w):
    a = affine(x, s, w)
    a[:, :2] = a[:, :2].tanh()
    a[:, 3] = 0.5
    a *= 0.5
    return a


def over_a_list(x, s, w):
    gates = [linear(x, w[f"W{k}"]) + s.h @ w[f"U{k}"] for k in ("i", "f")]
    return sigmoid(gates[0]) * s.h + tanh(gates[1])


def over_a_dictionary(x, s, w):
    gate = {name: sigmoid(x @ w["W" + name] + s.h @ w["U" + name]) for name in "if"}
    return gate["i"] * (1 - gate["f"])


PRODUCTS = {
    "linear with a bias": way(affine),
    "@ with .T, .mT and .t()": way(
        lambda x, s, w: tanh(x @ w.W.T + s.h @ w.U.mT + s.h @ w.U.t() + w.b)
    ),
    "addmm, mm, matmul": way(
        lambda x, s, w: tanh(
            torch.addmm(w.b, x, w.W.t()) + torch.mm(s.h, w.U) + torch.matmul(s.h, w.U)
        )
    ),
    "einsum": way(
        lambda x, s, w: tanh(
            torch.einsum("bi,oi->bo", x, w.W) + torch.einsum("...h,oh->...o", s.h, w.U)
        )
    ),
    "einsum of one input": way(
        lambda x, s, w: tanh(torch.einsum("bi,oi->bo", x, w.W) + s.h @ w.U),
        inputs=1,
        W=(H, 1),
        U=(H, H),
    ),
    "einsum of one unit": way(
        lambda x, s, w: tanh(
            torch.einsum("bi,oi->bo", x, w.W) + torch.einsum("bh,oh->bo", s.h, w.U)
        ),
        states={"h": 1},
        W=(1, IN),
        U=(1, 1),
    ),
    "one input and one unit": way(
        lambda x, s, w: tanh(linear(x, w.W, w.b) + s.h @ w.U),
        inputs=1,
        states={"h": 1},
        W=(1, 1),
        U=(1, 1),
        b=(1,),
    ),
    "a weight on the left": way(lambda x, s, w: tanh((w.U @ s.h.T).T + (w.W @ x.T).mT + w.b)),
    "columns for rows": way(
        lambda x, s, w: tanh((w.U @ s.h.unsqueeze(-1)).squeeze(-1) + linear(x, w.W))
    ),
    "bmm with an expanded weight": way(
        lambda x, s, w: tanh(
            torch.bmm(s.h.unsqueeze(1), w.U.expand(len(s.h), H, H)).squeeze(1) + linear(x, w.W)
        )
    ),
    "tensordot, inner": way(
        lambda x, s, w: tanh(torch.tensordot(s.h, w.U, dims=1) + torch.inner(x, w.W))
    ),
    "a gate for all units": way(
        lambda x, s, w: sigmoid(s.h @ w.q.t()) * tanh(linear(x, w.W) + s.h @ w.U),
        W=(H, IN),
        U=(H, H),
        q=(1, H),
    ),
    "a gate for all units, by a vector": way(
        lambda x, s, w: (
            sigmoid(s.h @ w.q)[:, None] * tanh(linear(x, w.W) + torch.mv(x, w.v)[:, None])
        ),
        W=(H, IN),
        q=(H,),
        v=(IN,),
    ),
    "a mask for all units": way(
        lambda x, s, w: torch.where(s.h[:, :1] > 0, tanh(affine(x, s, w)), x[:, 1:2] * s.h)
    ),
    "one feature times a row": way(
        lambda x, s, w: tanh(x[:, :1] * w.r + w.b * x[:, 2:] + s.h @ w.U),
        r=(1, H),
        b=(H,),
        U=(H, H),
    ),
    "products of what is not linear": way(lambda x, s, w: tanh(x.sin() @ w.W.T) + tanh(s.h) @ w.U),
    "a product of products": way(lambda x, s, w: tanh(linear(x, w.W) @ w.U + s.h @ w.U @ w.U)),
    "no product at all": way(lambda x, s, w: 0.9 * s.h + w.b * x[:, :1], b=(H,)),
}

COLUMNS = {
    "chunk": way(lambda x, s, w: gated(*affine(x, s, w).chunk(2, -1)), **TWO),
    "chunk along dimension 1": way(lambda x, s, w: gated(*affine(x, s, w).chunk(2, dim=1)), **TWO),
    "split": way(lambda x, s, w: gated(*affine(x, s, w).split(H, -1)), **TWO),
    "split in sizes": way(
        lambda x, s, w: (
            (lambda a, b, c: torch.cat((a, b * c), -1))(*affine(x, s, w).split([2, 2, 2], -1)) @ w.V
        ),
        **ONE,
        V=(4, H),
    ),
    "tensor_split": way(lambda x, s, w: gated(*torch.tensor_split(affine(x, s, w), 2, 1)), **TWO),
    "slices": way(
        lambda x, s, w: (lambda a: gated(a[..., :H], a[:, H : 2 * H]))(affine(x, s, w)), **TWO
    ),
    "slices from the end": way(
        lambda x, s, w: (lambda a: gated(a[:, :-H], a[..., -H:]))(affine(x, s, w)), **TWO
    ),
    "slices of the state": way(
        lambda x, s, w: tanh(linear(x, w.W) + s.h[:, :4] @ w.U[:4] + s.h[..., 4:] @ w.U[4:])
    ),
    "every second of few features": way(
        lambda x, s, w: tanh(linear(x, w.W) + s.h[:, ::2] @ w.U[:3] + s.h[:, 1::2] @ w.U[3:])
    ),
    "narrow": way(lambda x, s, w: tanh(linear(x, w.W) + s.h.narrow(1, 2, 3) @ w.U[:3])),
    "view and unbind": way(lambda x, s, w: gated(*affine(x, s, w).view(-1, 2, H).unbind(1)), **TWO),
    "unflatten and select": way(
        lambda x, s, w: (lambda a: gated(a[:, 0], a.select(1, 1)))(
            affine(x, s, w).unflatten(-1, (2, H))
        ),
        **TWO,
    ),
    "gates along a dimension of their own": way(
        lambda x, s, w: (lambda a: (sigmoid(a + w.c) * tanh(a)).sum(1))(
            affine(x, s, w).reshape(-1, 2, H)
        ),
        **TWO,
        c=(2, H),
    ),
    "stack and sum": way(
        lambda x, s, w: (
            torch.stack([affine(x, s, w), s.h, 2 * s.h]).sum(0)
            + torch.stack([affine(x, s, w), s.h], dim=1).mean(1)
        )
    ),
    "stack and pick": way(
        lambda x, s, w: torch.stack([tanh(affine(x, s, w)), s.h], -1)[..., 0] * s.h
    ),
    "cat of other widths": way(
        lambda x, s, w: {"h": tanh(linear(torch.cat((x, s.h, s.c), 1), w.W)), "c": s.h[:, :2]},
        states={"h": H, "c": 2},
        W=(H, IN + H + 2),
    ),
    "cat with ones": way(
        lambda x, s, w: tanh(linear(torch.cat((x, s.h, torch.ones_like(x[:, :1])), 1), w.W)),
        W=(H, IN + H + 1),
    ),
    "cat with weights": way(
        lambda x, s, w: tanh(torch.cat([x, w.b.expand(len(x), H)], -1) @ w.V + s.h),
        b=(H,),
        V=(IN + H, H),
    ),
    "hstack": way(lambda x, s, w: torch.hstack([tanh(affine(x, s, w))[:, :3], s.h[:, :3]])),
    "a shifted memory": way(
        lambda x, s, w: torch.cat([linear(x, w.r), s.h[:, :-1]], -1), r=(1, IN)
    ),
    "roll": way(lambda x, s, w: tanh(linear(x, w.W) + torch.roll(s.h, 1, -1) * w.b)),
    "a few features by number": way(
        lambda x, s, w: tanh(linear(x, w.W)) + s.h[:, [2, 3, 4, 0, 1, 5]]
    ),
    "flip of few features": way(lambda x, s, w: tanh(linear(x, w.W)) + s.h.flip(-1)),
    "repeat": way(lambda x, s, w: tanh(linear(x, w.W) + s.h[:, :3].repeat(1, 2))),
    "repeat_interleave": way(
        lambda x, s, w: tanh(linear(x, w.W) + s.h[:, :3].repeat_interleave(2, -1))
    ),
    "expand": way(lambda x, s, w: tanh(linear(x, w.W)) * sigmoid(s.h[:, :1]).expand(-1, H)),
    "expand_as": way(lambda x, s, w: tanh(linear(x, w.W)) * w.b.expand_as(s.h)),
    "transposed and back": way(
        lambda x, s, w: tanh(linear(x, w.W).T.mul(2).transpose(0, 1) + s.h.t().t())
    ),
    "glu": way(lambda x, s, w: functional.glu(affine(x, s, w)), **TWO),
    "assignment to slices": way(assigning),
}


def gated(a, b):
    return sigmoid(a) * tanh(b)


WEIGHTS = {
    'w["U"]': way(lambda x, s, w: tanh(linear(x, w["W"]) + s["h"] @ w["U"])),
    "names made of parts": way(over_a_list, Wi=(H, IN), Wf=(H, IN), Ui=(H, H), Uf=(H, H)),
    "gates in a dictionary": way(over_a_dictionary, Wi=(IN, H), Wf=(IN, H), Ui=(H, H), Uf=(H, H)),
    "chunk of a weight": way(
        lambda x, s, w: gated(
            *(linear(x, W) + s.h @ U.T for W, U in zip(w.W.chunk(2), w.U.chunk(2), strict=True))
        ),
        **TWO,
    ),
    "unbind of a weight": way(
        lambda x, s, w: sigmoid(s.h @ w.U[0]) * tanh(s.h @ w.U.unbind(0)[1] + x @ w.U[1, :IN]),
        U=(2, H, H),
    ),
    "rows of a weight": way(
        lambda x, s, w: tanh(s.h * w.p[0] + w.p[1] + x @ w.W.T), p=(2, H), W=(H, IN)
    ),
    "a scalar": way(lambda x, s, w: w.a * s.h + tanh(linear(x, w.W)) / w.a.exp(), a=(), W=(H, IN)),
    "a weight [1]": way(lambda x, s, w: w.a * s.h + tanh(linear(x, w.W)), a=(1,), W=(H, IN)),
    "a weight [1, H]": way(lambda x, s, w: w.a * s.h + tanh(linear(x, w.W)), a=(1, H), W=(H, IN)),
    "a weight [H, 1]": way(
        lambda x, s, w: w.a.T * s.h + tanh(linear(x, w.W) + s.h @ w.a) - w.a.squeeze() * s.h,
        a=(H, 1),
        W=(H, IN),
    ),
    "low rank": way(
        lambda x, s, w: tanh(linear(x, w.W) + s.h @ (w.A @ w.B) + s.h @ w.A @ w.B),
        W=(H, IN),
        A=(H, 2),
        B=(2, H),
    ),
    "a diagonal matrix": way(
        lambda x, s, w: tanh(linear(x, w.W) + s.h @ torch.diag(w.b) + s.h @ w.b.diag_embed())
    ),
    "tied weights": way(lambda x, s, w: tanh(linear(x, w.W) + s.h @ w.U + tanh(s.h @ w.U.T))),
    "weight norm": way(
        lambda x, s, w: tanh(
            linear(x, w.W) + linear(s.h, w.g * w.U / w.U.norm(dim=1, keepdim=True))
        ),
        W=(H, IN),
        U=(H, H),
        g=(H, 1),
    ),
    "an orthogonal weight": way(
        lambda x, s, w: linear(x, w.W) + s.h @ torch.matrix_exp(w.U - w.U.t())
    ),
    "softmax of a weight": way(lambda x, s, w: tanh(linear(x, w.W) + s.h @ w.U.softmax(-1))),
    "roll of a weight": way(lambda x, s, w: tanh(linear(x, w.W) + s.h @ torch.roll(w.U, 1, -1))),
    "a triangular weight": way(lambda x, s, w: tanh(linear(x, w.W) + s.h @ w.U.tril())),
    "a masked weight": way(lambda x, s, w: tanh(linear(x, w.W) + s.h @ (w.U * (GRADED > 0.3)))),
    "a constant matrix": way(
        lambda x, s, w: tanh(linear(x, w.W) + s.h @ torch.eye(H, dtype=x.dtype).flip(0))
    ),
    "a mask from a weight": way(lambda x, s, w: torch.where(w.b > 0, tanh(affine(x, s, w)), s.h)),
    "a step through a weight": way(
        lambda x, s, w: s.h + functional.softplus(w.b) * tanh(x @ w.W.T)
    ),
    "a weight in float64 and back": way(
        lambda x, s, w: tanh(linear(x, w.W) + s.h @ w.U.double().softmax(0).to(x.dtype))
    ),
}

REDUCTIONS = {
    "a small outer product": lambda a: torch.einsum("bi,bj->bij", a, tanh(a)).sum(-1),
    "sum": lambda a: tanh(a) - a.sum(-1, keepdim=True),
    "sum without keepdim": lambda a: tanh(a) * a.sum(1)[:, None] * a.sum(-1).unsqueeze(1),
    "mean": lambda a: tanh(a) - a.mean(-1, keepdim=True),
    "a mean of a square": lambda a: a * torch.rsqrt(a.square().mean(-1, keepdim=True) + 1e-5),
    "layer norm by hand": lambda a: (
        (a - a.mean(-1, keepdim=True)) / (a.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    ),
    "layer norm": lambda a: functional.layer_norm(a, (H,), GRADED.to(a.dtype), GRADED.to(a.dtype)),
    "rms norm": lambda a: functional.rms_norm(a, (H,), GRADED.to(a.dtype), 1e-5),
    "norm": lambda a: (
        a / a.norm(dim=-1, keepdim=True) + a / torch.linalg.vector_norm(a, 1, -1, True)
    ),
    "normalize": lambda a: functional.normalize(a, dim=-1),
    "var and std": lambda a: a / a.std(-1, keepdim=True) + torch.var_mean(a, -1, keepdim=True)[0],
    "exponents over their sum": lambda a: a.exp() / a.exp().sum(-1, keepdim=True),
    "groups": lambda a: (a.view(-1, 2, 3) - a.view(-1, 2, 3).mean(1, keepdim=True)).flatten(1),
}
"""Functions of a gate's row as a whole."""

WAYS = {
    **{name: way(lambda x, s, w, f=f: tanh(f(affine(x, s, w)))) for name, f in ACTIVATIONS.items()},
    **{name: way(lambda x, s, w, f=f: f(affine(x, s, w), s.h)) for name, f in MIXTURES.items()},
    **PRODUCTS,
    **COLUMNS,
    **WEIGHTS,
    **{name: way(lambda x, s, w, f=f: f(affine(x, s, w))) for name, f in REDUCTIONS.items()},
}


class Elman(Written):
    """Elman's network, to be written in other ways."""

    def step(self, x, s, w):
        return {"h": tanh(affine(x, s, w))}


class WithHelpers(Elman):
    """Calls a method of its own."""

    def gate(self, x, s, w, function):
        return function(affine(x, s, w))

    def step(self, x, s, w):
        return {"h": self.gate(x, s, w, sigmoid) * self.gate(x, s, w, tanh)}


class Inherited(Elman):
    """Has the step of its base."""


class OnTop(Elman):
    """Calls the step of its base."""

    def step(self, x, s, w):
        return {"h": 0.5 * s.h + 0.5 * super().step(x, s, w)["h"]}


def leaky(step):
    """Keep half of each state: a decorator that does not say what it wraps."""

    def stepped(self, x, s, w):
        return {name: 0.5 * s[name] + 0.5 * new for name, new in step(self, x, s, w).items()}

    return stepped


class Decorated(Elman):
    @leaky
    def step(self, x, s, w):
        return {"h": tanh(affine(x, s, w))}


class WithOptions(Elman):
    options = {"way": Option("sum", choices=("sum", "mean")), "leak": Option(0.25)}

    def step(self, x, s, w):
        new = super().step(x, s, w)["h"]
        if self.way == "mean":
            new = new / 2
        if x.shape[-1] == IN and len(s.h.shape) == 2:
            new = new + w.b
        return {"h": w.leak * s.h + (1 - w.leak) * new}


class Noisy(Elman):
    """Has noise, of which it uses some columns."""

    options = {"rate": Option(0.5)}

    def noise(self, hidden):
        return {"keep": Noise("mask", H, strength="rate"), "one": Noise("normal", 1, "rate")}

    def step(self, x, s, w):
        new = super().step(x, s, w)["h"] + w.keep @ w.U + w.one
        return {"h": w.keep * s.h + (1 - w.keep) * new}


class TwoStates(Elman):
    states = {"h": H, "c": 2, "n": 1}
    output = "c"

    def step(self, x, s, w):
        h = tanh(affine(x, s, w)) * s.n
        states = {"n": s.n * 0.5 + s.c.mean(-1, keepdim=True), "c": s.c + h[:, :2], "h": h}
        return dict(reversed(states.items()))


class Constant(Elman):
    """Has states that forget, stay and are a weight."""

    states = {"h": H, "zero": 2, "stays": 2, "bias": H}

    def step(self, x, s, w):
        return {
            "h": tanh(affine(x, s, w)) + s.bias,
            "zero": torch.zeros_like(s.zero),
            "stays": s.stays,
            "bias": w.b.expand(x.shape[0], -1),
        }


CLASSES = [
    Elman, WithHelpers, Inherited, OnTop, Decorated, WithOptions, Noisy, TwoStates, Constant,
]  # fmt: skip

CELLS = WAYS | {made.__name__: made() for made in CLASSES}
CELLS["WithOptions, mean"] = WithOptions(way="mean")


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_a_kernel_has_the_values_and_gradients_of_the_loop(cell):
    given = drawn(cell)
    exact = results(each_member(partial(loop, cell)), given, torch.float64)
    single = results(each_member(partial(loop, cell)), given, torch.float32)
    got = results(kernel_of(cell), given, torch.float32)
    tolerated = 1e-6 + 10 * max(distance(exact, single).values())
    assert {k: error for k, error in distance(exact, got).items() if not error <= tolerated} == {}


def drawn(cell: Cell) -> dict[str, dict[str, Tensor]]:
    """Draw what two members are given: sequences, states, weights with options, noise."""
    draw = torch.Generator().manual_seed(5)
    shapes = shapes_of(cell, cell.inputs, H)
    batch = len(LENGTHS)

    def normal(*shape):
        return torch.randn(MEMBERS, *shape, generator=draw)

    return {
        "x": {"x": normal(STEPS, batch, shapes.inputs)},
        "state": {name: normal(batch, width) for name, width in shapes.states.items()},
        "weights": {name: normal(*shape) / 2 for name, shape in shapes.weights.items()},
        "noise": {name: normal(STEPS, batch, width) for name, width in shapes.noise.items()},
    }


def each_member(run):
    """Return what runs a cell for one member after another."""

    def members(x, state, weights, lengths, noise):
        runs = [
            run(x[k], *(Tensors({n: t[k] for n, t in each.items()}) for each in (state, weights)),
                lengths, Tensors({n: t[k] for n, t in noise.items()}))
            for k in range(MEMBERS)
        ]  # fmt: skip
        after = {name: torch.stack([last[name] for _, last in runs]) for name in state}
        return torch.stack([outputs for outputs, _ in runs]), Tensors(after)

    return members


def results(run, given, dtype) -> dict[str, Tensor]:
    """Return the outputs, the last states and the gradients of everything but noise."""
    leaves = {
        kind: Tensors({n: t.to(dtype).requires_grad_(kind != "noise") for n, t in each.items()})
        for kind, each in given.items()
    }
    x, state, weights, noise = leaves.values()
    outputs, after = run(x["x"], state, weights, torch.tensor(LENGTHS), noise)
    made = {"outputs": outputs, **{f"last {name}": tensor for name, tensor in after.items()}}
    draw = torch.Generator().manual_seed(6)
    total = sum((t * torch.randn(t.shape, generator=draw)).sum() for t in made.values())
    total.backward()
    made |= {
        f"gradient of {name}": torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        for each in (x, state, weights)
        for name, leaf in each.items()
    }
    return {name: tensor.detach() for name, tensor in made.items()}


def distance(exact, other) -> dict[str, float]:
    """Return the largest difference in each tensor, relative to its largest number."""
    return {
        name: float((other[name].double() - right).abs().max() / (right.abs().max() + 1e-3))
        for name, right in exact.items()
    }
