#include "train/data_kinds.h"

#include <algorithm>

namespace weft::train {

const std::vector<DataKind>& data_kinds() {
  static const std::vector<DataKind> kinds = {text_kind(),   lines_kind(),   recall_kind(), mqar_kind(), copy_kind(),
                                              parity_kind(), listops_kind(), images_kind(), jsonl_kind()};
  return kinds;
}

const DataKind& data_kind(const dsl::Settings& data) {
  const std::string chosen = data.chosen("");
  check(!chosen.empty(), "data: give `text: {{path: ...}}` or another kind of data; `weft help options` lists them");
  const auto& all = data_kinds();
  return *std::find_if(all.begin(), all.end(), [&](const DataKind& kind) { return kind.option.name == chosen; });
}

}  // namespace weft::train
