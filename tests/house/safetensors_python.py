"""The official package against our reader and writer. Run by safetensors_python.sh with the path of the program."""
import json
import struct
import subprocess
import sys

import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

program = sys.argv[1]


def weft(*words):
    return subprocess.run([program, *words], capture_output=True, text=True)


def shown(file):
    return {t["name"]: t for t in json.loads(weft("show", file, "--json").stdout)["tensors"]}


def official_accepts(file):
    try:
        with safetensors.safe_open(file, framework="numpy") as f:
            f.keys()
        return True
    except Exception:
        return False


def raw(file, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with open(file, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def it_reads_ours():
    with open("model.yaml", "w") as f:
        f.write("schema: 1\nparams: {vocab: 11}\nmodel: [{embed: {width: 6}}, rms_norm, {logits: {tie: embed}}]\n")
    assert weft("init", "model.yaml", "--out", "w.safetensors").returncode == 0
    tensors = load_file("w.safetensors")
    assert {n: list(t.shape) for n, t in tensors.items()} == {n: t["shape"] for n, t in shown("w.safetensors").items()}
    with safetensors.safe_open("w.safetensors", framework="numpy") as f:
        assert f.metadata()["format"] == "weft"
    # Logits and loss by NumPy, from the weights that were read.
    table, gain = (tensors[n].astype(np.float64) for n in ("model.0.embed.table", "model.1.rms_norm.gain"))
    tokens = np.random.default_rng(0).integers(0, 11, (3, 7))
    save_file({"tokens": tokens, "targets": tokens.astype(np.int32)}, "in.safetensors")
    assert weft("apply", "model.yaml", "--weights", "w.safetensors", "--in", "in.safetensors", "--out",
                "out.safetensors", "--dtype", "f64").returncode == 0
    out = load_file("out.safetensors")
    x = table[tokens]
    logits = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * gain @ table.T
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    loss = -np.take_along_axis(logp, tokens[..., None], -1).mean()
    # float64: sums of six and eleven terms of size 1.
    assert out["logits"].dtype == np.float64 and np.abs(out["logits"] - logits).max() < 1e-14
    assert abs(out["loss"] - loss) < 1e-13


def we_read_its():
    with open("same.yaml", "w") as f:
        f.write("schema: 1\ndefs: {same: {in: {x: [T]}, out: x}}\n")
    every = np.arange(65536, dtype=np.uint32)
    halves = every.astype(np.uint16).view(np.float16)
    save_file({"x": halves[None], "x2": np.float32([[1]])}, "two.safetensors")
    assert weft("apply", "same.yaml", "--def", "same", "--in", "two.safetensors", "--out", "o").returncode == 4
    bfloats = (every << 16).view(np.float32)
    cases = {"F16": (halves, halves.astype(np.float32)), "BF16": (every.astype(np.uint16), bfloats),
             "F32": (bfloats, bfloats), "F64": (halves.astype(np.float64), halves.astype(np.float32))}
    for dtype, (values, expected) in cases.items():
        if dtype == "BF16":  # NumPy has none: the bytes are written by hand, and the official package must accept them
            raw("x.safetensors", {"x": {"dtype": "BF16", "shape": [1, 65536], "data_offsets": [0, 131072]}}, values.tobytes())
            assert official_accepts("x.safetensors")
        else:
            save_file({"x": values[None]}, "x.safetensors")
        assert shown("x.safetensors")["x"]["dtype"] == dtype
        done = weft("apply", "same.yaml", "--def", "same", "--in", "x.safetensors", "--out", "o.safetensors")
        assert done.returncode == 0, done.stderr
        got = load_file("o.safetensors")["out"][0]
        finite = ~np.isnan(expected)
        assert (got[finite].view(np.uint32) == expected[finite].view(np.uint32)).all(), dtype
        assert np.isnan(got[~finite]).all(), dtype
    for dtype in (np.bool_, np.uint8, np.int64, np.int32):
        save_file({"tokens": np.array([[0, 1, 1, 0]]).astype(dtype)}, "t.safetensors")
        assert weft("apply", "model.yaml", "--in", "t.safetensors", "--out", "o.safetensors").returncode == 0, dtype
    save_file({"tokens": np.array([[2**40]])}, "t.safetensors")
    assert "out of the range of i32" in weft("apply", "model.yaml", "--in", "t.safetensors", "--out", "o").stderr
    save_file({"tokens": np.array([[1]]).astype(np.uint16)}, "t.safetensors")
    assert "U16, which is not supported" in weft("apply", "model.yaml", "--in", "t.safetensors", "--out", "o").stderr


def both_refuse():
    f32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    bad = {
        "hole": ({"a": f32, "b": {**f32, "data_offsets": [12, 20]}}, b"\0" * 20),
        "overlap": ({"a": f32, "b": {**f32, "data_offsets": [7, 15]}}, b"\0" * 15),
        "trailing": ({"a": f32}, b"\0" * 12),
        "short": ({"a": f32}, b"\0" * 6),
        "size": ({"a": {**f32, "shape": [3]}}, b"\0" * 8),
        "dtype": ({"a": {**f32, "dtype": "F33"}}, b"\0" * 8),
        "negative": ({"a": {**f32, "shape": [-2]}}, b"\0" * 8),
        "float": (b'{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', b"\0" * 8),
        "list": (b"[]", b""),
        "metadata": ({"__metadata__": {"a": 1}}, b""),
    }
    for name, (header, data) in bad.items():
        raw("bad.safetensors", header, data)
        assert not official_accepts("bad.safetensors"), name
        assert weft("show", "bad.safetensors").returncode == 4, name


for test in (it_reads_ours, we_read_its, both_refuse):
    test()
    print(test.__name__.replace("_", " "))
