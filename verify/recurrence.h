// One recurrence of the subject by itself, in every form that it has.
#pragma once
#include "dsl/lone_recurrence.h"
#include "verify/subject.h"

namespace weft::verify {

struct Subject::Alone {
  Alone(dsl::Builder& model, const dsl::Recurrence& r, const std::vector<dsl::StateForm>& forms);

  std::string place;  // file:line of it
  std::unique_ptr<const dsl::LoneRecurrence> loop;
  struct Derived {
    std::string form;
    i64 chunk;
    std::unique_ptr<const dsl::LoneRecurrence> function;
  };
  std::vector<Derived> derived;
  std::map<std::string, std::string> places;  // file:line of what `read` gives and of the states
  std::set<std::string> decays, betas;        // the names in the factors of the state, and of the correction
};

}  // namespace weft::verify
