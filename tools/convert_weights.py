#!/usr/bin/env python3
"""Weights of published PyTorch models to Weft, and back: docs/interop.md.

    convert_weights.py gpt2 model.safetensors weft.safetensors --with H=12 --description gpt2.yaml
    convert_weights.py gpt2 runs/tuned/checkpoints/best.safetensors back.safetensors --back --like model.safetensors

Values are moved, never computed, so that both ways are exact to the bit. NumPy is enough for .safetensors; PyTorch is
imported for .pt, .pth and .bin alone. Exit codes: 0, 2 what was asked for is wrong, 4 the tensors are.
"""
import argparse
import re
import sys

from tensor_files import Wrong, read, write
from weight_tables import FAMILIES, bare


def every(name, layers):
    return [name.format(i) for i in range(layers)] if "{}" in name else [name]


def count_layers(names, patterns):
    found = [int(m[1]) for p in patterns if "{}" in p for n in names
             for m in [re.fullmatch(re.escape(p).replace(r"\{\}", r"(\d+)"), n)] if m]
    return max(found, default=-1) + 1


def bind(name, shape, pattern, sizes):
    """Holds a shape against a pattern such as `3*D+H D`: what is not known yet becomes known."""
    dims = pattern.split()
    fits = len(dims) == len(shape)
    for size, dim in zip(shape, dims):
        left, unknown = size, None
        for factor, symbol in ((int(f or 1), s) for f, s in re.findall(r"(?:(\d+)\*)?([A-Za-z_]+)", dim)):
            if symbol in sizes:
                left -= factor * sizes[symbol]
            else:
                unknown = (factor, symbol)
        if unknown and left > 0 and left % unknown[0] == 0:
            sizes[unknown[1]] = left // unknown[0]
        elif left or unknown:
            fits = False
    said = " and ".join(f"{s} = {sizes[s]}" for s in sorted(set(re.findall("[A-Za-z_]+", pattern))) if s in sizes)
    return None if fits else f"{name} is {list(shape)} and should be [{', '.join(dims)}]" + (f" with {said}" if said else "")


def complain(*lists):
    """Everything that is wrong at once: pairs of what it is and which tensors."""
    text = ""
    for what, names in lists:
        if names:
            text += f"{what}:" + "".join(f"\n  {n}" for n in names[:20]) + "\n"
            text += f"  and {len(names) - 20} more\n" if len(names) > 20 else ""
    if text:
        raise Wrong(text.rstrip())


def rows_present(family, names):
    """The rows that a model has, and how many layers: optional ones are all there or none is asked for."""
    rows = family.rows
    layers = count_layers(names, [bare(r.name) for r in rows])
    if family.optional and not any(n in names for r in rows if re.search(family.optional[0], r.name)
                                   for n in every(bare(r.name), layers)):
        rows = [r for r in rows if not re.search(family.optional[0], r.name)]
    return rows, layers


def same_bits(a, b):
    return a[0] == b[0] and a[1].shape == b[1].shape and a[1].tobytes() == b[1].tobytes()


def by_bare_name(tensors):
    names = {}
    for name in tensors:
        if names.setdefault(bare(name), name) != name:
            raise Wrong(f"{name} and {names[bare(name)]} would be the same tensor")
    return names


def to_weft(family, state, place):
    names = by_bare_name(state)
    state = {n: state[full] for n, full in names.items()}
    rows, layers = rows_present(family, state)
    ignored = [n for p in family.ignored for n in every(bare(p), layers) if n in state]
    for copy, of in ((bare(c), bare(o)) for c, o in family.tied.items()):
        if family.alone and of in state:
            state.setdefault(copy, state[of])  # safetensors of tied models hold one of the two
        elif copy in state and of in state and not same_bits(state[copy], state[of]):
            raise Wrong(f"{names[copy]} differs from {names[of]}: {family.model} has one tensor for both")
    expected = {n for r in rows for n in every(bare(r.name), layers)}
    known = expected | set(ignored) | {bare(c) for c in family.tied}
    complain(("these tensors are not in the table of this family", [names[n] for n in state if n not in known]),
             ("these tensors are missing", sorted(expected - set(state))))
    sizes, out, wrong = {"layers": layers}, {}, []
    for row in rows:
        for i, name in enumerate(every(bare(row.name), layers)):
            kind, array = state[name]
            fault = bind(names.get(name, name), array.shape, row.shape, sizes)
            try:
                parts = [] if fault or wrong else row.how.to(array, sizes)
            except ValueError as e:
                fault = f"{name} cannot be taken apart: {e}"
            if fault:
                wrong.append(fault)
            else:
                out.update({f"{place}.{w.format(i)}": (kind, a) for w, a in zip(row.weft, parts)})
    complain(("these shapes are wrong", wrong))
    if family.optional:
        sizes[family.optional[1]] = str(rows is family.rows).lower()
    return out, sizes, [names[n] for n in ignored]


def to_torch(family, weights, like):
    weights = {n: t for n, t in weights.items() if not n.startswith("adamw.")}  # a run's checkpoint holds these as well
    first = family.rows[0].weft[0]
    place = next((n[: -len(first)] for n in weights if n.endswith("." + first)), None)
    if place is None:
        raise Wrong(f"no tensor *.{first}: these are no weights of {family.model}")
    weights = {n.removeprefix(place): t for n, t in weights.items()}
    layers = count_layers(weights, [w for r in family.rows for w in r.weft])
    rows = [r for r in family.rows if not family.optional or not re.search(family.optional[0], r.name)
            or any(w.format(i) in weights for q in family.rows if re.search(family.optional[0], q.name)
                   for w in q.weft for i in range(layers))]
    expected = {w for r in rows for p in r.weft for w in every(p, layers)}
    complain(("these tensors are not in the table of this family", [n for n in weights if n not in expected]),
             ("these tensors are missing", sorted(expected - set(weights))))
    sizes, out, wrong = {}, {}, []
    for row in rows:
        for i, name in enumerate(every(row.name, layers)):
            parts = [weights[w.format(i)] for w in row.weft]
            try:
                array = row.how.back([a for _, a in parts])
                fault = bind(name, array.shape, row.shape, sizes)
            except ValueError as e:
                fault = f"{name} cannot be put together: {e}"
            if fault:
                wrong.append(fault)
            out[name] = (parts[0][0], array)
    complain(("these shapes are wrong", wrong))
    for copy, of in family.tied.items():
        out.setdefault(copy, out[of])
    return out if like is None else named_like(family, out, like, layers)


def named_like(family, out, like, layers):
    """The names, the order and the buffers of another state dict."""
    by_bare = {bare(n): t for n, t in out.items()}
    ignored = {n for p in family.ignored for n in every(bare(p), layers)}
    names = by_bare_name(like)
    tied = {bare(c): bare(o) for c, o in family.tied.items()}
    complain(("the file of --like has tensors that are not in the table",
              [f for n, f in names.items() if n not in by_bare and n not in ignored]),
             ("the file of --like lacks", [n for n in by_bare if n not in names and not (
                 n in tied and same_bits(by_bare[n], by_bare[tied[n]]))]),
             ("the file of --like has another shape for",
              [f for n, f in names.items() if n in by_bare and by_bare[n][1].shape != like[f][1].shape]))
    return {full: by_bare.get(n, like[full]) for n, full in names.items()}


def settle(family, sizes, given):
    """All params of the model: those that shapes tell, those that the family has, those that were said."""
    missing = {n: why for n, why in family.asks.items() if n not in given}
    if missing:
        raise Wrong("no tensor tells these; say them with --with NAME=VALUE:"
                    + "".join(f"\n  {n}: {why}" for n, why in missing.items()), 2)
    known = {*sizes, *family.asks, *family.params, "H", "p"} - {"vocab"}
    if not known.issuperset(given):
        raise Wrong(f"no param {', '.join(sorted(set(given) - known))}; there are {', '.join(sorted(known))}", 2)
    clash = [n for n in given if str(sizes.get(n, given[n])) != given[n]]
    if clash:
        raise Wrong("the tensors say otherwise: " + ", ".join(f"{n} = {sizes[n]}" for n in clash), 2)
    params = {**{n: v for n, v in sizes.items() if n != "vocab"}, **family.params, **given}
    if not re.fullmatch(r"[1-9]\d*", str(params["H"])) or params["D"] % int(params["H"]):
        raise Wrong(f"D = {params['D']} is not divisible by H = {params['H']}", 2)
    return params


def main():
    listing = "".join(f"\n  {name:13}{f.about}\n{'':15}-> {f.model}" for name, f in FAMILIES.items())
    parser = argparse.ArgumentParser(description=__doc__ + "\nfamilies:" + listing,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("input", metavar="IN", help=".safetensors, or .pt .pth .bin (with PyTorch)")
    parser.add_argument("output", metavar="OUT")
    parser.add_argument("--with", dest="given", metavar="NAME=VALUE", nargs="+", action="extend", default=[],
                        help="params of the description that no tensor tells, such as H=12")
    parser.add_argument("--description", metavar="FILE", help="write the description whose weights these are")
    parser.add_argument("--place", default="model.0.use", help="where the model stands in your description (model.0.use; "
                        "`model` when the file of the library was copied)")
    parser.add_argument("--back", action="store_true", help="from Weft to PyTorch")
    parser.add_argument("--like", metavar="FILE", help="with --back: the names and buffers of this state dict")
    args = parser.parse_args()
    family = FAMILIES[args.family]
    try:
        if args.back:
            out = to_torch(family, read(args.input), args.like and read(args.like))
            write(args.output, out, {"format": "pt"})
            return print(f"{args.output}: {len(out)} tensors", file=sys.stderr)
        given = dict(g.partition("=")[::2] for g in args.given)
        out, sizes, ignored = to_weft(family, read(args.input), args.place)
        params = settle(family, sizes, given)
        write(args.output, out)
        text = (f"schema: 1\nparams: {{vocab: {sizes['vocab']}}}\nmodel:\n  - use: {family.model}\n    with: {{"
                + ", ".join(f"{n}: {v}" for n, v in params.items()) + "}\n")
        if args.description:
            with open(args.description, "w") as f:
                f.write(text)
        else:
            print(text, end="")
        print(f"{args.output}: {len(out)} tensors" + (f"; left out, no weights: {', '.join(ignored)}" if ignored else ""),
              file=sys.stderr)
    except (Wrong, OSError, ImportError) as e:
        print(f"convert_weights: {e}", file=sys.stderr)
        sys.exit(getattr(e, "code", 4))


if __name__ == "__main__":
    main()
