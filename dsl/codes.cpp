// The rows of codes.h. Every example and every cure of the syntactic front is run by a test.

#include "dsl/codes.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

namespace weft::dsl {
namespace {

constexpr auto kCodes = std::to_array<Code>({
    {"E0001", "a file cannot be read",
     "The path is relative to the working directory on the command line, and to the folder of the "
     "description inside one.",
     "weft check modle.yaml", "weft check model.yaml", 4},
    {"E0101", "bytes that are no text",
     "A description is UTF-8 without control characters. LF and CRLF line ends and a byte order "
     "mark at the start are accepted.",
     "name: \"a\\0b\"", "name: \"ab\"", 2},
    {"E0102", "a description that is too large",
     "At most 256 KiB, 64 levels of nesting and 100,000 values, 64 KiB in one value: what a person "
     "writes stays far below, and nothing that is fed to the reader can exhaust memory.",
     "model: "
     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]]]]]]]"
     "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
     "model: [x]", 2},
    {"E0103", "not YAML",
     "The text breaks the syntax of YAML. Usual reasons: a tab as indentation, `: ` inside a text "
     "without quotes, a value that begins with one of @ % ` ! & *, an unclosed bracket.",
     "model: [a, b", "model: [a, b]", 2},
    {"E0104", "a quote that does not close",
     "A quoted text must close on its line. YAML would take the rest of the file for text without "
     "a word.",
     "name: \"retnet\n"
     "about: x",
     "name: \"retnet\"\n"
     "about: x",
     2},
    {"E0105", "anchors, aliases, tags, merge keys",
     "YAML's own ways of reuse are not part of the language: `defs`, `params` and `share` are, and "
     "they keep their names in messages and in weights.",
     "params: {a: &w 4, b: *w}", "params: {a: 4, b: a}", 2},
    {"E0106", "not a name",
     "Names have ASCII letters, digits and underscores, do not begin with a digit and are no words "
     "of the grammar. In `{...}` a comma ends a value: an equation with a call of two arguments "
     "needs a line of its own.",
     "defs: {f: {in: {x: [n]}, let: {y: sum(x, dim=n)}, out: y}}",
     "defs:\n"
     "  f:\n"
     "    in: {x: [n]}\n"
     "    let:\n"
     "      y: sum(x, dim=n)\n"
     "    out: y",
     2},
    {"E0107", "a key that stands twice", "Readers of YAML differ in which of the two they take.",
     "params: {width: 128, width: 256}", "params: {width: 256}", 2},
    {"E0108", "more than one document", "A file holds one description; `---` begins another.",
     "name: a\n"
     "---\n"
     "name: b",
     "name: a", 2},
    {"E0109", "an empty description", "There is nothing but white space or comments.", "# nothing yet", "schema: 1", 2},
    {"E0120", "not an expression",
     "Something is missing, or stands where it cannot. Operators, from weak to strong: if else, "
     "or, and, not, comparisons, + -, * / // % @, unary -, ^, and x^T.",
     "params: {a: 2 +}", "params: {a: 2 + 1}", 2},
    {"E0121", "a character without meaning here",
     "Operators are ASCII and those of Python, with `^` for the power and `and`, `or`, `not` in "
     "words.",
     "params: {a: 2 ** 3}", "params: {a: 2 ^ 3}", 2},
    {"E0122", "not a number",
     "Numbers are decimal: 12, 0.5, 1e-3, 2e4. No leading zeros, no 0x, no underscores, no "
     "infinities, and nothing that a double cannot hold.",
     "params: {a: 010}", "params: {a: 10}", 2},
    {"E0123", "an expression that is too large",
     "At most 4 KiB, 32 levels of nesting and 256 parts. A long equation reads better in named "
     "parts anyway.",
     "params: {a: (((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))}", "params: {a: 1}", 2},
    {"E0124", "indexing",
     "Positions of a sequence are not indexed, because an equation must mean the same in all "
     "forms.",
     "defs: {f: {in: {x: [T]}, out: 'x[T]'}}",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T]}\n"
     "    out: shift(x, 1)",
     2},
    {"E0125", "`^T` that can be read in two ways",
     "Glued, `x^T` is the transpose. With a space it may be meant as the power with the length T "
     "as exponent.",
     "defs: {f: {in: {x: [n, n]}, out: x ^T}}", "defs: {f: {in: {x: [n, n]}, out: x^T}}", 2},
    {"E0126", "`...` not in front", "`[..., n]` leaves the front of a shape open; the end is always written out.",
     "defs: {f: {in: {x: [n, ...]}, out: x}}", "defs: {f: {in: {x: [..., n]}, out: x}}", 2},
    {"E0201", "an unknown name",
     "Only names declared at that place can be read. A def is a closed room: it sees its own "
     "params, dims and inputs.",
     "params: {a: 2 * widht, width: 4}", "params: {a: 2 * width, width: 4}", 2},
    {"E0202", "an unknown function",
     "Over params there are min, max, sqrt, log, exp, abs, floor and ceil; `weft ops` lists what "
     "equations may call.",
     "params: {a: sine(1)}", "params: {a: sqrt(1)}", 2},
    {"E0203", "a contraction of unequal sizes",
     "`a @ b` sums over the last dimension of a and the second to last of b (the only one, "
     "when b is a vector).",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    weights: {W: {shape: [4, D]}}\n"
     "    out: x @ W\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    weights: {W: {shape: [D, D]}}\n"
     "    out: x @ W\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0204", "dimensions that do not meet",
     "Elementwise work combines dimensions by name; of two operands the one with fewer "
     "dimensions has a subset of the names of the other. Equal sizes with different names are "
     "no match: they are a slip more often than a wish, and a claim renames.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    dims: {K: 8}\n"
     "    weights: {g: {shape: [K]}}\n"
     "    out: x * g\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    weights: {g: {shape: [D]}}\n"
     "    out: x * g\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0205", "a claim that does not hold",
     "`-> [T, D]` behind an equation claims its shape. It is checked, and it names the "
     "dimensions.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    let: {y: \"x + 1 -> [D, T]\"}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    let: {y: \"x + 1 -> [T, D]\"}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0206", "arguments that do not fit",
     "An op takes its required inputs by position, then its attributes in order or by name; "
     "optional inputs by name. A def takes its inputs by position and its params by name.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: softmax(x, axis=D)\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: softmax(x, dim=D)\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0207", "a dimension that is not there", "`dim=` names a dimension of the first input, or counts from the back.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: x - mean(x, dim=H)\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: x - mean(x, dim=D)\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0208", "shapes that an op refuses", "The rule of the op itself; `weft ops NAME` describes it.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: merge_heads(to_heads(x, 3))\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: merge_heads(to_heads(x, 4))\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0209", "a model that sees the future",
     "A model that predicts the next token computes every position from those before it. What "
     "sums over all of T is allowed behind a causal mask alone.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: softmax(x @ x^T) @ x\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: softmax(x @ x^T, mask=causal_mask(T, T)) @ x\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0210", "a value of another shape than declared",
     "What a def is given fits its `in`; a residual keeps the shape of its input; a model for "
     "text gives logits [T, vocab].",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, H, D]}\n"
     "    out: x\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: x * 2\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0211", "a weight that cannot be tied",
     "`tie:` names an earlier item that owns one matrix, of the same shape; weights that are shared have one shape in all "
     "places.",
     "model: [{embed: {width: 8}}, {logits: {tie: table}}]", "model: [{embed: {width: 8}}, {logits: {tie: embed}}]", 2},
    {"E0212", "a def that calls itself",
     "The language has no recursion: what repeats is a `repeat`, a `recurrence` or a `fold`.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: f(x)\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    out: x * 2\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0213", "sharing that does not add up", "The first `share` of a name says `of`; later ones use it by name alone.",
     "model: [{embed: {width: 8}}, {share: {name: ff}}, {logits: {tie: embed}}]",
     "model: [{embed: {width: 8}}, {share: {name: ff, of: [{linear: {width: 8}}]}}, {share: {name: ff}}, {logits: {tie: embed}}]",
     2},
    {"E0214", "a model of too many parts",
     "At most 10,000 layers and calls of defs: a dozen lines that call each other can ask for billions.",
     "model: [{embed: {width: 8}}, {repeat: {times: 200, body: [{repeat: {times: 200, body: [tanh]}}]}}, {logits: {tie: embed}}]",
     "model: [{embed: {width: 8}}, {repeat: {times: 2, body: [{repeat: {times: 2, body: [tanh]}}]}}, {logits: {tie: embed}}]",
     2},
    {"E0301", "an unknown key",
     "Every map has a closed set of keys: a misspelt key would otherwise be an option that "
     "silently stays at its default.",
     "modle: [linear]", "model: [linear]", 2},
    {"E0302", "a missing key", "The map does not say something that has no default.",
     "model: [{repeat: {body: linear}}]", "model: [{repeat: {times: 2, body: linear}}]", 2},
    {"E0303", "a value of the wrong kind",
     "The field decides what its value is: a map, a list, a text, `true` or `false` (plain), a "
     "number.",
     "model: [{residual: {pre: yes, body: linear}}]", "model: [{residual: {pre: true, body: linear}}]", 2},
    {"E0304", "`T` where it cannot stand",
     "`T` is the length in time. Weights and states have one size for every length, and no name "
     "may hide it.",
     "params: {T: 128}", "params: {context: 128}", 2},
    {"E0305", "two ways through time in one def",
     "A def has at most one recurrence or one fold. Several defs can be called one after the "
     "other.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T]}\n"
     "    recurrence: [a, b]\n"
     "    out: x",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T]}\n"
     "    out: x",
     2},
    {"E0306", "a name defined twice",
     "Single assignment: a name means one thing in a def. Only states are assigned anew, once in "
     "every step.",
     "defs: {f: {in: {x: [n]}, let: {x: 2}, out: x}}", "defs: {f: {in: {x: [n]}, let: {y: 2}, out: x * y}}", 2},
    {"E0307", "a trained weight that is drawn anew", "`redraw` is for buffers such as random features.",
     "defs: {f: {weights: {W: {shape: [4], redraw: 100}}, out: W}}",
     "defs: {f: {weights: {W: {shape: [4], buffer: true, redraw: 100}}, out: W}}", 2},
    {"E0308", "a recurrence over something else than time", "`over: T` is the only direction in schema 1.",
     "defs: {f: {in: {x: [T]}, fold: {over: n, leaf: {c: x}, merge: {c: left(c)}, read: {y: "
     "prefix(c)}}, out: y}}",
     "defs: {f: {in: {x: [T]}, fold: {over: T, leaf: {c: x}, merge: {c: left(c)}, read: {y: "
     "prefix(c)}}, out: y}}",
     2},
    {"E0309", "an unknown form", "Forms are recurrent, chunkwise, parallel and auto.",
     "defs: {f: {in: {x: [T]}, recurrence: {over: T, state: {s: []}, step: {s: s + x}, read: {y: "
     "s}, forms: chunk}, out: y}}",
     "defs: {f: {in: {x: [T]}, recurrence: {over: T, state: {s: []}, step: {s: s + x}, read: {y: "
     "s}, forms: chunkwise}, out: y}}",
     2},
    {"E0310", "a state that is never assigned",
     "Every state needs its update in `step`, every node value its update in `merge`.",
     "defs: {f: {in: {x: [T]}, recurrence: {over: T, state: {s: []}, step: {u: x}, read: {y: s}}, "
     "out: y}}",
     "defs: {f: {in: {x: [T]}, recurrence: {over: T, state: {s: []}, step: {s: s + x}, read: {y: "
     "s}}, out: y}}",
     2},
    {"E0311", "not an item", "An item of a composition is a name or a map with one key (and perhaps `name`).",
     "model: [{linear: {}, dropout: {p: 0.1}}]", "model: [{linear: {}}, {dropout: {p: 0.1}}]", 2},
    {"E0312", "an empty composition", "A composition has at least one item.", "model: []", "model: [linear]", 2},
    {"E0313", "branches that cannot be combined so",
     "`combine` is add, concat, mul or gate; `gate` takes two branches, the first times the "
     "sigmoid of the second.",
     "model: [{parallel: {branches: [a, b], combine: sum}}]", "model: [{parallel: {branches: [a, b], combine: add}}]",
     2},
    {"E0314", "a schema this program does not know",
     "`schema` counts changes of the language. A file keeps the meaning it was written with.", "schema: 2", "schema: 1",
     2},
    {"E0316", "a form that cannot be derived",
     "A recurrence has the chunkwise form when its states are linear and do not read each other, "
     "and the parallel form when they are sums or decay as a whole; the sequential loop is always "
     "there. What is demanded and does not exist is an error at the demand.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    recurrence:\n"
     "      over: T\n"
     "      state: {s: [D]}\n"
     "      step: {s: tanh(s) + x}\n"
     "      read: {y: s}\n"
     "      forms: [parallel]\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    recurrence:\n"
     "      over: T\n"
     "      state: {s: [D]}\n"
     "      step: {s: 0.9 * s + x}\n"
     "      read: {y: s}\n"
     "      forms: [parallel]\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0317", "a state that changes its shape", "What a step assigns to a state has the shape of the state.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    recurrence:\n"
     "      over: T\n"
     "      state: {s: [D]}\n"
     "      step: {s: \"outer(tanh(s), x)\"}\n"
     "      read: {y: s}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    recurrence:\n"
     "      over: T\n"
     "      state: {s: [D]}\n"
     "      step: {s: tanh(s) + x}\n"
     "      read: {y: s}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0318", "files that import each other in a circle", "Each of them waits for another.",
     "import: {me: <this file>}\n"
     "model: [me.f]",
     "model: [f]", 2},
    {"E0319", "no such file in the standard library", "`std/NAME` is a file of the program itself.",
     "import: {r: std/retnot}\n"
     "model: [{embed: {width: 8}}, {logits: {tie: embed}}]",
     "import: {r: std/retnet}\n"
     "model: [{embed: {width: 8}}, {logits: {tie: embed}}]",
     2},
    {"E0320", "a gradient that cannot be derived",
     "`grad` differentiates + - * / ^, @, dot, outer, ^T, sum, mean, maximum, minimum and functions of single elements. "
     "What else reads the state must be written as an update, or stand behind `stop_gradient`.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    recurrence:\n"
     "      over: T\n"
     "      state: {s: [D]}\n"
     "      step: {s: \"s - grad(sum(softmax(s) * x, dim=D), s)\"}\n"
     "      read: {y: s}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    recurrence:\n"
     "      over: T\n"
     "      state: {s: [D]}\n"
     "      step: {s: \"s - grad(0.5 * sum((s - x) ^ 2, dim=D), s)\"}\n"
     "      read: {y: s}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0321", "`grad` where it cannot stand",
     "`grad(f, S)` is an expression of a step: the gradient of a scalar f, one for each leading index of S, at the value "
     "that the state S has before the step.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    recurrence:\n"
     "      over: T\n"
     "      state: {s: [D]}\n"
     "      step: {s: \"s - grad((s - x) ^ 2, s)\"}\n"
     "      read: {y: s}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    recurrence:\n"
     "      over: T\n"
     "      state: {s: [D]}\n"
     "      step: {s: \"s - grad(sum((s - x) ^ 2, dim=D), s)\"}\n"
     "      read: {y: s}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0322", "a state that cannot be carried",
     "With `train.carry_state` a window goes on where the one before it ended, for ever. A cache of all positions grows "
     "with them, and what is computed from the whole prefix has no state at all.",
     "train: {carry_state: true}\nmodel: [{use: std/transformer, with: {D: 8, H: 2, layers: 1}}]",
     "train: {carry_state: true}\nmodel: [{use: std/retnet, with: {D: 8, H: 2, layers: 1}}]", 2},
    {"E0323", "a read that depends on the number of levels",
     "The levels of a fold are as many as the length needs. What is read must not change when the text goes on: sum "
     "over `L`, or weigh the levels by a softmax with `mask=present`.",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    fold: {over: T, leaf: {c: x}, merge: {c: left(c) + right(c)}, read: {y: \"mean(c, dim=L)\"}}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     "defs:\n"
     "  f:\n"
     "    in: {x: [T, D]}\n"
     "    fold: {over: T, leaf: {c: x}, merge: {c: left(c) + right(c)}, read: {y: \"sum(c, dim=L)\"}}\n"
     "    out: y\n"
     "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]",
     2},
    {"E0401", "params in a circle", "Each of them waits for another.", "params: {a: b + 1, b: a - 1}",
     "params: {a: 2, b: a - 1}", 2},
    {"E0402", "a value of another type", "The declaration says int, float, bool or enum.",
     "params: {n: {type: int, default: 2.5}}", "params: {n: {type: int, default: 2}}", 2},
    {"E0403", "a value out of range", "The declaration gives `min` or `max`.",
     "params: {n: {type: int, min: 1, default: 0}}", "params: {n: {type: int, min: 1, default: 1}}", 2},
    {"E0404", "an unknown param", "Defs and presets take their params by name, and only those they declare.",
     "model: {use: std/retnet, with: {layrs: 2}}", "model: {use: std/retnet, with: {layers: 2}}", 2},
    {"E0405", "a missing param", "A param without a default must be given where the def is called.", "params: {n: int}",
     "params: {n: 4}", 2},
    {"E0406", "a check that does not hold", "The description itself states what its params must satisfy.",
     "params: {D: 250, H: 6}\n"
     "check: [D % H == 0]",
     "params: {D: 252, H: 6}\n"
     "check: [D % H == 0]",
     2},
    {"E0407", "arithmetic that has no value",
     "Division by zero, overflow of a whole number, the root of a negative number, a word where a "
     "number belongs, or a number that moves in training: `anneal(..)` is the value of an attribute as it is written, "
     "without arithmetic.",
     "params: {a: 1 // 0}", "params: {a: 1 // 2}", 2},
    {"E0408", "a division that is not whole",
     "Sizes are whole: `/` must divide exactly in params and shapes. `//` rounds down.", "params: {a: 256 / 6}",
     "params: {a: 256 // 6}", 2},
    {"E0409", "a vocabulary of unknown size", "It comes from the data, or from a param of that name.",
     "model: [{embed: {width: 8}}, {logits: {tie: embed}}]",
     "params: {vocab: 16}\n"
     "model: [{embed: {width: 8}}, {logits: {tie: embed}}]",
     2},
    {"E0501", "an option without a value", "The key stands alone.", "train: {steps: }", "train: {steps: 100}", 2},
    {"E0502", "not a choice with its arguments",
     "Such an option is a map with one key, which chooses: `optimizer: {adamw: {lr: 1e-3}}`, or "
     "the bare name.",
     "train: {optimizer: {adamv: {}}}", "train: {optimizer: {adamw: {}}}", 2},
    {"E0503", "an option out of range", "`weft help` and the schema for editors show the range of every option.",
     "train: {steps: 0}", "train: {steps: 1}", 2},
    {"E0504", "an unknown word", "The option takes one of a few words.", "train: {form: chunk}",
     "train: {form: chunkwise}", 2},
    {"E0505", "an override that fits nowhere",
     "`--set` changes what the description or the options of a section have; a misspelt path must "
     "not pass.",
     "--set train.step=10", "--set train.steps=10", 2},
    {"E0506", "a sweep that cannot be run",
     "A sweep names paths as `--set` takes them, with the values to try. What would run the same model several times - a "
     "param that nothing reads, a setting that another replaces - is an error, for a table of equal runs looks like a "
     "finding. `weft sweep` runs a sweep, `weft train` one description.",
     "params: {a: 1}\n"
     "sweep: {grid: {params.a: []}}",
     "params: {a: 1}\n"
     "sweep: {grid: {params.a: [1, 2]}}",
     2},
    {"E0507", "a pattern that no weight follows",
     "A group of weights, `{match: \"*.embed.*\", lr: 0.1}`, names them as `weft check -v` lists them, with `*` for any "
     "characters; the first group that matches counts. One without weights would change nothing without a word.",
     "train: {groups: [{match: \"*.embd.*\", lr: 0.1}]}", "train: {groups: [{match: \"*.embed.*\", lr: 0.1}]}", 2},
    {"E0508", "a precision that cannot be had",
     "`precision: bf16` rounds the factors of products to the upper half of an f32. f64 has no such half, and only a CPU "
     "with AVX512-BF16 multiplies them fast.",
     "train: {dtype: f64, precision: bf16}", "train: {dtype: f32, precision: bf16}", 2},
    {"W0101", "a name that is never used", "It costs nothing, but it is often a slip of the pen.",
     "defs: {f: {in: {x: [n]}, let: {r: 2 * x}, out: x}}", "defs: {f: {in: {x: [n]}, let: {r: 2 * x}, out: r}}", 0},
    {"W0102", "a def that is never used",
     "Shapes are checked where a def is called, with the sizes it is given there: one that nothing calls is not checked.",
     "schema: 1\n"
     "defs: {f: {in: {x: [T]}, out: x}}\n"
     "model: [linear]",
     "schema: 1\n"
     "defs: {f: {in: {x: [T]}, out: x}}\n"
     "model: [f]",
     0},
    {"W0103", "a context where there is no text",
     "Of a text a step reads windows of `train.context` tokens. Tasks and lines are sequences as they come: each is a row.",
     "schema: 1\n"
     "model: [{embed: {width: 8}}, logits]\n"
     "data: parity\n"
     "train: {context: 64}",
     "schema: 1\n"
     "model: [{embed: {width: 8}}, logits]\n"
     "data: parity",
     0},
});

std::string indented(std::string_view text) {
  std::string out = "    ";
  for (const char c : text) out += c == '\n' ? std::string("\n    ") : std::string(1, c);
  return out + "\n";
}

}  // namespace

std::span<const Code> codes() { return kCodes; }

const Code* find_code(std::string_view id) {
  const auto found = std::find_if(kCodes.begin(), kCodes.end(), [&](const Code& code) { return code.id == id; });
  return found == kCodes.end() ? nullptr : &*found;
}

std::string code_text(const Code& code) {
  return fmt::format("{}: {}\n\n{}\n\nfor example\n\n{}\ncure\n\n{}", code.id, code.title, code.explanation,
                     indented(code.example), indented(code.cure));
}

}  // namespace weft::dsl
