#include "train/data.h"

#include "train/terminal.h"

namespace weft::train {

void Hash::add(std::string_view bytes) {
  u64 h = value_;
  for (const unsigned char c : bytes) h = (h ^ c) * 0x100000001b3ULL;
  value_ = h;
}

std::string Hash::text() const { return fmt::format("{:016x}", value_); }

std::string hash_of(std::string_view bytes) {
  Hash hash;
  hash.add(bytes);
  return hash.text();
}

void Data::check_run(const TrainOptions& o) const {
  check(!o.carry_state || has_windows(), "train.carry_state is for a text: the sequences of {} stand by themselves",
        source);
}

std::string Data::meaning(const dsl::LossSum& loss) const {
  const double n = static_cast<double>(loss.count);
  std::string text = fmt::format("validation loss {:.4f} nats, {:.2f} % of {} {}s right\n", loss.nats / n,
                                 100 * static_cast<double>(loss.correct) / n, grouped(loss.count), unit());
  std::string known;
  for (const Floor& f : floors()) {
    if (f.accuracy) known += fmt::format("{}{:.1f} % {}", known.empty() ? "" : ", ", 100 * *f.accuracy, f.name);
  }
  return known.empty() ? text : text + "without a network: " + known + "\n";
}

}  // namespace weft::train
