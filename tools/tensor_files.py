"""Named tensors in files: .safetensors by NumPy alone, .pt .pth .bin by PyTorch. Part of convert_weights.py."""
import json
import os
import struct

import numpy as np

# A tensor here is its safetensors type and an array of the same bits: NumPy has no BF16, which nothing needs to compute with.
KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
         "U8": "u1", "BOOL": "u1"}


class Wrong(Exception):
    """What the user is told; `code` is the exit code."""

    def __init__(self, text, code=4):
        super().__init__(text)
        self.code = code


def read_safetensors(path):
    try:
        return tensors_of(path)
    except (ValueError, KeyError, TypeError, AttributeError, struct.error, MemoryError, OverflowError) as e:
        raise Wrong(f"{path} is no whole safetensors file ({type(e).__name__}: {e})")


def tensors_of(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        header.pop("__metadata__", None)
        data = np.memmap(path, np.uint8, "r", 8 + size) if any(t["data_offsets"][1] for t in header.values()) else b""
    tensors = {}
    for name, t in header.items():
        if t["dtype"] not in KINDS:
            raise Wrong(f"{path}: {name} is {t['dtype']}, which is not known here")
        begin, end = t["data_offsets"]
        tensors[name] = t["dtype"], np.frombuffer(data[begin:end], KINDS[t["dtype"]]).reshape(t["shape"])
    return tensors


def write_safetensors(path, tensors, metadata):
    header, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, (kind, a) in tensors.items():
        header[name] = {"dtype": kind, "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    beside = f"{path}.part"  # what is read may be mapped from the very file that is written
    with open(beside, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, a in tensors.values():
            f.write(np.ascontiguousarray(a).tobytes())
    os.replace(beside, path)


def read_torch(path):
    import torch
    kinds = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
             torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # the file may be anybody's: no code of it runs
    except FileNotFoundError:
        raise Wrong(f"{path}: there is no such file")
    except Exception as e:
        raise Wrong(f"{path} holds more than tensors; where it can be loaded, save its state dict alone with torch.save "
                    f"({str(e).splitlines()[0]})")
    for key in ("model", "model_state_dict", "state_dict"):
        state = state[key] if isinstance(state, dict) and isinstance(state.get(key), dict) else state
    if not isinstance(state, dict):
        raise Wrong(f"{path} holds no state dict")
    state = {n: t.detach().contiguous() for n, t in state.items() if isinstance(t, torch.Tensor)}
    strange = [f"{n} ({t.dtype})" for n, t in state.items() if t.dtype not in kinds]
    if strange:
        raise Wrong(f"{path} holds types that no file of weights has: {', '.join(strange)}")
    raw = {"BF16": torch.int16, "BOOL": torch.uint8}
    return {n: (k, (t.view(raw[k]) if k in raw else t).numpy().view(KINDS[k]))
            for n, t in state.items() for k in [kinds[t.dtype]]}


def write_torch(path, tensors):
    import torch
    kinds = {"BF16": torch.bfloat16, "BOOL": torch.bool}
    state = {n: torch.from_numpy(np.ascontiguousarray(a).view(np.int16 if k == "BF16" else a.dtype).copy())
             for n, (k, a) in tensors.items()}
    torch.save({n: t.view(kinds[tensors[n][0]]) if tensors[n][0] in kinds else t for n, t in state.items()}, path)


def is_torch(path):
    return str(path).endswith((".pt", ".pth", ".bin"))


def read(path):
    return read_torch(path) if is_torch(path) else read_safetensors(path)


def write(path, tensors, metadata=None):
    write_torch(path, tensors) if is_torch(path) else write_safetensors(path, tensors, metadata)
