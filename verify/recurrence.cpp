#include "verify/recurrence.h"

namespace weft::verify {
namespace {

// The names that an expression of the step comes down to.
void add_names(const dsl::Expr& e, const dsl::Recurrence& r, std::set<std::string>& names) {
  for (const std::string& name : dsl::names_in(e)) {
    if (dsl::find_state(r, name)) continue;
    if (const auto at = dsl::assignment(r, name)) add_names(*r.step[*at].value, r, names);
    else names.insert(name);
  }
}

}  // namespace

Subject::Alone::Alone(dsl::Builder& model, const dsl::Recurrence& r, const std::vector<dsl::StateForm>& forms)
    : place(place_text(r.span)),
      loop(std::make_unique<dsl::LoneRecurrence>(model, r, forms, "loop", 4, Graph::Gradients::yes)) {
  for (const dsl::Equation& e : r.read) places[e.name] = place_text(e.value->span);
  for (const dsl::StateForm& f : forms) {
    if (f.update) places[model.room().below(f.state->name)] = place_text(f.update->value->span);
    for (const dsl::Summand& t : f.terms) {
      const bool own = t.core == dsl::Summand::Core::state, corrects = t.core == dsl::Summand::Core::read;
      for (const dsl::Piece& p : t.factors) {
        if (own || corrects) add_names(*p.value, r, own ? decays : betas);
      }
    }
    if (!f.derivable()) return;
  }
  const dsl::Diagnostics before = model.program().diagnostics;
  for (const std::string form : {"recurrent", "chunkwise", "parallel"}) {
    for (const i64 chunk : {4, 7, 0}) {
      if (form == "parallel" && chunk != 0) continue;
      try {
        derived.push_back(
            {form, chunk, std::make_unique<dsl::LoneRecurrence>(model, r, forms, form, chunk, Graph::Gradients::yes)});
      } catch (const dsl::NotDerivable&) {
      } catch (const dsl::Failed&) {
      }
    }
  }
  model.program().diagnostics = before;
}

}  // namespace weft::verify
