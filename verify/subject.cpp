#include "verify/subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "verify/recurrence.h"

namespace weft::verify {
namespace {

constexpr i64 kVocabulary = 11;  // of data that are not read: sizes alone depend on it
constexpr i64 kSize = 6;         // of an input of a def that nobody has told; even, for pairs of rows

std::vector<double> normals(const Shape& shape, Key key, double mean, double deviation) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = mean + deviation * normal(key, i);
  return values;
}

// Sizes that the inputs of a def bind, where neither the file nor the command line tells them.
void add_sizes(const dsl::Description& description, Claim& claim) {
  const dsl::Def* def = description.file().find_def(claim.def);
  if (!def) return;
  const auto told = [&](const std::string& name) {
    const auto given = [&](const std::string& p) { return p.substr(0, p.find('=')) == name; };
    const auto& params = description.file().params;
    return name == "T" || name == "vocab" || std::any_of(claim.params.begin(), claim.params.end(), given) ||
           std::any_of(params.begin(), params.end(), [&](const dsl::Param& p) { return p.name == name; }) ||
           std::any_of(def->params.begin(), def->params.end(), [&](const dsl::Param& p) { return p.name == name; });
  };
  for (const dsl::InputDef& in : def->in) {
    for (const dsl::ExprPtr& e : in.shape) {
      if (e->kind == dsl::Expr::Kind::name && !told(e->name))
        claim.params.push_back(fmt::format("{}={}", e->name, kSize));
    }
  }
}

// The first error, with its place.
std::string reason(const dsl::Diagnostics& d) {
  const auto all = d.sorted();
  const auto error = std::find_if(all.begin(), all.end(),
                                  [](const dsl::Diagnostic* one) { return one->severity == dsl::Severity::error; });
  return error == all.end() ? "" : fmt::format("{} ({})", (*error)->message, place_text((*error)->span));
}

}  // namespace

Subject::Subject(Claim claim) : claim_(std::move(claim)), runtime_(std::make_unique<Runtime>(claim_.runtime)) {
  dsl::Diagnostics d;
  description_.emplace(claim_.source, claim_.overrides, claim_.surroundings, d);
  if (d.has_errors() || !description_->file().tree->is_map()) throw NotBuilt{d};
  if (!claim_.def.empty()) add_sizes(*description_, claim_);
  const auto& params = description_->file().params;
  const bool declared = std::any_of(params.begin(), params.end(), [](const auto& p) { return p.name == "vocab"; });
  if (!declared) sizes_.vocab = kVocabulary;
  sizes_.classes = claim_.classes;
  // First as one that must not see what follows. A model must be so; of a def it is found out.
  auto first = build({}, true, d, {.form = "loop"});
  if (!first && !claim_.def.empty()) {
    dsl::Diagnostics all;
    first = build({}, false, all, {.form = "loop"});
    if (first) sees_ = reason(d);
    d = all;
  }
  if (!first) throw NotBuilt{d};
  for (const dsl::Port& p : first->ports()) {
    const bool state = p.name.starts_with("initial.");
    if (state && !p.var) learned_.insert(p.name);
    if (state || p.use == dsl::Port::Use::cotangent) given_[p.name] = {};
  }
}

bool Subject::takes(const How& how, const std::string& name) const {
  if (how.streams || !given_.contains(name)) return false;
  if (!name.starts_with("initial.")) return true;
  return how.start == Start::given || (how.start == Start::open && !learned_.contains(name));
}

dsl::Asked Subject::asked(const How& how, bool causal, const dsl::Proof& proof) const {
  dsl::Asked asked;
  asked.def = claim_.def;
  asked.params = claim_.params;
  for (const auto& [name, shape] : given_) {
    if (takes(how, name)) asked.given[name] = shape;
  }
  asked.gradients = how.gradients;
  asked.streams = how.streams;
  asked.causal = causal;
  asked.proof = proof;
  return asked;
}

std::unique_ptr<const dsl::Function> Subject::build(const How& how, bool causal, dsl::Diagnostics& diagnostics,
                                                    const dsl::Proof& proof) const {
  return description_->function(asked(how, causal, proof), sizes_, diagnostics);
}

const dsl::Function& Subject::function(const How& how) const {
  auto& known = functions_[how];
  if (!known) {
    dsl::Diagnostics d;
    known = build(how, causal(), d, {.form = how.form, .chunk = how.chunk});
    if (!known) throw NotBuilt{d};
  }
  return *known;
}

const std::vector<std::shared_ptr<const Subject::Alone>>& Subject::recurrences() const {
  if (recurrences_) return *recurrences_;
  recurrences_.emplace();
  std::set<std::string> seen;
  dsl::Proof proof{.form = "loop"};
  proof.watch = [&](dsl::Builder& builder, const dsl::Recurrence& r, const std::vector<dsl::StateForm>& forms) {
    if (seen.insert(dsl::identity(builder, r)).second)
      recurrences_->push_back(std::make_shared<const Alone>(builder, r, forms));
  };
  dsl::Diagnostics d;
  if (!build({}, causal(), d, proof)) throw NotBuilt{d};
  return *recurrences_;
}

i64 Subject::weight_count() const {
  i64 count = 0;
  for (const dsl::Weight& w : function({}).weights()) count += element_count(w.shape);
  return count;
}

// Matrices keep the size of what they are multiplied with; what is added or multiplied element by element lies around
// the number it starts from. A buffer is drawn as the description says: it may have to be orthogonal.
std::vector<Tensor> Subject::drawn() const {
  const dsl::Function& f = function({});
  std::vector<Tensor> drawn = f.initial_weights(1, DType::f64);
  const auto& slots = f.slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const dsl::Weight& w = slots[i].weight;
    if (!w.trained) continue;
    const std::size_t rank = w.shape.size();
    const bool constant = slots[i].initialiser.kind == dsl::Initialiser::Kind::constant;
    const double mean = rank < 2 && constant ? slots[i].initialiser.value : 0;
    const double deviation = rank < 2 ? 0.5 : 1 / std::sqrt(static_cast<double>(w.shape[rank - 2]));
    drawn[i] = Tensor::from(normals(w.shape, Key{76 + claim_.seed}.fold(w.name), mean, deviation), w.shape, DType::f64);
  }
  return drawn;
}

const std::vector<Tensor>& Subject::weights() const {
  if (!weights_) weights_ = drawn();
  return *weights_;
}

Tensors Subject::inputs(const How& how, i64 rows, i64 length, u64 seed) const {
  Tensors all;
  for (const dsl::Port& p : function(how).ports()) {
    if (p.use != dsl::Port::Use::required && !takes(how, p.name)) continue;
    const Shape shape = bind(p.dims, {{"B", rows}, {"T", length}});
    const Key key = Key{seed + claim_.seed - 1}.fold(p.name);
    if (p.kind == Kind::index) {
      const dsl::Function& f = function(how);
      const i64 classes = !claim_.def.empty() ? 2 : p.name == "targets" ? f.classes().value_or(f.vocab()) : f.vocab();
      std::vector<i32> values(static_cast<std::size_t>(element_count(shape)));
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<i32>(bits(key, i) % static_cast<u64>(classes));
      all[p.name] = Tensor::of_indices(values, shape);
    } else if (p.counts) {
      all[p.name] = Tensor::full(shape, 5, DType::f64);
    } else {
      all[p.name] = Tensor::from(normals(shape, key, 0, 1), shape, DType::f64);
    }
  }
  return all;
}

Subject::Results Subject::run(const How& how, const Tensors& inputs, const RunSettings& settings) const {
  return run(how, runtime(), DType::f64, weights(), inputs, settings);
}

Subject::Results Subject::run(const How& how, const Runtime& runtime, DType dtype, const std::vector<Tensor>& weights,
                              const Tensors& inputs, const RunSettings& settings, Observer* observer) const {
  std::vector<Tensor> converted;
  for (const Tensor& w : weights) converted.push_back(w.converted(dtype));
  Results results;
  for (auto& [name, tensor] : function(how)(runtime, dtype, converted, inputs, settings, observer))
    results[name] = std::move(tensor);
  return results;
}

}  // namespace weft::verify
