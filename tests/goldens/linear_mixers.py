#!/usr/bin/env python3
"""The linear mixers of models/*.yaml against the recurrences of their papers.

    python3 tests/goldens/linear_mixers.py PATH_OF_WEFT [WORD]      WORD: only the lines that hold it

Needs NumPy alone. As in architectures.py, whose harness this is: each layer once more in f64, here as a plain loop over
time. The state is values by keys, [dv, dk], where a description has keys by values. Gradients are exact.
"""
import numpy as np
from architectures import SIZES, at_least, dot, heads, main, rms_norm, sigmoid, swish

# Axis 0 of every array counts what is moved; positions are axis 1 of a sequence.


def each(vector):
    """[.., n], a weight, beside a sequence [.., T, n]."""
    return vector[:, None]


def softplus(z):
    return at_least(z, 0) + np.log(1 + np.exp(np.where(z.real > 0, -z, z)))


def length_one(z):
    return z / np.sqrt(dot(z, z) + 1e-6)[..., None]


def filtered(z, filters):
    """The last tap is that of the present, the first the oldest."""
    taps, y = filters.shape[-1], np.zeros_like(z)
    for t in range(z.shape[1]):
        for j in range(taps):
            past = t - (taps - 1 - j)
            if past >= 0:
                y[:, t] += filters[..., j] * z[:, past]
    return y


def column_row(column, row):
    return column[:, :, None] * row[:, None, :]


def times(S, column):
    return (S * column[:, None, :]).sum(-1)


def run(step, q, k, v):
    """o_t = S_t q_t with S_t = step(S_t-1, t), from zeros."""
    S, o = np.zeros((len(q), v.shape[-1], k.shape[-1]), dtype=complex), np.zeros_like(v)
    for t in range(q.shape[1]):
        S = step(S, t)
        o[:, t] = times(S, q[:, t])
    return o


def gated_linear_attention(x, w, o):
    """Yang et al. 2023 (arXiv:2312.06635): S_t = S_t-1 Diag(alpha_t) + v_t k_t^T."""
    gates = sigmoid(x @ w["Wa1"] @ w["Wa2"] + each(w["ba"])) ** (1 / o.get("tau", 16.0))
    parts = []
    for q, k, v, alpha in zip(*(heads(z, o["H"]) for z in (x @ w["Wq"], x @ w["Wk"], x @ w["Wv"], gates))):
        step = lambda S, t: S * alpha[:, t, None, :] + column_row(v[:, t], k[:, t])
        y = run(step, q, k, v) / np.sqrt(q.shape[-1])
        parts.append(rms_norm(y, 1e-5) * each(w["gain"]))
    return (swish(x @ w["Wr"] + each(w["br"])) * np.concatenate(parts, -1)) @ w["Wo"]


def convolved(x, w, o):
    """Queries, keys and values behind their short convolutions, a list of heads each."""
    return (heads(swish(filtered(x @ w[f"W{n}"], w[f"c{n}"])), o["H"]) for n in "qkv")


def householder(beta, k):
    """I - beta k k^T"""
    return np.eye(k.shape[-1]) - beta[:, None, None] * column_row(k, k)


def delta_net(x, w, o):
    """Yang et al. 2024 (arXiv:2406.06484): S_t = S_t-1 (I - beta_t k_t k_t^T) + beta_t v_t k_t^T; beta up to 2 as in
    Grazzi et al. 2024 (arXiv:2411.12537)."""
    beta = sigmoid(x @ w["Wb"]) * (2 if o.get("negative", False) else 1)
    parts = []
    for a, (q, k, v) in enumerate(zip(*convolved(x, w, o))):
        q, k, b = length_one(q), length_one(k), beta[:, :, a]
        step = lambda S, t: S @ householder(b[:, t], k[:, t]) + column_row(b[:, t, None] * v[:, t], k[:, t])
        parts.append(rms_norm(run(step, q / np.sqrt(q.shape[-1]), k, v), 1e-5) * each(w["gain"]))
    return np.concatenate(parts, -1) @ w["Wo"]


def gated_delta_net(x, w, o):
    """Yang et al. 2024 (arXiv:2412.06464): S_t = S_t-1 alpha_t (I - beta_t k_t k_t^T) + beta_t v_t k_t^T."""
    beta = sigmoid(x @ w["Wb"])
    A, delta = np.exp(w["A_log"] + 1.4), softplus(x @ w["Wa"] + each(w["b"]) - 4.6)
    alpha, parts = np.exp(-each(A) * delta), []
    for a, (q, k, v) in enumerate(zip(*convolved(x, w, o))):
        q, k, b, g = length_one(q), length_one(k), beta[:, :, a], alpha[:, :, a, None, None]
        step = lambda S, t: S @ (g[:, t] * householder(b[:, t], k[:, t])) + column_row(b[:, t, None] * v[:, t], k[:, t])
        parts.append(rms_norm(run(step, q / np.sqrt(q.shape[-1]), k, v), 1e-5) * each(w["gain"]))
    return (swish(x @ w["Wg"]) * np.concatenate(parts, -1)) @ w["Wo"]


def ssd(x, w, o):
    """Dao and Gu 2024 (arXiv:2405.21060), one group of heads:
    h_t = exp(-A delta_t) h_t-1 + delta_t x_t B_t^T, y_t = h_t C_t + D x_t, all heads with the same B and C."""
    u, B, C = (swish(filtered(x @ w[f"W{n}"], w[f"c{n}"]) + each(w[f"b{n}"])) for n in "xBC")
    delta, A = softplus(x @ w["Wdt"] + each(w["b"]) - 4.6), np.exp(w["A_log"] + 1.4)
    parts = []
    for a, values in enumerate(heads(u, o["H"])):
        dt, decay = delta[:, :, a, None], np.exp(-A[:, a, None] * delta[:, :, a])
        step = lambda h, t: decay[:, t, None, None] * h + column_row(dt[:, t] * values[:, t], B[:, t])
        parts.append(run(step, C, B, values) + w["skip"][:, a, None, None] * values)
    y = np.concatenate(parts, -1) * swish(x @ w["Wz"])
    return (rms_norm(y, 1e-5) * each(w["gain"])) @ w["Wo"]


def expanded_recurrence(x, w, o):
    """Qin et al. 2024 (arXiv:2404.07904): h_t = h_t-1 Diag(f_t) + i_t (1 - f_t)^T, y_t = h_t q_t, with f_t not below a
    bound: the sigmoid of a trained number that starts where the bound is layer / layers."""
    share = o.get("layer", 1) / o.get("layers", 2)
    bound = sigmoid(w["c"] + np.log(share / (1 - share))) if share > 0 else 0 * w["c"]
    forget = each(bound) + (1 - each(bound)) * sigmoid(x @ w["Wf"])
    parts = []
    for q, f, i in zip(*(heads(z, o["H"]) for z in (swish(x @ w["Wq"]), forget, x @ w["Wi"]))):
        step = lambda h, t: h * f[:, t, None, :] + column_row(i[:, t], 1 - f[:, t])
        parts.append(run(step, q, f, i) / np.sqrt(q.shape[-1]))
    return (rms_norm(np.concatenate(parts, -1), 1e-5) * each(w["gain"])) @ w["Wo"]


CASES = [("gla", "gated_linear_attention", gated_linear_attention, SIZES, [{"rank": 3}, {"rank": 3, "tau": 1.0}]),
         ("deltanet", "delta_net", delta_net, SIZES, [{}, {"taps": 2}, {"negative": True}]),
         ("gated_deltanet", "gated_delta_net", gated_delta_net, SIZES, [{}, {"taps": 1}]),
         ("mamba2", "ssd", ssd, SIZES, [{"N": 5}, {"N": 3, "taps": 2}]),
         ("hgrn2", "expanded_recurrence", expanded_recurrence, SIZES, [
             {}, {"layer": 0, "layers": 4}, {"layer": 3, "layers": 4}])]

if __name__ == "__main__":
    main(__doc__, CASES)
