#!/usr/bin/env python3
"""The recurrent layers of models/*.yaml against the formulas of their papers, each as a plain loop over time.

    python3 tests/goldens/recurrent_layers.py PATH_OF_WEFT [WORD]      WORD: only the lines that hold it

As architectures.py, whose harness and exact gradients these are. All weights are moved off their first values, so that
no bias is 0 and no gain is 1.
"""
import numpy as np

from architectures import at_least, dot, heads, layer_norm, magnitude, main, relu, sigmoid, swish


def times(row, matrix):
    return (row[:, :, None] * matrix).sum(1)


def outer(a, b):
    return a[:, :, None] * b[:, None, :]


def larger(a, b):
    return np.where(a.real > b.real, a, b)


def before(x):
    """What stood one position before; zeros at the start."""
    return np.concatenate([0 * x[:, :1], x[:, :-1]], 1)


def gru(x, w, o):
    """Cho et al. 2014, equations 5 to 8; biases are left out there."""
    h, y = 0 * x[:, 0], np.zeros_like(x)
    for t in range(x.shape[1]):
        gate = lambda name, seen: x[:, t, None] @ w["W" + name] + seen[:, None] @ w["U" + name] + w["b" + name][:, None]
        r = sigmoid(gate("r", h)[:, 0])
        z = sigmoid(gate("z", h)[:, 0])
        candidate = np.tanh(gate("n", r * h)[:, 0])
        y[:, t] = h = z * h + (1 - z) * candidate
    return y


def lstm(x, w, o):
    """Greff et al. 2015, section II without peepholes."""
    h, c, y = 0 * x[:, 0], 0 * x[:, 0], np.zeros_like(x)
    for t in range(x.shape[1]):
        z, i, f, u = (times(x[:, t], w["W" + n]) + times(h, w["R" + n]) + w["b" + n] for n in "zifo")
        c = np.tanh(z) * sigmoid(i) + c * sigmoid(f)
        y[:, t] = h = np.tanh(c) * sigmoid(u)
    return y


def mlstm(x, w, o):
    """Beck et al. 2024, equations 19 to 27, with the running maximum m of equations 15 to 17 that the description has
    not; the 1 of equation 21 then is exp(-m), as in the authors' code."""
    H, T = o["H"], x.shape[1]
    row = lambda name: w[name][:, None]
    log_i = x @ w["Wi"] + row("bi")
    if o["input"] == "sigmoid":
        log_i = np.log(sigmoid(log_i))
    log_f = np.log(sigmoid(x @ w["Wf"] + row("bf") + np.linspace(3, 6, H)))
    parts = []
    for a, (q, k, v) in enumerate(zip(*(heads(x @ w[name], H) for name in ("Wq", "Wk", "Wv")))):
        d = q.shape[-1]
        C, n, m, y = np.zeros((len(x), d, d)), np.zeros((len(x), d)), np.zeros(len(x)), np.zeros_like(v)
        for t in range(T):
            new = larger(log_f[:, t, a] + m, log_i[:, t, a])
            f, i = np.exp(log_f[:, t, a] + m - new), np.exp(log_i[:, t, a] - new)
            m = new
            C = f[:, None, None] * C + i[:, None, None] * outer(v[:, t], k[:, t] / np.sqrt(d))
            n = f[:, None] * n + i[:, None] * k[:, t] / np.sqrt(d)
            y[:, t] = (C * q[:, t, None, :]).sum(-1) / larger(magnitude(dot(n, q[:, t])), np.exp(-m))[:, None]
        parts.append(y)
    return (sigmoid(x @ w["Wo"] + row("bo")) * np.concatenate(parts, -1)) @ w["W"]


def rwkv6_time(x, w, o):
    """Peng et al. 2024, section 4.2: ddlerp, the decay w and the loop of wkv."""
    H, D = o["H"], x.shape[2]
    lerp = lambda mu: x + (before(x) - x) * mu
    lora = lambda z, at: w[at + "lambda"][:, None] + np.tanh(z @ w[at + "A"]) @ w[at + "B"]
    r, k, v, g, d = (lerp(lora(lerp(w["z.lerp.mu"][:, None]), f"{c}.ddlerp.")) for c in "rkvgd")
    decay = np.exp(-np.exp(np.linspace(-6, -1, D) + lora(d, "")))
    parts = []
    for a, (r, k, v, c) in enumerate(zip(heads(r @ w["Wr"], H), heads(k @ w["Wk"], H), heads(v @ w["Wv"], H),
                                         heads(decay, H))):
        y, s = np.zeros_like(v), np.zeros((len(x), D // H, D // H))
        for t in range(x.shape[1]):
            kv = outer(k[:, t], v[:, t])
            y[:, t] = times(r[:, t], s + w["u"][:, a, :, None] * kv)
            s = c[:, t, :, None] * s + kv
        parts.append(layer_norm(y, eps=64e-5))
    return (swish(g @ w["Wg"]) * (np.concatenate(parts, -1) * w["gain"][:, None] + w["bias"][:, None])) @ w["Wo"]


def rwkv6_channel(x, w, o):
    lerp = lambda at: x + (before(x) - x) * w[at][:, None]
    hidden = relu(lerp("out.lerp#2.mu") @ w["Wk"])
    return sigmoid(lerp("out.lerp.mu") @ w["Wr"]) * ((hidden * hidden) @ w["Wv"])


def momentum_memory(x, w, o):
    """Behrouz et al. 2025, section 3.1, for a memory that is a matrix; the loss is half the squared error."""
    H, parts = o["H"], []
    unit = lambda z: z / np.sqrt((z * z).sum(-1, keepdims=True) + 1e-6)
    eta, theta = sigmoid(x @ w["Weta"]), sigmoid(x @ w["Wtheta"])
    alpha = sigmoid(x @ w["Walpha"] + w["balpha"][:, None])
    for a, (q, k, v) in enumerate(zip(*(heads(x @ w[name], H) for name in ("Wq", "Wk", "Wv")))):
        q, k, y = unit(q), unit(k), np.zeros_like(v)
        S = M = np.zeros((len(x), q.shape[-1], q.shape[-1]))
        rate = lambda z: z[:, t, a, None, None]
        for t in range(x.shape[1]):
            S = rate(eta) * S - rate(theta) * outer(k[:, t], times(k[:, t], M) - v[:, t])
            M = (1 - rate(alpha)) * M + S
            y[:, t] = times(q[:, t], M)
        parts.append(y)
    return np.concatenate(parts, -1) @ w["Wo"]


HEADS = {"D": 8, "H": 2}
CASES = [("gru", "gru", gru, {"D": 8}, [{}]),
         ("lstm", "lstm", lstm, {"D": 8}, [{}]),
         ("mlstm", "mlstm", mlstm, HEADS, [{"input": "exp"}, {"input": "sigmoid"}]),
         ("rwkv6", "time_mix", rwkv6_time, {**HEADS, "rank": 3}, [{}]),
         ("rwkv6", "channel_mix", rwkv6_channel, {"D": 8, "hidden": 12}, [{}]),
         ("momentum_memory", "momentum_memory", momentum_memory, HEADS, [{}])]


if __name__ == "__main__":
    main(__doc__, CASES)
