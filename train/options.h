// The sections `data train eval generate` of a description: one table each, from which the checker,
// the reference, the editor schema and the command line are made, and what their values become.
#pragma once
#include <vector>

#include "dsl/options.h"
#include "train/job.h"

namespace weft::train {

/// In the order of a description: data, train, eval, generate.
const std::vector<dsl::Option>& option_tables();
/// One of them by its name; an unknown name is our mistake.
const dsl::Option& option_table(std::string_view section);

TrainOptions train_options(const dsl::Settings& train);
/// Nothing where weights are drawn.
std::optional<FromOptions> from_options(const dsl::Settings& train);
EvalOptions eval_options(const dsl::Settings& eval);
/// `seed` is that of the run, which holds unless the section has its own.
GenerateOptions generate_options(const dsl::Settings& generate, u64 seed);

}  // namespace weft::train
