"""The models of models/*.yaml in PyTorch, as a practised user writes them: the twins that `bench/compare.py` runs.

Parameters carry the names that Weft gives them, so that one file of weights serves both (`weft bench --hand-over`).
Linear recurrences are computed in chunks of 64 positions, PyTorch's fastest form at both sizes; a chunk is a batch of
matrix products, and the states between chunks come from one product with the decays of whole chunks.

As a program it serves compare.py:

    torch_models.py MODEL SIZES WEIGHTS eager|compile|generate THREADS wall|cpu

reads a number of steps from each line of standard input, takes them, and answers with their seconds, as
`weft bench --paced` does; or a position, and generates from there.
"""
import json
import math
import re
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

CHUNK = 64


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def rotate(x, cos, sin):
    """Turns neighbours (2i, 2i+1) of x [B, H, T, d] by the angles of cos, sin [T, d/2]."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


def heads(x, n):
    return x.unflatten(-1, (n, -1)).transpose(1, 2)


def merge(y):
    return y.transpose(1, 2).flatten(-2)


class Rotation(nn.Module):
    def __init__(self, theta, length):
        super().__init__()
        angle = torch.arange(length, dtype=torch.float64)[:, None] * theta.double()
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)

    def forward(self, x, past=0):
        T = x.shape[-2]
        return rotate(x, self.cos[past:past + T], self.sin[past:past + T])


def matrix(rows, columns):
    return nn.Parameter(torch.empty(rows, columns))


class SelfAttention(nn.Module):
    def __init__(self, D, H, length):
        super().__init__()
        self.H = H
        self.Wq, self.Wk, self.Wv, self.Wo = (matrix(D, D) for _ in range(4))
        d = D // H
        self.rotation = Rotation(10000.0 ** (-2 * torch.arange(d // 2).double() / d), length)

    def forward(self, x, state=None):
        q, k, v = (heads(x @ W, self.H) for W in (self.Wq, self.Wk, self.Wv))
        past = 0 if state is None or not state else state[0].shape[-2]
        q, k = self.rotation(q, past), self.rotation(k, past)
        if state is not None:
            if state:
                k, v = torch.cat((state[0], k), -2), torch.cat((state[1], v), -2)
            state[:] = [k, v]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=past == 0)
        return merge(y) @ self.Wo


class Retention(nn.Module):
    def __init__(self, D, H, length):
        super().__init__()
        self.H = H
        self.Wq, self.Wk = matrix(D, D), matrix(D, D)
        self.Wv, self.Wg, self.Wo = matrix(D, 2 * D), matrix(D, 2 * D), matrix(2 * D, D)
        half = D // H // 2
        self.rotation = Rotation(10000.0 ** (-torch.arange(half).double() / max(half - 1, 1)), length)
        gamma = 1 - 2.0 ** (-5 - torch.arange(H).double())
        C, n = min(CHUNK, length), max(length // CHUNK, 1)
        i, j = torch.arange(C).double(), torch.arange(n).double()
        power = gamma[:, None, None] ** (i[:, None] - i).clamp(min=0)
        buffers = {
            "gamma": gamma[:, None, None],
            "mask": power.tril(),                                   # [H, C, C]
            "inner": gamma[:, None] ** (i + 1),                     # of the state before a chunk, at each of its rows
            "outer": gamma[:, None] ** (C - 1 - i),                 # of each row, at the end of its chunk
            "chunks": (gamma[:, None, None] ** (C * (j[:, None] - j - 1).clamp(min=0))).tril(-1),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value.float(), persistent=False)

    def forward(self, x, state=None):
        q, k, v = (heads(x @ W, self.H) for W in (self.Wq, self.Wk, self.Wv))
        past = 0 if not state else state[1]
        q, k = self.rotation(q, past), self.rotation(k, past) / math.sqrt(q.shape[-1])
        if state is None:
            y = self.in_chunks(q, k, v)
        else:
            S = k.transpose(-1, -2) @ v if past == 0 else self.gamma * state[0] + k.transpose(-1, -2) @ v
            state[:] = [S, past + 1]
            y = q @ S
        y = F.layer_norm(y, y.shape[-1:])
        return (F.silu(x @ self.Wg) * merge(y)) @ self.Wo

    def in_chunks(self, q, k, v):
        C = self.mask.shape[-1]
        q, k, v = (z.unflatten(-2, (-1, C)) for z in (q, k, v))     # [B, H, n, C, d]
        y = (q @ k.transpose(-1, -2) * self.mask[:, None]) @ v
        if q.shape[2] > 1:
            sums = (k * self.outer[:, None, :, None]).transpose(-1, -2) @ v
            states = (self.chunks @ sums.flatten(-2)).view_as(sums)
            y = y + (q * self.inner[:, None, :, None]) @ states
        return y.flatten(2, 3)


class LinearAttention(nn.Module):
    def __init__(self, D, H, length):
        super().__init__()
        self.H = H
        self.Wq, self.Wk, self.Wv, self.Wo = (matrix(D, D) for _ in range(4))
        d = D // H
        self.rotation = Rotation(10000.0 ** (-2 * torch.arange(d // 2).double() / d), length)
        C = min(CHUNK, length)
        self.register_buffer("mask", torch.ones(C, C).tril(), persistent=False)

    def forward(self, x, state=None):
        past = 0 if not state else state[2]
        q, k = (F.elu(self.rotation(heads(x @ W, self.H), past)) + 1 for W in (self.Wq, self.Wk))
        v = heads(x @ self.Wv, self.H)
        if state is None:
            y = self.in_chunks(q, k, v)
        else:
            S, n = k.transpose(-1, -2) @ v, k
            if state:
                S, n = state[0] + S, state[1] + n
            state[:] = [S, n, past + 1]
            y = (q @ S) / ((q * n).sum(-1, keepdim=True) + 1e-6)
        return merge(y) @ self.Wo

    def in_chunks(self, q, k, v):
        C = self.mask.shape[-1]
        q, k, v = (z.unflatten(-2, (-1, C)) for z in (q, k, v))
        scores = q @ k.transpose(-1, -2) * self.mask
        y, norm = scores @ v, scores.sum(-1, keepdim=True)
        if q.shape[2] > 1:
            before = lambda s: F.pad(s.cumsum(2), (0, 0, 0, 0, 1, 0))[:, :, :-1]
            y = y + q @ before(k.transpose(-1, -2) @ v)
            norm = norm + (q * before(k.sum(-2, keepdim=True))).sum(-1, keepdim=True)
        return (y / (norm + 1e-6)).flatten(2, 3)


class FFN(nn.Module):
    def __init__(self, D, hidden):
        super().__init__()
        self.W1, self.b1 = matrix(D, hidden), nn.Parameter(torch.empty(hidden))
        self.W2, self.b2 = matrix(hidden, D), nn.Parameter(torch.empty(D))

    def forward(self, x, state=None):
        h = F.gelu(torch.addmm(self.b1, x.flatten(0, -2), self.W1), approximate="tanh")
        return torch.addmm(self.b2, h, self.W2).view_as(x)


class RMSNorm(nn.Module):
    def __init__(self, D):
        super().__init__()
        self.gain = nn.Parameter(torch.empty(D))

    def forward(self, x):
        return F.rms_norm(x, x.shape[-1:], self.gain, 1e-6)


class LayerNorm(nn.Module):
    def __init__(self, D):
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.empty(D)), nn.Parameter(torch.empty(D))

    def forward(self, x):
        return F.layer_norm(x, x.shape[-1:], self.gain, self.bias)


KINDS = {  # name of the file in models/: mixer, norm, hidden width in multiples of D
    "transformer": (SelfAttention, RMSNorm, 4),
    "retnet": (Retention, LayerNorm, 2),
    "linear_transformer": (LinearAttention, RMSNorm, 4),
}


class Model(nn.Module):
    def __init__(self, kind, vocab, D, H, layers, length):
        super().__init__()
        mixer, norm, wide = KINDS[kind]
        self.table = matrix(vocab, D)
        self.layers = nn.ModuleList()
        for _ in range(layers):
            self.layers.append(nn.ModuleList([norm(D), mixer(D, H, length), norm(D), FFN(D, wide * D)]))
        self.norm = norm(D)

    def forward(self, tokens, states=None):
        x = self.table[tokens]
        for i, (norm1, mix, norm2, ffn) in enumerate(self.layers):
            x = x + mix(norm1(x), None if states is None else states[i])
            x = x + ffn(norm2(x))
        return self.norm(x) @ self.table.T

    def load(self, tensors):
        """Takes weights by their places: layer, half of the layer, last part of the name."""
        given = {place(name, r"repeat\[(\d+)\]\.body\.(\d+)"): t for name, t in tensors.items()}
        for name, parameter in self.named_parameters():
            layer, part, last = place(name, r"layers\.(\d+)\.(\d+)")
            parameter.data.copy_(given[layer, None if part is None else part // 2, last])


def place(name, pattern):
    found = re.search(pattern, name)
    return (*(map(int, found.groups()) if found else (None, None)), name.split(".")[-1])


class Training:
    """AdamW as in Weft: fused, betas 0.9 and 0.99, no decay below rank 2, gradients clipped to a norm of 1."""

    def __init__(self, model, batch, compiled):
        self.model, self.batch = model, batch
        flat = [p for p in model.parameters() if p.dim() < 2]
        wide = [p for p in model.parameters() if p.dim() >= 2]
        groups = [{"params": wide, "weight_decay": 0.1}, {"params": flat, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=3e-5, betas=(0.9, 0.99), fused=True)
        self.loss = torch.compile(self._loss) if compiled else self._loss

    def _loss(self, tokens, targets):
        return F.cross_entropy(self.model(tokens).flatten(0, 1), targets.flatten())

    def step(self):
        loss = self.loss(*self.batch)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item(), norm.item()


def generation(model, position, count, now):
    """Seconds of single tokens after `position` of them, fed one by one: with a state or a cache."""
    states = [[] for _ in model.layers]
    token = torch.zeros(1, 1, dtype=torch.long)
    seconds = []
    with torch.inference_mode():
        for _ in range(position + count):
            start = now()
            model(token, states)
            seconds.append(now() - start)
    return seconds[position:]


def serve(kind, sizes, weights, mode, now):
    from safetensors.torch import load_file
    start = resident()
    tensors = load_file(weights)
    model = Model(kind, sizes["vocab"], sizes["D"], sizes["H"], sizes["layers"], sizes["length"])
    model.load(tensors)
    if mode == "generate":
        for line in sys.stdin:
            print(json.dumps({"seconds": generation(model, int(line), 48, now)}), flush=True)
        return
    training = Training(model, (tensors["tokens"].long(), tensors["targets"].long()), mode == "compile")
    first = time.perf_counter()
    loss, norm = training.step()
    answer = {"first_loss": loss, "first_gradient_norm": norm, "first_seconds": time.perf_counter() - first}
    print(json.dumps(answer), flush=True)
    training.step()
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            begin = now()
            training.step()
            seconds.append(now() - begin)
        print(json.dumps({"seconds": seconds}), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"memory_above_start": peak - start}), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[5]))
    clock = {"wall": time.perf_counter, "cpu": time.process_time}[sys.argv[6]]
    serve(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], sys.argv[4], clock)
