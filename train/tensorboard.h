// The log of a run as an event file of TensorBoard: scalars and the samples as text, no library needed.
#pragma once
#include <string>
#include <string_view>

#include "train/history.h"

namespace weft::train {

/// One record of an event file: length and bytes, each with its masked CRC-32C.
std::string event_record(std::string_view bytes);

/// The whole file: training loss, validation loss, accuracy, learning rate, norms and speed by step, and every sample.
/// `began` stands for the time of the first event, in seconds since 1970, where the log does not say it.
std::string event_file(const History& history, const std::vector<Sample>& samples, double began);

/// Writes it into the folder `tb` of the run, always under the same name, so that a second time replaces the first;
/// gives its path.
fs::path write_event_file(const fs::path& run, const History& history, const std::vector<Sample>& samples);

}  // namespace weft::train
