// Who sees which positions. A model for text computes each position from those before it: a value over all of T is
// allowed only behind a mask, and then has no streaming state.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/builder.h"

namespace weft::dsl {

void Builder::whole(const Span& at, const std::string& what, const std::string& help) {
  if (!program_.causal) return;
  program_.diagnostics.error("E0209", at, what + ": a model that predicts the next token must not see what follows it")
      .help(!help.empty() ? help
                          : "multiply the scores by `causal_mask(T, T)` or `decay_mask(gamma, T)`, or give the mask to "
                            "`softmax`");
  throw Failed{};
}

void Builder::watch_time(const Op& op, const std::vector<Var>& inputs, const std::vector<AttributeValue>& attributes,
                         const std::vector<Var>& outputs, const Span& at) {
  if (&graph_ != &program_.graph) return watch_step(op, at);
  const Dims y = dims_of(outputs[0]);
  std::vector<const Dims*> dims;
  for (const Var& v : inputs) dims.push_back(v ? &v.dims() : nullptr);
  dims.resize(std::max(dims.size(), op.inputs.size()), nullptr);
  const bool masks = op.masks_future && op.masks_future(op, attributes, InputDims(op, dims));
  const Along along = op.along_with(attributes);
  for (const Dim& d : y) {
    if (!d.known() && !is_time(d)) {
      whole(at, fmt::format("`{}` puts positions together, in a dimension {}", op.name, d.text()));
    }
    // Made from nothing, it counts from 0 in every part of a stream.
    if (is_time(d) && op.inputs.empty() && along != Along::streams && !masks) program_.repeats = at;
  }
  if (along == Along::whole) {
    whole(at, fmt::format("`{}` needs the whole sequence", op.name),
          op.along == along ? "" : fmt::format("with its defaults `{}` sees the past alone", op.name));
  }
  if (along == Along::streams) return watch_stream(op, inputs, y, at);

  const auto is_masked = [&](std::size_t i) { return i < inputs.size() && inputs[i] && masked(inputs[i]); };
  bool mask_given = false;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    mask_given |= op.inputs[i].name == std::string("mask") && is_masked(i);
  }
  const bool keeps_zeros = (is_masked(0) && (op.name == "mul" || op.name == "div" || op.name == "neg")) ||
                           (is_masked(1) && op.name == "mul");
  if (masks || mask_given || keeps_zeros) program_.masked.insert(outputs[0].id());
  if (masks) return;
  if (watch_axis(op, inputs, attributes, mask_given || is_masked(0), at)) return;
  for (std::size_t i = 0; i < inputs.size(); ++i) {  // an op mixes along the last dimension that is its own
    const bool own = inputs[i] && op.inputs[std::min(i, op.inputs.size() - 1)].core > 0 && op.name != "outer";
    if (!own || dims_of(inputs[i]).empty() || !is_time(dims_of(inputs[i]).back())) continue;
    if (is_masked(0)) program_.repeats = at;
    else whole(at, fmt::format("`{}` takes all of T together", op.name));
  }
}

// An op along a dimension that it is told. False when it has none.
bool Builder::watch_axis(const Op& op, const std::vector<Var>& inputs, const std::vector<AttributeValue>& attributes,
                         bool behind_mask, const Span& at) {
  const Dims first = inputs.empty() || !inputs[0] ? Dims{} : dims_of(inputs[0]);
  bool has_axis = false;
  for (std::size_t i = 0; i < op.attributes.size(); ++i) {
    if (op.attributes[i].type != AttributeInfo::Type::axis || first.empty()) continue;
    has_axis = true;
    const i64 axis = std::get<i64>(attributes[i]);
    const std::size_t place = static_cast<std::size_t>(axis < 0 ? axis + static_cast<i64>(first.size()) : axis);
    if (place >= first.size() || !is_time(first[place])) continue;
    // Behind a mask a row sees keys of its past; along the queries (not the last dimension) it would see later rows.
    if (op.causal_axis || (behind_mask && place + 1 == first.size())) program_.repeats = at;
    else
      whole(at, fmt::format("`{}` goes over all of T", op.name),
            first.size() > 1 && is_time(first[first.size() - 2]) && place + 1 == first.size()
                ? ""
                : "`cumsum(x, dim=T)` and a `recurrence` see what came before alone");
  }
  return has_axis;
}

// Ops that stream go along T, which stands before the last dimension of what they read position by position.
void Builder::watch_stream(const Op& op, const std::vector<Var>& inputs, const Dims& y, const Span& at) {
  const auto wrong = [&](const std::string& note, const std::string& help) {
    const std::string rule = fmt::format("`{}` goes along T, which must stand before the last dimension", op.name);
    program_.diagnostics.error("E0208", at, rule).note(note).help(help);
    throw Failed{};
  };
  if (op.inputs.empty() && count_time(y) != 1) wrong("its length is not T", "`arange(n)` counts to a number");
  bool along = op.inputs.empty();
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    if (op.inputs[i].core != 2 || i >= inputs.size() || !inputs[i]) continue;
    const Dims x = dims_of(inputs[i]);
    const bool here = x.size() > 1 && is_time(x[x.size() - 2]);
    if (count_time(x) > (here ? 1 : 0)) wrong(fmt::format("its input `{}` is {}", op.inputs[i].name, text(x)), "");
    along = along || here;
  }
  if (!along) wrong("nothing that it is given has T", "");
}

// A step sees one position, and what came before through its states alone.
void Builder::watch_step(const Op& op, const Span& at) {
  if (op.states.empty() && !(op.along == Along::streams && op.inputs.empty())) return;
  fail("E0206", at, fmt::format("`{}` needs more than the one position of a step, or the nodes of a merge", op.name),
       "compute it in `let`, or keep what it needs in a state");
}

}  // namespace weft::dsl
