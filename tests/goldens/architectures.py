#!/usr/bin/env python3
"""The layers of models/*.yaml against the formulas of their papers.

    python3 tests/goldens/architectures.py PATH_OF_WEFT [WORD]      WORD: only the lines that hold it

Needs NumPy alone. Each layer is written here once more, from its paper and in another form than the description has
(all pairs of positions where the description has a state), in f64. Weights come from `weft init`, results from
`weft apply --grad`. Gradients are exact: with an input x + ih, h = 1e-30, the imaginary part of a result is h times its
derivative to the last digit. One evaluation does it for all inputs at once: axis 0 of every array counts what is moved.
A line a layer: the largest error of the output and of each gradient, relative to the largest element. Exit code 1 when
one is above 1e-10.
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np

MODELS = pathlib.Path(__file__).resolve().parents[2] / "models"
LIMIT = 1e-10
STEP = 1e-30
TYPES = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32}


# --- safetensors: the length of a JSON header, the header, the numbers ---


def save(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array, dtype="<f8").tobytes()
        header[name] = {"dtype": "F64", "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    tensors = {}
    for name, t in json.loads(raw[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = t["data_offsets"]
        kind = np.dtype(TYPES[t["dtype"]]).newbyteorder("<")
        values = np.frombuffer(raw[8 + size + begin : 8 + size + end], dtype=kind)
        tensors[name] = values.reshape(t["shape"]).astype(np.float64)
    return tensors


# --- what the formulas need; all of it follows the real part, so that the imaginary part is a derivative ---


def relu(z):
    return np.where(z.real > 0, z, 0)


def magnitude(z):
    return np.where(z.real < 0, -z, z)


def at_least(z, low):
    return np.where(z.real > low, z, low)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def swish(z):
    return z * sigmoid(z)


def elu1(z):
    return np.where(z.real > 0, z + 1, np.exp(np.where(z.real > 0, 0, z)))


def softmax(z):
    e = np.exp(z - z.real.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def dot(a, b):
    return (a * b).sum(-1)


def layer_norm(z, eps=1e-5):
    z = z - z.mean(-1, keepdims=True)
    return z / np.sqrt((z * z).mean(-1, keepdims=True) + eps)


def rms_norm(z, eps=1e-6):
    return z / np.sqrt((z * z).mean(-1, keepdims=True) + eps)


def heads(z, H):
    """[.., T, H d] -> a list of [.., T, d]: head a owns the columns from a d to (a + 1) d."""
    return np.split(z, H, axis=-1)


def turned(z, theta):
    """Pair j of position n, as a complex number, times e^(i n theta_j)."""
    result = np.zeros_like(z)
    for n in range(z.shape[1]):
        for j, angle in enumerate(n * np.asarray(theta)):
            a, b = z[:, n, 2 * j], z[:, n, 2 * j + 1]
            result[:, n, 2 * j] = a * np.cos(angle) - b * np.sin(angle)
            result[:, n, 2 * j + 1] = b * np.cos(angle) + a * np.sin(angle)
    return result


def rope(d, base=10000.0):
    return [base ** (-2 * j / d) for j in range(d // 2)]


def cosine_matrix(n):
    """Row k of the DCT-II: s_k cos(pi (2 j + 1) k / 2n)."""
    C = np.zeros((n, n))
    for k in range(n):
        for j in range(n):
            C[k, j] = np.sqrt((1 if k == 0 else 2) / n) * np.cos(np.pi * (2 * j + 1) * k / (2 * n))
    return C


def smoothed(weight, v, normalise):
    """y_n = sum over m <= n of weight(n, m) v_m, divided by normalise(sum of weights) of row n."""
    y = np.zeros_like(v)
    for n in range(v.shape[1]):
        row = [weight(n, m) for m in range(n + 1)]
        y[:, n] = sum(r[:, None] * v[:, m] for m, r in enumerate(row)) / normalise(sum(row))[:, None]
    return y


def one(total):
    return np.ones_like(total)


def logspaced(H):
    """1 - 1/32 to 1 - 1/512, evenly in the logarithm of the distance from 1."""
    return 1 - np.exp(np.linspace(np.log(1 / 32), np.log(1 / 512), H)) if H > 1 else np.array([31 / 32])


# --- the layers ---


def linear_attention(x, w, o):
    """Katharopoulos et al. 2020, equation 9: y_n = sum phi(q_n) phi(k_m) v_m / sum phi(q_n) phi(k_m)."""
    parts = []
    for q, k, v in zip(*(heads(x @ w[name], o["H"]) for name in ("Wq", "Wk", "Wv"))):
        q, k = elu1(turned(q, rope(q.shape[-1]))), elu1(turned(k, rope(k.shape[-1])))
        parts.append(smoothed(lambda n, m: dot(q[:, n], k[:, m]), v, lambda s: s + 1e-6))
    return np.concatenate(parts, -1) @ w["Wo"]


def self_attention(x, w, o):
    """Vaswani et al. 2017, equation 1, with the rotation of Su et al. 2021."""
    parts = []
    for q, k, v in zip(*(heads(x @ w[name], o["H"]) for name in ("Wq", "Wk", "Wv"))):
        d = q.shape[-1]
        q, k = turned(q, rope(d)), turned(k, rope(d))
        parts.append(smoothed(lambda n, m: np.exp(dot(q[:, n], k[:, m]) / np.sqrt(d)), v, lambda s: s))
    return np.concatenate(parts, -1) @ w["Wo"]


def retention(x, w, o):
    """Sun et al. 2023, equations 5 to 8 in the parallel form with its three normalisers (section 2.1, "retention
    score normalization"); amplitudes of xPos as in Sun et al. 2022."""
    H, T, d = o["H"], x.shape[1], x.shape[2]
    dk = d // H
    gammas = {"pow2": 1 - 2.0 ** (-5 - np.arange(H)), "loglin": logspaced(H), "none": np.ones(H)}
    gammas = gammas[o.get("decay", "pow2")]
    theta = [10000.0 ** (-j / max(dk // 2 - 1, 1)) for j in range(dk // 2)]
    zeta = np.repeat([(2 * j + 0.4 * dk) / (1.4 * dk) for j in range(dk // 2)], 2)
    parts = []
    for a, (q, k, v) in enumerate(zip(*(heads(x @ w[name], H) for name in ("Wq", "Wk", "Wv")))):
        q, k = turned(q, theta), turned(k, theta)
        if o.get("key_scale", True):
            k = k / np.sqrt(dk)
        q = np.stack([q[:, n] * zeta ** (n * o.get("xpos", 0.0)) for n in range(T)], 1)
        k = np.stack([k[:, n] / zeta ** (n * o.get("xpos", 0.0)) for n in range(T)], 1)
        y = np.zeros_like(v)
        for n in range(T):
            R = [dot(q[:, n], k[:, m]) * gammas[a] ** (n - m) for m in range(n + 1)]
            if o.get("row_norm", False):
                R = [r / np.sqrt(sum(gammas[a] ** j for j in range(n + 1))) for r in R]
            c = {"none": one(R[0]), "sum": at_least(magnitude(sum(R)), 1), "abs": at_least(sum(map(magnitude, R)), 1)}
            scale = c[o.get("score_norm", "none")].real  # a constant for gradients
            y[:, n] = sum(r[:, None] * v[:, m] for m, r in enumerate(R)) / scale[:, None]
        parts.append(layer_norm(y) if o.get("head_norm", "group") == "group" else rms_norm(y))
    return (swish(x @ w["Wg"]) * np.concatenate(parts, -1)) @ w["Wo"]


def dpfp(z, nu):
    """Schlag et al. 2021, equation 37, rolled as in the authors' code."""
    r = np.concatenate([relu(z), relu(-z)], -1)
    return np.concatenate([r * np.roll(r, i, axis=-1) for i in range(1, nu + 1)], -1)


def directions(Q, G):
    """Orthogonal directions with the lengths of normal vectors."""
    for block in Q:
        assert np.abs(block @ block.T - np.eye(len(block))).max() < 1e-6  # `init` writes f32
    return np.stack([Q[b, i] * np.sqrt((G[b, i] ** 2).sum()) for b, i in np.ndindex(Q.shape[:2])])


def favor(z, rows):
    """Choromanski et al. 2020, lemma 1: positive features of the softmax kernel."""
    return np.stack([np.exp(dot(z, row) - dot(z, z) / 2) for row in rows], -1) / np.sqrt(len(rows))


def fast_weights(x, w, o):
    """Schlag et al. 2021, equations 23 to 28; `fwm` as in Schlag et al. 2021 (arXiv:2011.07831), `activated` as in
    Schmidhuber 1991."""
    H, T, rule = o["H"], x.shape[1], o.get("rule", "delta")
    beta = sigmoid(x @ w["Wb"]) if rule in ("delta", "fwm") else None
    rows = directions(w["Q"], w["G"]) if o.get("feature") == "favor" else None
    maps = {"dpfp": lambda z: dpfp(z, o.get("nu", 1)), "elu": elu1, "softmax": softmax,
            "favor": lambda z: favor(z, rows)}
    parts = []
    for a, (q, k, v) in enumerate(zip(*(heads(x @ w[name], H) for name in ("Wq", "Wk", "Wv")))):
        q, k = (maps[o.get("feature", "dpfp")](z) for z in (q, k))
        if o.get("sum_norm", True):
            q, k = (z / (z.sum(-1, keepdims=True) + 1e-6) for z in (q, k))
        y = np.zeros_like(v)
        W = np.zeros((len(x), k.shape[-1], v.shape[-1]), dtype=complex)
        for t in range(T):
            old = (k[:, t, :, None] * W).sum(1)
            if rule in ("sum", "activated"):
                W = W + k[:, t, :, None] * v[:, t, None, :]
            else:
                b = beta[:, t, a, None]
                new = b * v[:, t] + (1 - b) * old  # what was there goes, a mixture comes
                W = W - k[:, t, :, None] * old[:, None, :] + k[:, t, :, None] * new[:, None, :]
            if rule == "activated":
                W = np.tanh(W)
            if rule == "fwm":
                length = np.sqrt((W * W).sum((1, 2)))
                W = W / (relu(length - 1) + 1)[:, None, None]
            y[:, t] = (q[:, t, :, None] * W).sum(1)
            if o.get("out_norm", False):
                y[:, t] = y[:, t] / (dot(q[:, t], k[:, : t + 1].sum(1)) + 1e-5)[:, None]
        parts.append(layer_norm(y) if rule == "fwm" and not o.get("out_norm", False) else y)
    return np.concatenate(parts, -1) @ w["Wo"]


def favor_attention(x, w, o):
    """Choromanski et al. 2020, equation 4, over the positions seen so far."""
    rows, parts = directions(w["Q"], w["G"]), []
    for q, k, v in zip(*(heads(x @ w[name], o["H"]) for name in ("Wq", "Wk", "Wv"))):
        d = q.shape[-1]
        q, k = (favor(turned(z, rope(d)) / d**0.25, rows) for z in (q, k))
        parts.append(smoothed(lambda n, m: dot(q[:, n], k[:, m]), v, lambda s: s))
    return np.concatenate(parts, -1) @ w["Wo"]


def cos_attention(x, w, o):
    """Qin et al. 2022, equation 10."""
    M, parts = o["length"], []
    for q, k, v in zip(*(heads(x @ w[name], o["H"]) for name in ("Wq", "Wk", "Wv"))):
        q, k = relu(q), relu(k)
        score = lambda n, m: dot(q[:, n], k[:, m]) * np.cos(np.pi / 2 * (n - m) / M)
        parts.append(smoothed(score, v, lambda s: at_least(s, 1e-6)))
    return np.concatenate(parts, -1) @ w["Wo"]


def frequency_attention(x, w, o):
    """Chen et al. 2024: the published code's softmax(x C diag(t)), or the paper's d exp(t C x)."""
    H, paper = o["H"], o.get("reading", "code") == "paper"
    gammas = logspaced(H) if o.get("decay", True) else np.ones(H)
    parts = []
    for a, (q, k, v) in enumerate(zip(*(heads(x @ w[name], H) for name in ("Wq", "Wk", "Wv")))):
        dk = q.shape[-1]
        C = cosine_matrix(dk)
        theta = [10000.0 ** (-2 * j / (dk // 4)) if j < dk // 8 else 0 for j in range(dk // 2)]
        q, k = turned(q, theta), turned(k, theta)
        if paper:
            q, k = (w["d"][:, None, :] * np.exp(w["t"] * np.einsum("kj,ptj->ptk", C, z)) for z in (q, k))
        else:
            q, k = (softmax(np.einsum("ptk,kj->ptj", z, C) * w["t"]) for z in (q, k))
        y = smoothed(lambda n, m: dot(q[:, n], k[:, m]) * gammas[a] ** (n - m), v, (lambda s: s) if paper else one)
        parts.append(y if paper else layer_norm(y))
    return (swish(x @ w["Wg"]) * np.concatenate(parts, -1)) @ w["Wo"]


def fnet_mix(x, w, o):
    """Lee-Thorp et al. 2021, equation 3: the real part of F_time(F_width(x)); or each channel of F_width(x) summed with
    weights sqrt(1 - lambda^2) lambda^distance e^(-i omega distance)."""
    T, D = x.shape[1:]
    angle = lambda j, k, n: 2 * np.pi * j * k / n
    re, im, y = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for k in range(D):
        for j in range(D):
            re[:, :, k] += x[:, :, j] * np.cos(angle(j, k, D))
            im[:, :, k] -= x[:, :, j] * np.sin(angle(j, k, D))
    for n in range(T):
        for m in range(T):
            if o.get("mixing", "decaying") == "fourier":
                y[:, n] += re[:, m] * np.cos(angle(n, m, T)) + im[:, m] * np.sin(angle(n, m, T))
            elif m <= n:
                c = np.arange(D)
                share = 1 - 2.0 ** (-1 - 9 * c / (D - 1))
                kept = share ** (n - m) * np.sqrt((1 - share**2) / D)
                y[:, n] += kept * (re[:, m] * np.cos(angle(c, n - m, D)) + im[:, m] * np.sin(angle(c, n - m, D)))
    return y


def dct_mixing(x, w, o):
    return np.einsum("nt,kd,ptd->pnk", cosine_matrix(x.shape[1]), cosine_matrix(x.shape[2]), x)


def dct_tokens(x, w, o):
    """The lowest frequencies of the patch that ends at each position, channel by channel."""
    C, y = cosine_matrix(o["patch"]), []
    for n in range(x.shape[1]):
        patch = [x[:, m] if m >= 0 else 0 * x[:, 0] for m in range(n - o["patch"] + 1, n + 1)]
        kept = [sum(C[k, j] * patch[j] for j in range(o["patch"])) for k in range(o["kept"])]
        y.append(np.stack(kept, -1).reshape(len(x), 1, -1) @ w["W"])
    return np.concatenate(y, 1)


def kernel_attention(x, w, o):
    """Tsai et al. 2019, equation 2: y_n = sum of kernel(x_n, x_m) v(x_m) / sum of kernel(x_n, x_m)."""
    H, T, D = o["H"], x.shape[1], x.shape[2]
    kind, positions = o.get("kernel", "exponential"), o.get("positions", "product")
    t = np.zeros((1, T, D))
    for n in range(T):
        for j in range(D // 2):
            t[0, n, 2 * j], t[0, n, 2 * j + 1] = np.cos(n * rope(D)[j]), np.sin(n * rope(D)[j])
    f = x + t if positions == "additive" else x
    values = x + t if o.get("value_positions", False) else x
    kernels = {
        "exponential": lambda a, b: np.exp(dot(a, b) / np.sqrt(D // H)),
        "rbf": lambda a, b: np.exp(-dot(a - b, a - b) / np.sqrt(D // H)),
        "polynomial": lambda a, b: dot(a, b) ** 2 / (D // H),
        "linear": lambda a, b: dot(a, b) / np.sqrt(D // H),
    }
    kernel = kernels[kind]
    places = heads(t @ w["Wt"], H) if positions == "product" else [None] * H
    parts = []
    for q, k, v, u in zip(heads(f @ w["Wq"], H), heads(f @ w["Wk"], H), heads(values @ w["Wv"], H), places):
        weight = lambda n, m: kernel(q[:, n], k[:, m]) * (kernel(u[:, n], u[:, m]) if u is not None else 1)
        if o.get("normaliser", True):
            parts.append(smoothed(weight, v, lambda s: at_least(magnitude(s), 1) if kind == "linear" else s))
        else:
            parts.append(rms_norm(smoothed(weight, v, one)))
    return np.concatenate(parts, -1) @ w["Wo"]


def treefold(x, w, o):
    """The algorithm as it was first given, with a soft gate: y_n is the sum over l > 0 of the last block of 2^l tokens
    that is complete at n; or, for `prefix`, the complete blocks of which n + 1 is made, merged from early to late."""
    def merge(left, right):
        both = np.concatenate([left, right], -1)
        affine = lambda z, W, b: np.einsum("pi,pij->pj", z, w[W]) + w[b]
        m = affine(relu(affine(both, "W1", "b1")), "W2", "b2")
        p = softmax(affine(both, "Wg", "bg") / o.get("tau", 1))
        choices = [left, m] if o.get("gate", "three") == "two" else [left, m, right]
        return sum(p[:, i, None] * choice for i, choice in enumerate(choices))

    def block(begin, end):
        if end - begin == 1:
            return x[:, begin]
        return merge(block(begin, (begin + end) // 2), block((begin + end) // 2, end))

    y = np.zeros_like(x)
    for n in range(1, x.shape[1] + 1):
        if o.get("readout", "levels") == "levels":
            sizes = [2**level for level in range(1, n.bit_length())]
            y[:, n - 1] = sum((block(n // size * size - size, n // size * size) for size in sizes), 0 * x[:, 0])
            continue
        begin, total = 0, None
        for size in [2**level for level in reversed(range(n.bit_length())) if n >> level & 1]:
            piece = block(begin, begin + size)
            begin, total = begin + size, piece if total is None else merge(total, piece)
        y[:, n - 1] = total
    return y


BUFFERS = ("Q", "G", "t")  # random numbers that are not trained
SIZES = {"D": 8, "H": 2}
CASES = [("linear_transformer", "linear_attention", linear_attention, SIZES, [{}]),
         ("transformer", "self_attention", self_attention, SIZES, [{}]),
         ("retnet", "retention", retention, SIZES, [{}, {"value": 1}]),
         ("retnet_variants", "retention", retention, SIZES, [
             {}, {"value": 1, "key_scale": False}, {"value_dim": 10}, {"decay": "loglin"}, {"decay": "none"},
             {"xpos": 0.01}, {"row_norm": True}, {"score_norm": "sum"}, {"score_norm": "abs"}, {"head_norm": "rms"},
             {"decay": "loglin", "row_norm": True, "score_norm": "sum"},
             {"xpos": 0.02, "row_norm": True, "score_norm": "sum", "head_norm": "rms"},
             {"row_norm": True, "score_norm": "abs", "head_norm": "rms"}]),
         ("fast_weights", "fast_weights", fast_weights, SIZES, [
             {}, {"rule": "sum"}, {"rule": "fwm"}, {"rule": "activated"}, {"nu": 2}, {"feature": "elu"},
             {"feature": "softmax"}, {"feature": "favor"}, {"sum_norm": False}, {"out_norm": True},
             {"rule": "sum", "feature": "elu", "out_norm": True},
             {"rule": "fwm", "feature": "elu", "sum_norm": False}]),
         ("performer", "favor_attention", favor_attention, SIZES, [{}, {"blocks": 2}]),
         ("cosformer", "cos_attention", cos_attention, SIZES, [{"length": 64}, {"length": 7}]),
         ("dijiang", "frequency_attention", frequency_attention, {"D": 16, "H": 2}, [
             {}, {"decay": False}, {"reading": "paper"}, {"reading": "paper", "decay": False}]),
         ("dijiang", "frequency_attention", frequency_attention, {"D": 16, "H": 1}, [{}]),
         ("fnet", "mix", fnet_mix, {"D": 8}, [{}, {"mixing": "fourier"}]),
         ("dct", "dct_mixing", dct_mixing, {"D": 8}, [{}]),
         ("dct", "dct_tokens", dct_tokens, {"D": 8}, [{"patch": 4, "kept": 2}]),
         ("treefold", "treefold", treefold, {"D": 4}, [
             {"eval": "soft", "gate": gate, "readout": readout, "tau": tau}
             for gate, readout, tau in (("three", "levels", 1), ("two", "levels", 0.5), ("three", "prefix", 0.5),
                                        ("two", "prefix", 1))]),
         ("kernel_attention", "kernel_attention", kernel_attention, SIZES, [
             {"kernel": kernel, "positions": positions, "normaliser": normaliser, "value_positions": seen}
             for kernel in ("exponential", "rbf", "polynomial", "linear")
             for positions, seen in (("none", False), ("additive", False), ("additive", True), ("product", False),
                                     ("product", True))
             for normaliser in (True, False)])]


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def reference(layer, x, weights, fixed, options, cotangent):
    """The output and all gradients of sum(out * cotangent), from one evaluation a row of the batch."""
    moved = {"x": x[0], **weights}
    count = sum(value.size for value in moved.values())
    gradients = {name: np.zeros_like(value) for name, value in weights.items()}
    gradients["x"] = np.zeros_like(x)
    out = []
    for b in range(len(x)):
        arrays, at = {}, 0
        for name, value in {**moved, "x": x[b]}.items():
            flat = np.tile(value.ravel().astype(complex), (count, 1))
            flat[at + np.arange(value.size), np.arange(value.size)] += 1j * STEP
            arrays[name], at = flat.reshape(count, *value.shape), at + value.size
        y = layer(arrays.pop("x"), {**arrays, **fixed}, options)
        out.append(y[0].real)
        slopes, at = (y.imag / STEP * cotangent[b]).sum((1, 2)), 0
        for name, value in moved.items():
            target = gradients["x"][b] if name == "x" else gradients[name]
            target += slopes[at : at + value.size].reshape(value.shape)
            at += value.size
    return np.stack(out), gradients


def distance(a, b):
    return np.abs(a - b).max() / max(np.abs(b).max(), 1e-300) if a.shape == b.shape else np.inf


def compare(weft, folder, file, name, layer, sizes, options, rng):
    path, flags = str(MODELS / f"{file}.yaml"), [f"{k}={text(v)}" for k, v in options.items()]
    own = [f"{k}={v}" for k, v in sizes.items() if k != "D"]
    words = lambda settings: [word for setting in settings for word in ("-p", setting)]
    run = lambda *arguments: subprocess.run([weft, *arguments], check=True, capture_output=True, text=True)
    drawn = words([f"D={sizes['D']}", *own, *flags])
    run("init", path, "--def", name, "--seed", "3", *drawn, "--out", str(folder / "w"))
    weights = load(folder / "w")
    for n, value in weights.items():  # vectors often start from zeros or ones, where mistakes hide
        if value.ndim == 1 and n.split(".")[-1] not in BUFFERS:
            value += 0.3 * rng.normal(size=value.shape)
    save(folder / "w", weights)
    x, cotangent = rng.normal(size=(2, 2, 6, sizes["D"]))
    x = x * (6 if options.get("score_norm", "none") != "none" else 1)  # sums of scores on both sides of 1
    save(folder / "in", {"x": x, "cotangent": cotangent})
    run("apply", path, "--def", name, "--dtype", "f64", "--grad", *words(own + flags), "--weights", str(folder / "w"),
        "--in", str(folder / "in"), "--out", str(folder / "out"))
    given = load(folder / "out")
    fixed = {n.split(".")[-1]: value for n, value in weights.items() if n.split(".")[-1] in BUFFERS}
    trained = {n: value for n, value in weights.items() if n.split(".")[-1] not in BUFFERS}
    out, gradients = reference(layer, x, trained, fixed, {**sizes, **options}, cotangent)
    return distance(given["out"], out), {n: distance(given[f"grad.{n}"], g) for n, g in gradients.items()}


def approximation(weft, folder):
    """Performer against softmax attention on the same weights and small inputs, with more and more features."""
    path, rng, sizes = str(MODELS / "performer.yaml"), np.random.default_rng(0), {"D": 16, "H": 2}
    x = 0.5 * rng.normal(size=(1, 12, 16))
    save(folder / "in", {"x": x})
    errors = []
    for blocks in (4, 64, 1024):
        words = ["--def", "favor_attention", "-p", "H=2", "-p", f"blocks={blocks}"]
        run = lambda *arguments: subprocess.run([weft, *arguments], check=True, capture_output=True, text=True)
        run("init", path, *words, "-p", "D=16", "--seed", "3", "--out", str(folder / "w"))
        run("apply", path, *words, "--dtype", "f64", "--weights", str(folder / "w"), "--in", str(folder / "in"),
            "--out", str(folder / "out"))
        exact = self_attention(x.astype(complex), load(folder / "w"), sizes).real
        errors.append(distance(load(folder / "out")["out"], exact))
    return errors


def main(usage=__doc__, cases=CASES):
    if len(sys.argv) not in (2, 3):
        sys.exit(usage)
    failures = lines = 0
    with tempfile.TemporaryDirectory() as folder:
        for file, name, layer, sizes, several in cases:
            for options in several:
                line = f"{file} {name} " + " ".join(f"{k}={text(v)}" for k, v in options.items())
                if len(sys.argv) == 3 and sys.argv[2] not in line:
                    continue
                lines += 1
                try:
                    out, slopes = compare(sys.argv[1], pathlib.Path(folder), file, name, layer, sizes, options,
                                          np.random.default_rng(lines))
                except (subprocess.CalledProcessError, KeyError) as error:
                    out, slopes = np.inf, {"?": np.inf}
                    print(getattr(error, "stderr", f"no {error}"), file=sys.stderr)
                worst = max(slopes, key=lambda n: slopes[n])
                good = out <= LIMIT and slopes[worst] <= LIMIT
                failures += not good
                figures = f"out {out:.1e}  gradients {slopes[worst]:.1e} ({worst})"
                print(f"{'ok   ' if good else 'FAILS'} {figures}  {line}", flush=True)
        line = "performer favor_attention with 8 features per unit of blocks=4, 64, 1024, against softmax attention"
        if cases is CASES and (len(sys.argv) < 3 or sys.argv[2] in line):
            errors = approximation(sys.argv[1], pathlib.Path(folder))
            good = errors[1] < errors[0] / 2 and errors[2] < errors[1] / 2  # 1 / 4 is the rule of sixteen times as many
            lines, failures = lines + 1, failures + (not good)
            print(f"{'ok   ' if good else 'FAILS'} {' '.join(f'{e:.1e}' for e in errors)}  {line}")
    print(f"{lines} compared, {failures} failed" if lines else "nothing holds that word")
    sys.exit(failures > 0 or not lines)


if __name__ == "__main__":
    main()
