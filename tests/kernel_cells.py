"""Cells that no library has, each for something that a kernel could get wrong."""

import torch
from torch import sigmoid, tanh
from torch.nn import functional

from rnnbench import Cell, Noise, Option, constant, orthogonal, uniform, zeros


class OneState(Cell):
    """A cell with one state h, and the weights W [hidden, inputs], U [hidden, hidden] and b."""

    def weights(self, inputs, hidden):
        return {"W": uniform(hidden, inputs), "U": orthogonal(hidden, hidden), "b": zeros(hidden)}

    def state(self, hidden):
        return {"h": zeros(hidden)}


class MinimalGated(OneState):
    """Minimal gated unit (Zhou et al. 2016): the gate acts on the state before its product."""

    name = "minimal_gated"

    def weights(self, inputs, hidden):
        return {
            "W": uniform(2 * hidden, inputs),
            "U": uniform(hidden, hidden),
            "V": uniform(hidden, hidden),
            "b": zeros(2 * hidden),
        }

    def step(self, x, s, w):
        f_x, n_x = (x @ w.W.T + w.b).chunk(2, -1)
        f = sigmoid(f_x + s.h @ w.U.T)
        return {"h": (1 - f) * s.h + f * tanh(n_x + (f * s.h) @ w.V.T)}


class DeepTransition(OneState):
    """Three products of the state one after another (Pascanu et al. 2014), and a shortcut."""

    name = "deep_transition"

    def weights(self, inputs, hidden):
        return {
            "W": uniform(hidden + 1, inputs),
            "U": uniform(hidden + 1, hidden),
            "V": uniform(hidden + 2, hidden + 1),
            "S": uniform(hidden, hidden + 1),
            "Q": uniform(hidden, hidden + 2),
        }

    def step(self, x, s, w):
        low = tanh(x @ w.W.T + s.h @ w.U.T)
        middle = functional.silu(low @ w.V.T)
        return {"h": tanh(middle @ w.Q.T + low @ w.S.T)}


class IndependentUnits(OneState):
    """IndRNN (Li et al. 2018): a unit sees only itself, through a vector."""

    name = "independent_units"

    def weights(self, inputs, hidden):
        return {"W": uniform(hidden, inputs), "u": uniform(hidden), "b": zeros(1, hidden)}

    def step(self, x, s, w):
        return {"h": torch.relu(x @ w.W.T + w.u * s.h + w.b)}


class ProjectedLSTM(Cell):
    """LSTM whose output is a projection of its cells (Sak et al. 2014): states of two widths."""

    name = "projected_lstm"

    def weights(self, inputs, hidden):
        return {
            "W": uniform(4 * hidden, inputs),
            "R": uniform(4 * hidden, hidden // 2 + 1),
            "P": uniform(hidden // 2 + 1, hidden),
            "b": zeros(4 * hidden),
        }

    def state(self, hidden):
        return {"r": zeros(hidden // 2 + 1), "c": zeros(hidden)}

    def step(self, x, s, w):
        i, f, g, o = functional.linear(
            torch.cat([x, s.r], -1), torch.cat([w.W, w.R], 1), w.b
        ).chunk(4, -1)
        c = sigmoid(f) * s.c + sigmoid(i) * tanh(g)
        return {"r": (sigmoid(o) * tanh(c)) @ w.P.T, "c": c}


class Timescales(Cell):
    """A fast and a slow state that see each other, and a clock one unit wide."""

    name = "timescales"
    options = {"slowness": Option(0.9, low=0.0, high=1.0)}

    def weights(self, inputs, hidden):
        slow = hidden // 2 + 1
        return {
            "W": uniform(hidden, inputs),
            "U": uniform(hidden, hidden),
            "down": uniform(hidden, slow),
            "up": uniform(slow, hidden),
            "k": uniform(slow, 1),
        }

    def state(self, hidden):
        return {"fast": zeros(hidden), "slow": zeros(hidden // 2 + 1), "clock": constant(0.2, 1)}

    def step(self, x, s, w):
        fast = tanh(x @ w.W.T + s.fast @ w.U.T + s.slow @ w.down.T)
        slow = w.slowness * s.slow + (1 - w.slowness) * tanh(fast @ w.up.T + s.clock @ w.k.T)
        return {"fast": fast, "slow": slow, "clock": torch.cos(s.clock + 0.3)}


class SharedWeights(OneState):
    """One matrix for gate and candidate, cut out of a larger one, and used transposed as well."""

    name = "shared_weights"

    def weights(self, inputs, hidden):
        return {"M": uniform(2 * hidden, inputs + hidden), "b": zeros(3 * hidden)}

    def step(self, x, s, w):
        hidden = s.h.shape[-1]
        U, b = w.M[:hidden, -hidden:], w.b[hidden : 2 * hidden]
        gate = sigmoid(x @ w.M[:hidden, :-hidden].T + s.h @ U.T + b)
        new = tanh(x @ w.M[hidden:, :-hidden].T + (gate * s.h) @ U + s.h @ U.T + b)
        return {"h": gate * new + (1 - gate) * s.h}


class LowRank(OneState):
    """Matrices of low rank: made from weights alone, applied factor by factor, and bent between."""

    name = "low_rank"

    def weights(self, inputs, hidden):
        rank = hidden // 3 + 1
        return {
            "W": uniform(hidden, inputs),
            "A": uniform(hidden, rank),
            "B": uniform(rank, hidden),
            "C": uniform(rank, hidden),
        }

    def step(self, x, s, w):
        low = s.h @ w.A
        bent = low @ w.C + sigmoid(low) @ w.B
        return {"h": tanh(x @ w.W.T + s.h @ (w.A @ w.B) + bent)}


class MadeWeights(OneState):
    """Weights made from weights: a diagonal, a norm of one a row, a skew-symmetric matrix."""

    name = "made_weights"

    def weights(self, inputs, hidden):
        return {
            "W": uniform(hidden, inputs),
            "V": uniform(hidden, hidden),
            "g": constant(1.0, hidden, 1),
            "d": uniform(hidden),
        }

    def step(self, x, s, w):
        normed = w.g * w.V / w.V.norm(dim=1, keepdim=True)
        turned = s.h @ torch.diag(w.d) + s.h @ (w.V - w.V.T)
        return {"h": tanh(x @ w.W.T + s.h @ normed.T + turned + torch.diagonal(w.V))}


class ContinuousTime(Cell):
    """CT-RNN (Beer 1995): its output, the rate, is not its first state; τ is one trained number."""

    name = "continuous_time"
    output = "rate"
    options = {"dt": Option(0.25, low=0.0), "gain": Option(1.5)}

    def weights(self, inputs, hidden):
        return {
            "W": uniform(hidden, inputs),
            "U": uniform(hidden, hidden),
            "b": zeros(hidden),
            "tau": constant(0.5),
        }

    def state(self, hidden):
        return {"v": zeros(hidden), "rate": zeros(hidden)}

    def step(self, x, s, w):
        drive = x @ w.W.T + s.rate @ w.U.T
        v = s.v + w.dt * torch.exp(-w.tau) * (drive - s.v)
        return {"v": v, "rate": tanh(w.gain * v + w.b)}


class Zoneout(Cell):
    """Keeps units of two states at random (Krueger et al. 2017)."""

    name = "zoneout"
    options = {"zone_h": Option(0.1, low=0.0, high=1.0), "zone_c": Option(0.5, low=0.0, high=1.0)}

    def weights(self, inputs, hidden):
        return {"W": uniform(3 * hidden, inputs + hidden), "b": zeros(3 * hidden)}

    def state(self, hidden):
        return {"h": zeros(hidden), "c": zeros(hidden)}

    def noise(self, hidden):
        return {
            "keep_h": Noise("mask", hidden, "zone_h"),
            "keep_c": Noise("mask", hidden, "zone_c", once=True),
        }

    def step(self, x, s, w):
        f, g, o = (torch.cat([x, s.h], -1) @ w.W.T + w.b).chunk(3, -1)
        new = sigmoid(f) * s.c + (1 - sigmoid(f)) * tanh(g)
        c = torch.lerp(new, s.c, w.keep_c)
        return {"h": w.keep_h * s.h + (1 - w.keep_h) * sigmoid(o) * tanh(c), "c": c}


class NoisyProduct(OneState):
    """Noise that is multiplied with a matrix, by itself and with the state."""

    name = "noisy_product"
    options = {"spread": Option(0.3, low=0.0)}

    def noise(self, hidden):
        return {"e": Noise("normal", hidden, "spread"), "d": Noise("dropout", hidden, "spread")}

    def step(self, x, s, w):
        return {"h": tanh(x @ w.W.T + (w.d * s.h) @ w.U + w.e @ w.U.T + w.b)}


class OddGates(OneState):
    """Gates that bend, clip and switch."""

    name = "odd_gates"

    def weights(self, inputs, hidden):
        return {"W": uniform(5 * hidden, inputs), "U": uniform(5 * hidden, hidden)}

    def step(self, x, s, w):
        a, b, c, d, e = (x @ w.W.T + s.h @ w.U.T).chunk(5, -1)
        open_ = torch.where(a > 0, functional.softplus(a), 0.1 * functional.gelu(b))
        left = torch.clamp(c, -0.4, 0.6) + torch.maximum(d, 0.3 * s.h) - torch.relu(e)
        return {"h": 0.5 * s.h.abs() + tanh(open_) * left / (1 + e**2)}


class Einsum(OneState):
    """Products written as Einstein sums."""

    name = "einsum"

    def step(self, x, s, w):
        drive = torch.einsum("bi,ji->bj", x, w.W) + torch.einsum("...i,ij->...j", s.h, w.U)
        return {"h": tanh(drive + w.b)}


class BentInput(OneState):
    """The input bent before its product, multiplied with itself, and its first column alone."""

    name = "bent_input"

    def weights(self, inputs, hidden):
        return super().weights(inputs, hidden) | {
            "scale": uniform(inputs),
            "V": uniform(hidden, inputs),
        }

    def step(self, x, s, w):
        drive = tanh(w.scale * x) @ w.W.T + (x * x) @ w.V.T
        return {"h": tanh(drive + s.h @ w.U.T + w.b) + 0.2 * x[:, :1] * s.h}


class OneGate(OneState):
    """One gate for all units, [batch, 1]."""

    name = "one_gate"

    def weights(self, inputs, hidden):
        return super().weights(inputs, hidden) | {"g": uniform(1, inputs), "k": uniform(1, hidden)}

    def step(self, x, s, w):
        gate = sigmoid(x @ w.g.T + s.h @ w.k.T)
        return {"h": gate * s.h + (1 - gate) * tanh(x @ w.W.T + s.h @ w.U.T + w.b)}


class Normed(OneState):
    """Layer-normalised (Ba et al. 2016), with units that share what is left of them."""

    name = "normed"

    def weights(self, inputs, hidden):
        return super().weights(inputs, hidden) | {"g": constant(1.0, hidden)}

    def step(self, x, s, w):
        drive = x @ w.W.T + s.h @ w.U.T
        normed = functional.layer_norm(drive, drive.shape[-1:], w.g, w.b, 0.1)
        return {"h": tanh(normed) / (1 + s.h.abs().mean(-1, keepdim=True))}


class Neighbours(OneState):
    """Units in a row that see their neighbours: overlapping columns of the state."""

    name = "neighbours"

    def weights(self, inputs, hidden):
        return {"W": uniform(hidden, inputs), "U": zeros(hidden, hidden - 1), "b": zeros(hidden)}

    def step(self, x, s, w):
        left, right = s.h[:, :-1], s.h[:, 1:]
        middle = 0.5 * left * right - 0.2 * right
        spread = torch.cat([middle, s.h[:, :1]], -1)
        return {"h": tanh(x @ w.W.T + left @ w.U.T + (left - right) @ w.U.T + spread + w.b)}


class Bystanders(Cell):
    """A state that never changes, one that nothing reads, and one that is a constant."""

    name = "bystanders"
    output = "seen"

    def weights(self, inputs, hidden):
        return {"W": uniform(hidden, inputs), "U": uniform(hidden, 2)}

    def state(self, hidden):
        return {
            "fixed": constant(0.7, 2),
            "seen": zeros(hidden),
            "unread": zeros(2),
            "one": zeros(2),
        }

    def step(self, x, s, w):
        seen = tanh(x @ w.W.T + s.fixed @ w.U.T - 0.5 * s.seen + s.one @ w.U.T)
        return {
            "fixed": s.fixed,
            "seen": seen,
            "unread": 2 * s.fixed,
            "one": torch.ones_like(s.one),
        }


class NoProduct(OneState):
    """Elementwise only, without its input."""

    name = "no_product"

    def weights(self, inputs, hidden):
        return {"a": constant(0.9, hidden), "b": uniform(hidden)}

    def step(self, x, s, w):
        return {"h": torch.sin(w.a * s.h + w.b)}


class JoinedInput(OneState):
    """Input, state and a column of ones in one matrix: no bias of its own."""

    name = "joined_input"

    def weights(self, inputs, hidden):
        return {"W": uniform(hidden, inputs + hidden + 1)}

    def step(self, x, s, w):
        return {"h": tanh(torch.cat([x, s.h, torch.ones_like(x[:, :1])], -1) @ w.W.T)}


class Residual(OneState):
    """Adds to its state, and lets the input past (Yue et al. 2018)."""

    name = "residual"
    options = {"rate": Option(0.3)}

    def weights(self, inputs, hidden):
        return super().weights(inputs, hidden) | {"S": uniform(hidden, inputs)}

    def step(self, x, s, w):
        return {"h": s.h + w.rate * tanh(x @ w.W.T + s.h @ w.U.T + w.b) + x @ w.S.T}


class Rotation(Cell):
    """Turns pairs of units by angles that the input sets, as unitary networks do."""

    name = "rotation"

    def weights(self, inputs, hidden):
        return {
            "W": uniform(hidden, inputs),
            "V": uniform(2 * hidden, inputs),
            "decay": uniform(hidden),
        }

    def state(self, hidden):
        return {"re": constant(0.5, hidden), "im": zeros(hidden)}

    def step(self, x, s, w):
        angle, shrink = x @ w.W.T, torch.exp(-torch.exp(w.decay))
        a, b = torch.split(x @ w.V.T, s.re.shape[-1], -1)
        cos, sin = torch.cos(angle), torch.sin(angle)
        return {
            "re": shrink * (cos * s.re - sin * s.im) + a,
            "im": shrink * (sin * s.re + cos * s.im) + b,
        }


class Linear(OneState):
    """Nothing but products; the new state is a sum of products and its own second input."""

    name = "linear"

    def weights(self, inputs, hidden):
        return super().weights(inputs, hidden) | {"V": uniform(hidden, hidden)}

    def step(self, x, s, w):
        h = x @ w.W.T + s.h @ w.U.T + w.b
        return {"h": 0.5 * h + h @ w.V.T}


CELLS = (
    MinimalGated, DeepTransition, IndependentUnits, ProjectedLSTM, Timescales, SharedWeights,
    LowRank, MadeWeights, ContinuousTime, Zoneout, NoisyProduct, OddGates, Einsum, BentInput,
    OneGate, Normed, Neighbours, Bystanders, NoProduct, JoinedInput, Residual, Rotation, Linear,
)  # fmt: skip
