"""One step of every built-in cell, written from its paper, one gate a line; nothing shared."""

import numpy as np

Arrays = dict[str, np.ndarray]


def sigma(z):
    return 1 / (1 + np.exp(-z))


def rows(w: Arrays, gates: str) -> Arrays:
    """Cut W, U and b into one block of rows a gate: `W_i`, `U_i`, `b_i` …"""
    cut = {}
    for name in ("W", "U", "b"):
        for gate, block in zip(gates, np.split(w[name], len(gates)), strict=True):
            cut[f"{name}_{gate}"] = block
    return cut


def rnn(phi):
    def step(x, s, w):
        return {"h": phi(w["W"] @ x + w["U"] @ s["h"] + w["b"])}

    return step


def lstm(x, s, w):
    v, h, c = rows(w, "ifgo"), s["h"], s["c"]
    i = sigma(v["W_i"] @ x + v["U_i"] @ h + v["b_i"])
    f = sigma(v["W_f"] @ x + v["U_f"] @ h + v["b_f"] + w["forget_bias"])
    g = np.tanh(v["W_g"] @ x + v["U_g"] @ h + v["b_g"])
    o = sigma(v["W_o"] @ x + v["U_o"] @ h + v["b_o"])
    c = f * c + i * g
    return {"h": o * np.tanh(c), "c": c}


def gru_after(x, s, w):
    v, h = rows(w, "rzn"), s["h"]
    r = sigma(v["W_r"] @ x + v["U_r"] @ h + v["b_r"])
    z = sigma(v["W_z"] @ x + v["U_z"] @ h + v["b_z"])
    n = np.tanh(v["W_n"] @ x + v["b_n"] + r * (v["U_n"] @ h + w["d"]))
    return {"h": z * h + (1 - z) * n}


def gru_before(x, s, w):
    v, h = rows(w, "rzn"), s["h"]
    r = sigma(v["W_r"] @ x + v["U_r"] @ h + v["b_r"])
    z = sigma(v["W_z"] @ x + v["U_z"] @ h + v["b_z"])
    n = np.tanh(v["W_n"] @ x + v["b_n"] + v["U_n"] @ (r * h))
    return {"h": z * h + (1 - z) * n}


def peephole_diagonal(x, s, w):
    v, h, c = rows(w, "ifgo"), s["h"], s["c"]
    p_i, p_f, p_o = *w["P"], w["Q"]
    i = sigma(v["W_i"] @ x + v["U_i"] @ h + p_i * c + v["b_i"])
    f = sigma(v["W_f"] @ x + v["U_f"] @ h + p_f * c + v["b_f"] + w["forget_bias"])
    g = np.tanh(v["W_g"] @ x + v["U_g"] @ h + v["b_g"])
    c = f * c + i * g
    o = sigma(v["W_o"] @ x + v["U_o"] @ h + p_o * c + v["b_o"])
    return {"h": o * np.tanh(c), "c": c}


def peephole_full(x, s, w):
    v, h, c = rows(w, "ifgo"), s["h"], s["c"]
    p_i, p_f = np.split(w["P"], 2)
    seen = np.concatenate([c, h, x])
    i = sigma(np.hstack([p_i, v["U_i"], v["W_i"]]) @ seen + v["b_i"])
    f = sigma(np.hstack([p_f, v["U_f"], v["W_f"]]) @ seen + v["b_f"] + w["forget_bias"])
    g = np.tanh(v["W_g"] @ x + v["U_g"] @ h + v["b_g"])
    c = f * c + i * g
    o = sigma(np.hstack([w["Q"], v["U_o"], v["W_o"]]) @ np.concatenate([c, h, x]) + v["b_o"])
    return {"h": o * np.tanh(c), "c": c}


def cifg(x, s, w):
    v, h, c = rows(w, "fgo"), s["h"], s["c"]
    f = sigma(v["W_f"] @ x + v["U_f"] @ h + v["b_f"] + w["forget_bias"])
    g = np.tanh(v["W_g"] @ x + v["U_g"] @ h + v["b_g"])
    o = sigma(v["W_o"] @ x + v["U_o"] @ h + v["b_o"])
    c = f * c + (1 - f) * g
    return {"h": o * np.tanh(c), "c": c}
