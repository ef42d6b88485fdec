"""The layers of models/*.yaml in PyTorch, as a practised user writes them; torch_twin.py makes models of them.

Parameters carry the names that Weft gives them, so that one file of weights serves both (`weft bench --hand-over`).
Linear recurrences are computed in chunks of 64 positions, PyTorch's fastest form at all sizes; a chunk is a batch of
matrix products. A mixer that generates has `start(length)`, the tensors of its state, which `forward` changes in place
when it is given one token, them, and the number of tokens before.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

CHUNK = 64


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

    def start(self, length):
        """Room for all keys and values at once: to append to them would copy them all for each token."""
        return [torch.zeros(1, self.H, length, len(self.Wq) // self.H) for _ in range(2)]

    def forward(self, x, state=None, past=0):
        q, k, v = (heads(x @ W, self.H) for W in (self.Wq, self.Wk, self.Wv))
        q, k = self.rotation(q, past), self.rotation(k, past)
        if state is not None:
            for cache, new in zip(state, (k, v)):
                cache[:, :, past:past + 1] = new
            k, v = (cache[:, :, :past + 1] for cache in state)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=state is None)
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

    def start(self, length):
        d = len(self.Wq) // self.H
        return [torch.zeros(1, self.H, d, 2 * d)]

    def forward(self, x, state=None, past=0):
        q, k, v = (heads(x @ W, self.H) for W in (self.Wq, self.Wk, self.Wv))
        q, k = self.rotation(q, past), self.rotation(k, past) / math.sqrt(q.shape[-1])
        if state is None:
            y = self.in_chunks(q, k, v)
        else:
            y = q @ state[0].mul_(self.gamma).add_(k.transpose(-1, -2) @ v)
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

    def start(self, length):
        d = len(self.Wq) // self.H
        return [torch.zeros(1, self.H, d, d), torch.zeros(1, self.H, 1, d)]

    def forward(self, x, state=None, past=0):
        q, k = (F.elu(self.rotation(heads(x @ W, self.H), past)) + 1 for W in (self.Wq, self.Wk))
        v = heads(x @ self.Wv, self.H)
        if state is None:
            y = self.in_chunks(q, k, v)
        else:
            S, n = state[0].add_(k.transpose(-1, -2) @ v), state[1].add_(k)
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


def features(x):
    """DPFP: products of neighbours in [relu(x), relu(-x)], which then sum to 1."""
    r = torch.cat((x.relu(), (-x).relu()), -1)
    f = r * r.roll(1, -1)
    return f / (f.sum(-1, keepdim=True) + 1e-6)


def solved(A, b):
    """x of (I + A) x = b; there is no bf16 of it, and autocast does not know that."""
    return torch.linalg.solve_triangular(A.float(), b.float(), upper=False, unitriangular=True)


class DeltaRule(nn.Module):
    def __init__(self, D, H, length):
        super().__init__()
        self.H = H
        self.Wq, self.Wk, self.Wv, self.Wo = (matrix(D, D) for _ in range(4))
        self.Wb = matrix(D, H)

    def start(self, length):
        d = len(self.Wq) // self.H
        return [torch.zeros(1, self.H, 2 * d, d)]

    def forward(self, x, state=None, past=0):
        q, k = (features(heads(x @ W, self.H)) for W in (self.Wq, self.Wk))
        v, beta = heads(x @ self.Wv, self.H), (x @ self.Wb).sigmoid().transpose(1, 2)[..., None]
        if state is None:
            y = self.sequence(q, k, v, beta)
        else:
            y = q @ state[0].add_(k.transpose(-1, -2) @ (beta * (v - k @ state[0])))
        return merge(y) @ self.Wo

    def sequence(self, q, k, v, beta):
        """In chunks. What a chunk writes, u, solves (I + A) u = beta (v - k S), where S is the state before it."""
        q, k, v, beta = (z.unflatten(-2, (-1, min(CHUNK, z.shape[-2]))) for z in (q, k, v, beta))  # [B, H, n, C, d]
        A = (beta * k @ k.transpose(-1, -2)).tril(-1)
        scores = (q @ k.transpose(-1, -2)).tril()
        if q.shape[2] == 1:
            u = solved(A, beta * v)
            return (scores @ u).flatten(2, 3)
        fresh, read = solved(A, beta * torch.cat((v, k), -1)).split((v.shape[-1], k.shape[-1]), -1)
        states, written = [torch.zeros_like(k[:, :, 0].transpose(-1, -2) @ v[:, :, 0])], []
        for now, read_now, keys in zip(fresh.unbind(2), read.unbind(2), k.transpose(-1, -2).unbind(2)):
            written.append(now - read_now @ states[-1])
            states.append(states[-1] + keys @ written[-1])
        y = q @ torch.stack(states[:-1], 2) + scores @ torch.stack(written, 2)
        return y.flatten(2, 3)


class DeltaLoop(DeltaRule):
    """Token by token, as the rule is written and as most published code computes it."""

    def sequence(self, q, k, v, beta):
        S, y = torch.zeros_like(k[:, :, 0, :, None] * v[:, :, 0, None]), []
        for q, k, v, beta in zip(*(z.unsqueeze(-2).unbind(2) for z in (q, k, v, beta))):
            S = S + k.transpose(-1, -2) @ (beta * (v - k @ S))
            y.append(q @ S)
        return torch.cat(y, -2)


class TreeFold(nn.Module):
    def __init__(self, D, H, length):
        super().__init__()
        self.W1, self.b1 = matrix(2 * D, D), nn.Parameter(torch.empty(D))
        self.W2, self.b2 = matrix(D, D), nn.Parameter(torch.empty(D))
        self.Wg, self.bg = matrix(2 * D, 3), nn.Parameter(torch.empty(3))

    def choice(self, logits):
        return F.gumbel_softmax(logits)

    def forward(self, x):
        levels = [x]
        while levels[-1].shape[1] > 1:
            pairs = levels[-1].unflatten(1, (-1, 2)).flatten(2)
            flat = pairs.flatten(0, 1)
            h = torch.addmm(self.b1, flat, self.W1).relu()
            merged = torch.addmm(self.b2, h, self.W2).view(*pairs.shape[:2], -1)
            p = self.choice(torch.addmm(self.bg, flat, self.Wg)).view(*pairs.shape[:2], 3)
            left, right = pairs.chunk(2, -1)
            levels.append(p[..., :1] * left + p[..., 1:2] * merged + p[..., 2:] * right)
        # A node and those above it that are complete when it is; then the same for tokens, without their own value.
        total = levels.pop()
        for nodes in levels[:0:-1]:
            total = nodes + self.handed_down(total)
        return self.handed_down(total)

    def handed_down(self, total):
        """Node i of a level counts from the end of its second child on: for 2i + 1 and 2i + 2 of the level below."""
        return F.pad(total.repeat_interleave(2, 1), (0, 0, 1, -1))


class QuietTreeFold(TreeFold):
    """Without the noise of the gate: what can be compared number by number."""

    def choice(self, logits):
        return logits.softmax(-1)


class GRU(nn.Module):
    PARTS = {"weight_ih_l0": ("Wr", "Wz", "Wn"), "weight_hh_l0": ("Ur", "Uz", "Un"), "bias_ih_l0": ("br", "bz", "bn")}

    def __init__(self, D, H, length):
        super().__init__()
        self.gru = nn.GRU(D, D, batch_first=True)
        self.gru.bias_hh_l0.requires_grad_(False).zero_()  # Weft's has one bias a gate

    def forward(self, x):
        return self.gru(x)[0]


class FFN(nn.Module):
    def __init__(self, D, hidden):
        super().__init__()
        self.W1, self.b1 = matrix(D, hidden), nn.Parameter(torch.empty(hidden))
        self.W2, self.b2 = matrix(hidden, D), nn.Parameter(torch.empty(D))

    def forward(self, x):
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
