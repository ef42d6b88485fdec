"""What all comparisons share: the sizes, the programs that take turns, and the arithmetic of pairs."""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WEFT = os.path.join(ROOT, "build", "weft")
TWIN = os.path.join(ROOT, "bench", "torch_twin.py")
RESULTS = os.path.join(ROOT, "bench", "results")
# `steps` make a turn: at S a single one, 20 ms, would be as long as the machine needs to change over.
SIZES = {
    "S": {"D": 128, "H": 4, "layers": 4, "length": 64, "batch": 12, "steps": 8},
    "M": {"D": 384, "H": 6, "layers": 6, "length": 256, "batch": 16, "steps": 1},
    "L": {"D": 384, "H": 6, "layers": 6, "length": 2048, "batch": 2, "steps": 1},
}
MODELS = ["transformer", "retnet", "linear_transformer", "fast_weights", "treefold", "gru"]
STREAMS = ["transformer", "retnet", "linear_transformer", "fast_weights"]  # whose twins generate
HEADLESS = ["treefold", "gru"]  # models without a param H
# Models of the library with an equation changed. torch.nn.GRU resets behind the product with Un, the paper before it;
# and each program draws noise in its own way: TreeFold's equations are compared with zeros in its place.
VARIANTS = {
    "gru": ("(r * h) @ Un", "r * (h @ Un)"),
    "treefold_quiet": ("gumbel_softmax(lr @ Wg + bg, ", "gumbel_softmax(lr @ Wg + bg, noise=0 * (lr @ Wg), "),
}
# Relative. f32: sums of a hundred thousand terms, in two orders; the norm adds up the squares of all gradients, each
# with more roundings than the loss has. bf16: a factor is off by up to 2^-9, and autocast rounds results, too.
TOLERANCES = {"f32": {"first_loss": 1e-5, "first_gradient_norm": 1e-4},
              "bf16": {"first_loss": 1e-4, "first_gradient_norm": 4e-3}}

DESCRIPTION = """schema: 1
name: {model}_{size}
model: [{{use: {use}, with: {{D: {D}, layers: {layers}{heads}}}}}]
data: {{text: {{builtin: weft}}}}
train:
  batch: {batch}
  context: {length}
  steps: 100000
  optimizer: {{adamw: {{lr: 3e-5}}}}
  schedule: {{constant: {{warmup: 0}}}}
"""


class Worker:
    """A program that answers each line with a line of JSON."""

    def __init__(self, *words, threads):
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([str(w) for w in words], stdin=pipe, stdout=pipe, text=True, env=env)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.process.args)} ended with code {self.process.wait()}")
        return json.loads(line)

    def ask(self, n):
        """Seconds: the median of n steps, or of single tokens after n."""
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        return statistics.median(self.read()["seconds"])

    def end(self):
        """The last words of the program."""
        self.process.stdin.close()
        last = self.read()
        self.process.wait()
        return last

    def stop(self):
        self.process.kill()
        self.process.wait()


def weft_text(*words):
    return subprocess.run([WEFT, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True).stdout


def weft_json(*words):
    return json.loads(weft_text(*words, "--json"))


def with_threads(args, threads):
    return argparse.Namespace(**{**vars(args), "threads": threads})


def ours_on(args):
    """Threads and clock. With one thread nothing waits for another, so that processor time is work."""
    threads = ["--parallel", "serial"] if args.threads == 1 else ["--threads", args.threads]
    return ["--clock", args.clock, *threads]


def ours(args, path, *words):
    return Worker(WEFT, "bench", path, "--paced", "--set", f"train.precision={args.precision}", *words, *ours_on(args),
                  threads=args.threads)


def rival(args, model, size, weights, mode, length=None):
    """PyTorch with the twin of `model` and our weights."""
    sizes = json.dumps({**SIZES[size], "length": length or SIZES[size]["length"], "vocab": args.vocab})
    return Worker(sys.executable, TWIN, model, sizes, weights, mode, args.threads, args.clock, args.precision,
                  threads=args.threads)


def modes(args):
    return ["eager", "compile"] if args.compile else ["eager"]


def progress(*words):
    print(*words, file=sys.stderr, flush=True)


def has_torch():
    if all(importlib.util.find_spec(name) for name in ("torch", "safetensors")):
        return True
    progress("PyTorch is not there (pip install torch safetensors numpy): Weft is measured alone")
    return False


def quartiles(values):
    if len(values) == 1:
        values = values * 2
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"low": low, "median": median, "high": high}


def times_as_fast(ours, theirs):
    """Pair by pair, from seconds."""
    return quartiles([t / o for o, t in zip(ours, theirs)])


def write_description(folder, model, size, **changed):
    use = f"std/{model}"
    if model in VARIANTS:
        use = f"./{model}_changed.yaml"
        text = weft_text("std", "show", model.removesuffix("_quiet"))
        equation, instead = VARIANTS[model]
        if equation not in text:
            sys.exit(f"std/{model} has no `{equation}` any more: bench/pairs.py has to follow")
        with open(os.path.join(folder, use), "w") as f:
            f.write(text.replace(equation, instead))
    path = os.path.join(folder, f"{model}_{size}.yaml")
    sizes = {**SIZES[size], **changed}
    heads = "" if model.removesuffix("_quiet") in HEADLESS else f", H: {sizes['H']}"
    with open(path, "w") as f:
        f.write(DESCRIPTION.format(model=model, size=size, use=use, heads=heads, **sizes))
    return path


def check_twin(name, ours, theirs, precision):
    for what, tolerance in TOLERANCES[precision].items():
        if not abs(ours[what] - theirs[what]) <= tolerance * abs(ours[what]):
            sys.exit(f"{name}: no twins: {what} is {ours[what]} in Weft and {theirs[what]} in PyTorch")


def machine(args):
    """Peak of the threads that are used, bandwidth, and what the program says about itself."""
    said = weft_json("bench", "backends", "--steps", 1, "--threads", args.threads)
    best = max(said["peak"], key=lambda p: p["gflops"])
    return {"text": said["machine"], "isa": best["isa"], "read_gb_per_second": said["read_gb_per_second"],
            "gflops_one_thread": best["gflops_one_thread"],
            "gflops": best["gflops_one_thread" if args.threads == 1 else "gflops"]}


def machine_text(seen, args):
    """A line from all looks at the machine."""
    median = lambda what: statistics.median(m[what] for m in seen)
    return (f"{seen[0]['text']}; {args.threads} used, {args.clock} clock; peak {median('gflops'):.0f} GFLOP/s "
            f"({seen[0]['isa']}; {median('gflops_one_thread'):.0f} on one), "
            f"memory {median('read_gb_per_second'):.0f} GB/s")
