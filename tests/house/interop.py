"""PyTorch models with the names of published code, in Weft and back. Run by interop.sh with the path of the program.

The models are written from the formulas of the papers and the conventions of the published code (docs/interop.md).
"""
import math
import os
import subprocess
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

program, tool = sys.argv[1], os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/convert_weights.py")
vocab, D, H, layers, hidden, context, B, T = 11, 12, 2, 2, 20, 16, 3, 9


class Names(nn.Module):
    """A module made of others, so that parameters have the published names."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


def split(x):
    return x.unflatten(-1, (H, -1)).transpose(1, 2)


def merge(x):
    return x.transpose(1, 2).flatten(2)


class Conv1D(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(inputs, outputs)), nn.Parameter(torch.empty(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class GPT(nn.Module):
    """GPT-2: of transformers with Conv1D, masks and the tanh gelu; of nanoGPT with Linear, perhaps without biases."""

    def __init__(self, nano=False, bias=True):
        super().__init__()
        self.gelu = "none" if nano else "tanh"
        make = (lambda i, o: nn.Linear(i, o, bias=bias)) if nano else Conv1D
        norm = lambda: nn.LayerNorm(D, bias=bias)
        blocks = [Names(ln_1=norm(), attn=Names(c_attn=make(D, 3 * D), c_proj=make(D, D)), ln_2=norm(),
                        mlp=Names(c_fc=make(D, hidden), c_proj=make(hidden, D))) for _ in range(layers)]
        if not nano:
            for b in blocks:
                b.attn.register_buffer("bias", torch.ones(context, context).tril().bool()[None, None])
                b.attn.register_buffer("masked_bias", torch.tensor(-1e4))
        self.transformer = Names(wte=nn.Embedding(vocab, D), wpe=nn.Embedding(context, D), h=nn.ModuleList(blocks),
                                 ln_f=norm())
        self.lm_head = nn.Linear(D, vocab, bias=False)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens):
        t = self.transformer
        x = t.wte(tokens) + t.wpe.weight[: tokens.shape[1]]
        for b in t.h:
            q, k, v = b.attn.c_attn(b.ln_1(x)).chunk(3, -1)
            scores = split(q) @ split(k).mT / math.sqrt(D // H)
            scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -math.inf)
            x = x + b.attn.c_proj(merge(scores.softmax(-1) @ split(v)))
            x = x + b.mlp.c_proj(F.gelu(b.mlp.c_fc(b.ln_2(x)), approximate=self.gelu))
        return self.lm_head(t.ln_f(x))


class RMSNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(D))

    def forward(self, x):
        return unit(x) * self.weight


def unit(x):
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()


class RetNet(nn.Module):
    """torchscale's RetNetDecoder, its parallel form."""

    def __init__(self, activation, scale, tied=False):
        super().__init__()
        self.activation, self.scale, value = {"swish": F.silu, "gelu": F.gelu}[activation], scale, 2 * D + H
        line = lambda i, o: nn.Linear(i, o, bias=False)
        self.embed_tokens, self.output_projection = nn.Embedding(vocab, D), line(D, vocab)
        if tied:
            self.output_projection.weight = self.embed_tokens.weight
        self.layers = nn.ModuleList(
            [Names(retention=Names(q_proj=line(D, D), k_proj=line(D, D), v_proj=line(D, value), g_proj=line(D, value),
                                   out_proj=line(value, D)), retention_layer_norm=RMSNorm(),
                   ffn=Names(fc1=line(D, hidden), fc2=line(hidden, D), gate=line(D, hidden)), final_layer_norm=RMSNorm())
             for _ in range(layers)])
        self.layer_norm = RMSNorm()
        self.retnet_rel_pos = nn.Module()
        self.retnet_rel_pos.register_buffer("angle", 10000 ** -torch.linspace(0, 1, D // H // 2).double().repeat_interleave(2))
        self.retnet_rel_pos.register_buffer("decay", (1 - 2.0 ** (-5 - torch.arange(H).double())).log())

    def turned(self, x):
        """Pairs of neighbours turned by the angle of their position, as complex numbers."""
        angle = torch.arange(x.shape[-2])[:, None] * self.retnet_rel_pos.angle[::2]
        z = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()) * torch.polar(torch.ones_like(angle), angle)
        return torch.view_as_real(z).flatten(-2)

    def forward(self, tokens):
        x = self.embed_tokens(tokens) * (math.sqrt(D) if self.scale else 1)
        n = torch.arange(tokens.shape[1])
        decay = ((n[:, None] - n) * self.retnet_rel_pos.decay[:, None, None]).exp().tril()
        decay = decay / decay.sum(-1, keepdim=True).sqrt()
        for l in self.layers:
            r, y = l.retention, l.retention_layer_norm(x)
            s = self.turned(split(r.q_proj(y))) @ self.turned(split(r.k_proj(y)) / math.sqrt(D // H)).mT * decay
            o = unit(s / s.abs().sum(-1, keepdim=True).clamp(1, 5e4) @ split(r.v_proj(y)))
            x = x + r.out_proj(F.silu(r.g_proj(y)) * merge(o))
            y = l.final_layer_norm(x)
            x = x + l.ffn.fc2(self.activation(l.ffn.fc1(y)) * l.ffn.gate(y))
        return self.output_projection(self.layer_norm(x))


class FastWeights(nn.Module):
    """lmtool-fwp's language model with the delta rule, token by token."""

    def __init__(self, feature, nu=2, positions=True, out_norm=True):
        super().__init__()
        self.feature, self.nu, self.positions, self.out_norm = feature, nu, positions, out_norm
        self.word_emb = Names(emb_layers=nn.ModuleList([nn.Embedding(vocab, D)]))
        self.layers = nn.ModuleList(
            [Names(dec_attn=Names(qkvb_net=nn.Linear(D, 3 * D + H, bias=False), o_net=nn.Linear(D, D, bias=False),
                                  layer_norm=nn.LayerNorm(D)),
                   pos_ff=Names(CoreNet=nn.Sequential(nn.Linear(D, hidden), nn.ReLU(), nn.Dropout(0.0), nn.Linear(hidden, D)),
                                layer_norm=nn.LayerNorm(D))) for _ in range(layers)])
        self.crit = Names(out_layers=nn.ModuleList([nn.Linear(D, vocab)]))
        self.crit.out_layers[0].weight = self.word_emb.emb_layers[0].weight
        self.pos_emb = nn.Module()
        self.pos_emb.register_buffer("inv_freq", 10000 ** (-torch.arange(0, D, 2).double() / D))

    def phi(self, x):
        if self.feature == "elu":
            f = F.elu(x) + 1
        else:
            r = torch.cat([x, -x], -1).relu()
            f = torch.cat([r * r.roll(i, -1) for i in range(1, self.nu + 1)], -1)
        return f / f.sum(-1, keepdim=True)

    def memory(self, a, x):
        q, k, v, beta = a.qkvb_net(x).unflatten(-1, (H, -1)).transpose(1, 2).split([D // H] * 3 + [1], -1)
        q, k, beta, reads = self.phi(q), self.phi(k), beta.sigmoid(), []
        W, z = torch.zeros(*k.shape[:2], k.shape[-1], v.shape[-1]), torch.zeros_like(k[:, :, 0])
        for t in range(x.shape[1]):
            old = (k[:, :, t, None] @ W)[:, :, 0]
            W = W + k[:, :, t, :, None] * (beta[:, :, t] * (v[:, :, t] - old))[:, :, None]
            z = z + k[:, :, t]
            read = (q[:, :, t, None] @ W)[:, :, 0] / math.sqrt(D // H)
            reads.append(read / ((z * q[:, :, t]).sum(-1, keepdim=True) + 1e-5) if self.out_norm else read)
        return a.o_net(merge(torch.stack(reads, 2)))

    def forward(self, tokens):
        x = self.word_emb.emb_layers[0](tokens) * math.sqrt(D)
        if self.positions:
            angle = torch.arange(tokens.shape[1] - 1, -1, -1)[:, None] * self.pos_emb.inv_freq
            x = x + torch.cat([angle.sin(), angle.cos()], -1)
        for l in self.layers:
            x = l.dec_attn.layer_norm(x + self.memory(l.dec_attn, x))
            x = l.pos_ff.layer_norm(x + l.pos_ff.CoreNet(x))
        return self.crit.out_layers[0](x)


def run(*words, code=0, **more):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **more)
    assert done.returncode == code, (words, done.returncode, done.stderr)
    return done.stdout + done.stderr


def convert(*words, **more):
    return run(sys.executable, tool, *words, **more)


def logits(description, weights):
    run(program, "apply", description, "--weights", weights, "--in", "tokens.safetensors", "--out", "out.safetensors",
        "--dtype", "f64")
    return load_file("out.safetensors")["logits"]


def same_bits(a, b):
    raw = lambda t: t.contiguous().reshape(-1).view(torch.uint8) if t.numel() else t
    return list(a) == list(b) and all(a[n].dtype == b[n].dtype and a[n].shape == b[n].shape and raw(a[n]).equal(raw(b[n]))
                                      for n in a)


def random(model, seed=0):
    torch.manual_seed(seed)
    model = model.double()
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(0, 0.5)
    return model


def off(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def there_and_back(family, model, said, wrapper="", file="there.safetensors", form=lambda s: s):
    state = {wrapper + n: t.clone() for n, t in model.state_dict().items()}
    pt = file.endswith(".pt")
    torch.save(form(state), file) if pt else save_file(state, file)
    convert(family, file, "w.safetensors", "--description", "w.yaml", "--with", *said)
    error = off(logits("w.yaml", "w.safetensors"), model(torch.arange(B * T).reshape(B, T) * 7 % vocab))
    # float64, sums of up to 20 terms of size 1: measured at most 2e-15.
    assert error < 1e-10, (family, said, error)
    back = "back" + os.path.splitext(file)[1]
    convert(family, "w.safetensors", back, "--back", "--like", file)
    again = torch.load(back) if pt else load_file(back)
    assert same_bits({n: again[n] for n in sorted(again)}, {n: state[n] for n in sorted(state)}), family
    convert(family, "w.safetensors", "plain.safetensors", "--back")
    fresh = random(type(model)(**model.made), seed=1)
    missing, unexpected = fresh.load_state_dict(load_file("plain.safetensors"), strict=False)
    assert not unexpected and set(missing) <= set(dict(fresh.named_buffers())), (missing, unexpected)
    assert fresh(torch.zeros(1, 4).long()).equal(model(torch.zeros(1, 4).long())), family
    print(f"{family} {' '.join(said)}: logits within {error:.1e}, back to the bit")


def make(kind, **made):
    model = random(kind(**made))
    model.made = made
    return model


def gpt2_of_transformers():
    there_and_back("gpt2", make(GPT), ["H=2"])
    # A wrong param must be seen by the comparison: the two gelus differ by up to 5e-4.
    text = open("w.yaml").read().replace("gelu: tanh", "gelu: exact")
    open("w.yaml", "w").write(text)
    assert off(logits("w.yaml", "w.safetensors"), make(GPT)(torch.arange(B * T).reshape(B, T) * 7 % vocab)) > 1e-6


def the_base_model_has_other_names():
    state = {n.removeprefix("transformer."): t for n, t in make(GPT).state_dict().items() if n != "lm_head.weight"}
    save_file(state, "base.safetensors")
    convert("gpt2", "base.safetensors", "base_w.safetensors", "--with", "H=2")
    convert("gpt2", "base_w.safetensors", "base_back.safetensors", "--back", "--like", "base.safetensors")
    assert same_bits(dict(sorted(load_file("base_back.safetensors").items())), dict(sorted(state.items())))


def nanogpt():
    for bias in (True, False):
        there_and_back("nanogpt", make(GPT, nano=True, bias=bias), ["H=2"], "_orig_mod.", "ckpt.pt",
                       lambda s: {"model": s, "model_args": {"n_head": H}, "iter_num": 7})


def torchscale():
    there_and_back("torchscale", make(RetNet, activation="swish", scale=True), ["H=2", "activation=swish", "scale=true"],
                   "decoder.", "retnet.pt")
    there_and_back("torchscale", make(RetNet, activation="gelu", scale=False), ["H=2", "activation=gelu", "scale=false"])
    there_and_back("torchscale", make(RetNet, activation="gelu", scale=False, tied=True),
                   ["H=2", "activation=gelu", "scale=false"])


def fast_weights():
    for feature, nu, positions, out_norm in (("dpfp", 2, True, True), ("dpfp", 3, False, False), ("elu", 2, True, False)):
        there_and_back("fast_weights", make(FastWeights, feature=feature, nu=nu, positions=positions, out_norm=out_norm),
                       [f"feature={feature}", f"nu={nu}", f"positions={str(positions).lower()}",
                        f"out_norm={str(out_norm).lower()}"])


def every_type_keeps_its_bits():
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        state = {n: t.to(dtype) for n, t in make(FastWeights, feature="elu").state_dict().items()}
        for file in ("half.safetensors", "half.pt"):
            torch.save(state, file) if file.endswith("pt") else save_file({n: t.clone() for n, t in state.items()}, file)
            convert("fast_weights", file, "half_w.safetensors", "--description", "half.yaml",
                    "--with", "feature=elu", "positions=true", "out_norm=true")
            assert logits("half.yaml", "half_w.safetensors").isfinite().all()
            convert("fast_weights", "half_w.safetensors", "back_" + file, "--back", "--like", file)
            again = torch.load("back_" + file) if file.endswith("pt") else load_file("back_" + file)
            assert same_bits(dict(sorted(again.items())), dict(sorted(state.items()))), (dtype, file)


def a_trained_run_goes_back():
    with open("run.yaml", "w") as f:
        f.write("schema: 1\nmodel:\n  - use: std/gpt2\n    with: {D: 8, H: 2, layers: 1, context: 8}\n"
                "data: {text: {path: t.txt}}\ntrain: {steps: 2, batch: 2, context: 8}\ngenerate: {tokens: 0}\n")
    with open("t.txt", "w") as f:
        f.write("the cat sat on a mat.\n" * 20)
    run(program, "train", "run.yaml", "--run-dir", "run")
    for state in ("run/checkpoints/best.safetensors", "run/checkpoints/step_0000002/state.safetensors"):
        convert("gpt2", state, "run.pt", "--back")
        assert torch.load("run.pt")["transformer.h.0.attn.c_attn.weight"].shape == (8, 24)


def safetensors_need_no_torch():
    os.makedirs("none", exist_ok=True)
    with open("none/torch.py", "w") as f:
        f.write("raise ImportError('there is no torch here')\n")
    save_file({n: t.clone() for n, t in make(GPT).state_dict().items()}, "there.safetensors")
    here = {**os.environ, "PYTHONPATH": "none"}
    convert("gpt2", "there.safetensors", "w.safetensors", "--with", "H=2", env=here)
    convert("gpt2", "w.safetensors", "b.safetensors", "--back", env=here)
    assert "no torch" in convert("gpt2", "w.safetensors", "b.pt", "--back", env=here, code=4)


def what_is_wrong_is_said():
    good = {n: t.clone() for n, t in make(GPT).state_dict().items()}

    def fails(change, *said, family="gpt2", code=4, words=("--with", "H=2")):
        state = {n: t.clone() for n, t in good.items()}
        change(state)
        save_file(state, "bad.safetensors")
        if os.path.exists("o.safetensors"):
            os.remove("o.safetensors")
        text = convert(family, "bad.safetensors", "o.safetensors", *words, code=code)
        assert all(s in text for s in said), text
        assert not os.path.exists("o.safetensors")

    fc, attn = "transformer.h.1.mlp.c_fc.weight", "transformer.h.0.attn.c_attn.bias"
    fails(lambda s: s.update(extra=torch.zeros(2)), "not in the table", "extra")
    fails(lambda s: (s.pop(fc), s.pop(attn)), "missing", "h.1.mlp.c_fc.weight", "h.0.attn.c_attn.bias")
    fails(lambda s: s.update({fc: s[fc].T.contiguous()}), fc.removeprefix("transformer."), "[20, 12]", "[D, hidden]")
    fails(lambda s: s.update({"lm_head.weight": s["lm_head.weight"] + 1}), "lm_head.weight differs")
    fails(lambda s: s.update({"transformer.h.7.ln_1.bias": torch.zeros(D)}), "missing", "h.2.attn.c_attn.bias", "more")
    fails(lambda s: None, "H: n_head", code=2, words=())
    fails(lambda s: None, "divisible", code=2, words=("--with", "H=5"))
    fails(lambda s: None, "D = 12", code=2, words=("--with", "H=2", "D=13"))
    fails(lambda s: None, "no param", code=2, words=("--with", "H=2", "geluu=exact"))
    fails(lambda s: None, "not in the table", "embed_tokens.weight", family="torchscale")
    fails(lambda s: None, "mlp.c_fc.weight is [12, 20]", family="nanogpt")
    for content in (b"", b"\x08\0\0\0\0\0\0\0not json", b"\xff" * 8):
        with open("no.safetensors", "wb") as f:
            f.write(content)
        assert "no.safetensors" in convert("gpt2", "no.safetensors", "o.safetensors", "--with", "H=2", code=4)
    assert "nowhere" in convert("gpt2", "nowhere.safetensors", "o.safetensors", "--with", "H=2", code=4)
    save_file(good, "good.safetensors")
    assert "no weights of" in convert("gpt2", "good.safetensors", "o.safetensors", "--back", code=4)
    torch.save(nn.Linear(2, 2), "object.pt")
    assert "state dict" in convert("gpt2", "object.pt", "o.safetensors", "--with", "H=2", code=4)


torch.set_default_dtype(torch.float64)
save_file({"tokens": torch.arange(B * T).reshape(B, T) * 7 % vocab}, "tokens.safetensors")
for test in (gpt2_of_transformers, the_base_model_has_other_names, nanogpt, torchscale, fast_weights,
             every_type_keeps_its_bits, a_trained_run_goes_back, safetensors_need_no_torch, what_is_wrong_is_said):
    test()
    print(test.__name__.replace("_", " "))
