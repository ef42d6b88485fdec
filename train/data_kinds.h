// The kinds of data: what each is called in a description, its options, and how it is made. One file each.
#pragma once
#include <functional>
#include <memory>

#include "dsl/options.h"
#include "train/data.h"

namespace weft::train {

/// What there is besides the description.
struct DataGiven {
  std::string_view built_in = {};        // the text that `text: {builtin: ...}` names
  const Tokenizer* tokenizer = nullptr;  // of weights that are there already; unless given, the text makes its own
  bool files = true;                     // they may be read; otherwise data that need one are null
};

struct DataKind {
  dsl::Option option;  // a section; its values are at "<name>.<option>"
  /// What is known without reading anything.
  std::function<dsl::DataSizes(const dsl::Settings& data)> sizes;
  /// Values that one option cannot judge alone are errors with their place, files that do not do errors of kind `data`.
  std::function<void(const dsl::Settings& data)> check;
  std::function<std::shared_ptr<const Data>(const dsl::Settings& data, const DataGiven& given)> load;
};
const std::vector<DataKind>& data_kinds();
/// The one that the section chooses.
const DataKind& data_kind(const dsl::Settings& data);

DataKind text_kind();
DataKind lines_kind();
DataKind recall_kind();
DataKind mqar_kind();
DataKind copy_kind();
DataKind parity_kind();
DataKind listops_kind();
DataKind images_kind();
DataKind jsonl_kind();

}  // namespace weft::train
