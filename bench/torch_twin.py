"""A model of models/*.yaml in PyTorch beside Weft's: the program that bench/compare.py starts and takes turns with.

    torch_twin.py MODEL SIZES WEIGHTS eager|compile THREADS wall|cpu [bf16]
    torch_twin.py MODEL SIZES WEIGHTS generate-eager|generate-compile THREADS wall|cpu

reads a number of steps from each line of standard input, takes them, and answers with their seconds, as
`weft bench --paced` does; or a position, and generates from there. With bf16 the forward runs under autocast.
"""
import json
import re
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

from torch_models import (CHUNK, FFN, GRU, DeltaLoop, DeltaRule, LayerNorm, LinearAttention, QuietTreeFold, Retention,
                          RMSNorm, SelfAttention, TreeFold, matrix)

GENERATED = 48  # tokens that are timed at a position, as by `weft bench`


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


KINDS = {  # name of the file in models/: mixer, norm, hidden width in multiples of D
    "transformer": (SelfAttention, RMSNorm, 4),
    "retnet": (Retention, LayerNorm, 2),
    "linear_transformer": (LinearAttention, RMSNorm, 4),
    "fast_weights": (DeltaRule, RMSNorm, 4),
    "fast_weights_loop": (DeltaLoop, RMSNorm, 4),
    "treefold": (TreeFold, LayerNorm, 4),
    "treefold_quiet": (QuietTreeFold, LayerNorm, 4),
    "gru": (GRU, RMSNorm, 4),
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

    def start(self, length):
        return [mix.start(length) for _, mix, _, _ in self.layers]

    def forward(self, tokens, states=None, past=0):
        x = self.table[tokens]
        for i, (norm1, mix, norm2, ffn) in enumerate(self.layers):
            x = x + (mix(norm1(x)) if states is None else mix(norm1(x), states[i], past))
            x = x + ffn(norm2(x))
        return self.norm(x) @ self.table.T

    def load(self, tensors):
        """Takes weights by their places: layer, half of the layer, last part of the name."""
        given = {place(name, r"repeat\[(\d+)\]\.body\.(\d+)"): t for name, t in tensors.items()}
        for name, parameter in self.named_parameters():
            layer, part, last = place(name, r"layers\.(\d+)\.(\d+)")
            half = None if part is None else part // 2
            if last in GRU.PARTS:
                parts = [given[layer, half, each] for each in GRU.PARTS[last]]
                given[layer, half, last] = torch.cat(parts, -1).movedim(-1, 0)
            if parameter.requires_grad:
                parameter.data.copy_(given[layer, half, last])


def place(name, pattern):
    found = re.search(pattern, name)
    return (*(map(int, found.groups()) if found else (None, None)), name.split(".")[-1])


class Training:
    """AdamW as in Weft: fused, betas 0.9 and 0.99, no decay below rank 2, gradients clipped to a norm of 1."""

    def __init__(self, model, batch, compiled, narrow):
        self.model, self.batch, self.narrow = model, batch, narrow
        learned = [p for p in model.parameters() if p.requires_grad]
        flat, wide = [p for p in learned if p.dim() < 2], [p for p in learned if p.dim() >= 2]
        groups = [{"params": wide, "weight_decay": 0.1}, {"params": flat, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=3e-5, betas=(0.9, 0.99), fused=True)
        self.loss = torch.compile(self._loss) if compiled else self._loss

    def _loss(self, tokens, targets):
        return F.cross_entropy(self.model(tokens).flatten(0, 1), targets.flatten())

    def step(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.narrow):
            loss = self.loss(*self.batch)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item(), norm.item()


class Generation:
    """Single tokens with a state or a cache. What was reached at a position is kept, and every turn starts there."""

    @torch.inference_mode()
    def __init__(self, model, length, compiled):
        self.model, self.length, self.kept = model, length, {}
        self.step = torch.compile(model) if compiled else model
        self.token = torch.zeros(1, 1, dtype=torch.long)
        self.check()

    def check(self):
        """Step by step gives what the form does that training uses, which is checked against Weft."""
        states, tokens = self.model.start(self.length), torch.arange(CHUNK)[None] % len(self.model.table)
        steps = torch.cat([self.step(tokens[:, t:t + 1], states, t) for t in range(CHUNK)], 1)
        difference = (steps - self.model(tokens)).abs().max().item()
        if not difference < 1e-4:
            sys.exit(f"generation and training differ by {difference}")

    @torch.inference_mode()
    def seconds(self, position, now):
        if position not in self.kept:
            states = self.model.start(self.length)
            for past in range(position):
                self.step(self.token, states, past)
            self.kept[position] = states
        states = [[tensor.clone() for tensor in state] for state in self.kept[position]]
        seconds = []
        for past in range(position, position + GENERATED):
            start = now()
            self.step(self.token, states, past)
            seconds.append(now() - start)
        return seconds


def serve(kind, sizes, weights, mode, now, narrow):
    from safetensors.torch import load_file
    start = resident()
    tensors = load_file(weights)
    model = Model(kind, sizes["vocab"], sizes["D"], sizes["H"], sizes["layers"], sizes["length"])
    model.load(tensors)
    if mode.startswith("generate"):
        generation = Generation(model, sizes["length"], mode.endswith("compile"))
        for line in sys.stdin:
            print(json.dumps({"seconds": generation.seconds(int(line), now)}), flush=True)
        return
    training = Training(model, (tensors["tokens"].long(), tensors["targets"].long()), mode == "compile", narrow)
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
    serve(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], sys.argv[4], clock, sys.argv[7:] == ["bf16"])
