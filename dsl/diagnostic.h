#pragma once
// Collected errors and warnings, and their rendering in the layout of rustc.

#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "dsl/source.h"

namespace weft::dsl {

enum class Severity { error, warning };

struct Note {
  std::string text;
  std::optional<Span> span;
};

struct Diagnostic {
  Severity severity = Severity::error;
  std::string code;
  Span span;
  std::string message;
  std::vector<Note> notes;
  std::vector<std::string> cures;

  /// A fact that explains the message, with the place it comes from when there is one.
  Diagnostic& note(std::string text, std::optional<Span> where = {});
  /// One concrete fix; an empty text adds nothing, so that a guess that failed needs no `if`.
  Diagnostic& help(std::string text);
};

/// Thrown inside a pass to leave a part that has failed; whoever throws has reported before.
struct Failed {};

/// Collects everything one pass finds. References it returns stay valid while it lives.
class Diagnostics {
 public:
  /// `code` must be a row of codes(): anything else is our mistake and throws std::logic_error.
  Diagnostic& error(std::string_view code, Span span, std::string message);
  Diagnostic& warning(std::string_view code, Span span, std::string message);

  bool has_errors() const { return errors_ > 0; }
  int error_count() const { return errors_; }
  bool empty() const { return items_.empty(); }

  /// 0 without errors, else what the description, the data or the size demands, in that precedence.
  int exit_code() const;

  /// In order of position, every diagnostic once: a def that is built twice reports twice.
  std::vector<const Diagnostic*> sorted() const;

  std::string render(bool color) const;
  nlohmann::json json() const;

  void append(const Diagnostics& other);

  /// Number of entries, and: forgets those from the `first` on that `unwanted` picks.
  std::size_t size() const { return items_.size(); }
  void forget(std::size_t first, const std::function<bool(const Diagnostic&)>& unwanted);

 private:
  Diagnostic& add(Severity severity, std::string_view code, Span span, std::string message);

  std::deque<Diagnostic> items_;
  int errors_ = 0;
};

/// The number of insertions, deletions, replacements and swaps of neighbours between two words.
int edit_distance(std::string_view a, std::string_view b);

/// The nearest of `candidates` within max(1, length / 3), at most 3; a known other spelling counts
/// as nearest. Empty when nothing is near. What is written as an operator is returned as one ("@"
/// for `matmul`).
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

/// "did you mean `x`?" or "" for did_you_mean's answers.
std::string guess_text(std::string_view name, const std::vector<std::string>& candidates);

/// "`a`, `b` or `c`" for messages that list what is legal.
std::string listed(const std::vector<std::string>& names, std::string_view last_word = "or");

}  // namespace weft::dsl
