#include "train/tensorboard.h"

#include <sys/stat.h>

#include <cmath>
#include <cstring>

#include "train/crc32c.h"

namespace weft::train {
namespace {

// ---- protocol buffers, as far as they are needed: a field is (number << 3 | kind), then its value ------------------

std::string varint(u64 value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

template <class T> std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string key(int field, int kind) { return varint(static_cast<u64>(field << 3 | kind)); }
std::string number(int field, u64 value) { return key(field, 0) + varint(value); }
std::string real(int field, double value) { return key(field, 1) + raw(value); }
std::string real(int field, float value) { return key(field, 5) + raw(value); }
std::string block(int field, std::string_view bytes) {
  return key(field, 2) + varint(bytes.size()) + std::string(bytes);
}

// ---- what TensorBoard reads: tensorboard/compat/proto/{event,summary,tensor}.proto ---------------------------------

std::string event(double time, i64 step, const std::string& rest) {
  return event_record(real(1, time) + number(2, static_cast<u64>(step)) + rest);
}

std::string scalar(const char* tag, double value) {
  return std::isfinite(value) ? block(1, block(1, tag) + real(2, static_cast<float>(value))) : "";
}

// A tensor of one string. Four spaces before a line: TensorBoard reads Markdown, and a sample is none.
std::string text(const char* tag, std::string_view lines) {
  constexpr u64 kString = 7, kOneDimension = 1, kTensorData = 2;
  std::string indented = "    ";
  for (const char c : lines) {
    indented += c;
    if (c == '\n') indented += "    ";
  }
  const std::string shape = block(2, number(1, kOneDimension));
  const std::string tensor = number(1, kString) + block(2, shape) + block(8, indented);
  const std::string metadata = block(1, block(1, "text")) + number(4, kTensorData);
  return block(1, block(1, tag) + block(9, metadata) + block(8, tensor));
}

std::string summary(const std::string& values) { return values.empty() ? "" : block(5, values); }

}  // namespace

std::string event_record(std::string_view bytes) {
  const auto masked = [](std::string_view of) {
    const std::uint32_t crc = crc32c(of);
    return raw(static_cast<std::uint32_t>((crc >> 15 | crc << 17) + 0xa282ead8u));
  };
  const std::string length = raw(static_cast<u64>(bytes.size()));
  return length + masked(length) + std::string(bytes) + masked(bytes);
}

std::string event_file(const History& history, const std::vector<Sample>& samples, double began) {
  if (!history.events.empty() && history.events.front().time > 0) began = history.events.front().time;
  std::string file = event_record(real(1, began) + block(3, "brain.Event:2"));
  double seconds = 0;
  auto validation = history.validations.begin();
  auto sample = samples.begin();
  for (const RunLog::Step& s : history.updates) {
    seconds += s.seconds;
    std::string values = scalar("loss/training", s.loss) + scalar("learning_rate", s.learning_rate) +
                         scalar("norm/gradient", s.gradient_norm) + scalar("norm/update", s.update_norm) +
                         scalar("norm/weights", s.weight_norm) + scalar("tokens_per_second", s.tokens_per_second);
    for (; validation != history.validations.end() && validation->step <= s.step; ++validation) {
      values += scalar("loss/validation", validation->loss);
      if (validation->accuracy) values += scalar("accuracy/validation", *validation->accuracy);
    }
    for (; sample != samples.end() && sample->step <= s.step; ++sample) values += text("sample", sample->text);
    file += event(began + seconds, s.step, summary(values));
  }
  return file;
}

fs::path write_event_file(const fs::path& run, const History& history, const std::vector<Sample>& samples) {
  struct stat description {};
  const bool known = ::stat((run / "description.yaml").c_str(), &description) == 0;
  const fs::path file = run / "tb" / "events.out.tfevents.0000000000.weft";
  make_folders(file.parent_path());
  write_atomically(file, event_file(history, samples, known ? static_cast<double>(description.st_mtime) : 0));
  return file;
}

}  // namespace weft::train
