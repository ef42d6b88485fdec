#include "dsl/diagnostic.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "dsl/codes.h"

namespace weft::dsl {
namespace {

constexpr int kShown = 20;        // more errors than this are not read
constexpr size_t kListed = 1000;  // in JSON: finding a line costs a walk over the file
constexpr int kTab = 4;
constexpr int kWindow = 160;  // columns of a source line that are shown around the caret

struct Paint {
  bool on;
  std::string operator()(const char* code, const std::string& text) const {
    return on ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }
};

/// The line with tabs expanded, and the columns of the caret's begin and end in it.
struct Line {
  std::string text;
  int begin = 0;
  int end = 0;
};

Line expand(const Span& span, int line) {
  const std::string_view raw = line_text(*span.source, line);
  const int line_offset = static_cast<int>(raw.data() - span.source->text.data());
  Line result;
  std::vector<std::string> cells;
  const auto mark = [&](int offset) {
    if (offset <= span.begin) result.begin = static_cast<int>(cells.size());
    if (offset <= span.end) result.end = static_cast<int>(cells.size());
  };
  size_t i = 0;
  while (i < raw.size()) {
    mark(line_offset + static_cast<int>(i));
    const auto length = static_cast<size_t>(std::max(1, utf8_length(raw, i)));
    if (raw[i] == '\t') {
      cells.resize((cells.size() / kTab + 1) * kTab, " ");
    } else {
      cells.push_back(printable(raw.substr(i, length)));
    }
    i += length;
  }
  mark(line_offset + static_cast<int>(i));
  const int from =
      result.begin > kWindow / 2 && static_cast<int>(cells.size()) > kWindow ? result.begin - kWindow / 2 : 0;
  const int to = std::min(static_cast<int>(cells.size()), from + kWindow);
  for (int c = from; c < to; ++c) result.text += cells[static_cast<size_t>(c)];
  result.begin -= from;
  result.end = std::max(std::min(result.end, to) - from, result.begin + 1);
  return result;
}

std::string with_place(const Note& note) {
  const std::string text = printable(note.text);
  return note.span && note.span->source ? fmt::format("{} ({})", text, place_text(*note.span)) : text;
}

void render_one(const Diagnostic& d, const Paint& paint, std::string& out) {
  const bool is_error = d.severity == Severity::error;
  const char* hue = is_error ? "1;31" : "1;33";
  out += paint(hue, fmt::format("{}[{}]", is_error ? "error" : "warning", d.code));
  out += paint("1", ": " + printable(d.message)) + "\n";
  std::string margin = " ";
  if (d.span.source) {
    const LineColumn at = place(d.span);
    const std::string number = std::to_string(at.line);
    margin = std::string(number.size(), ' ');
    out += fmt::format("{}{} {}\n", margin, paint("1;34", "-->"), place_text(d.span));
    if (!d.span.source->text.empty()) {
      const Line line = expand(d.span, at.line);
      out += fmt::format("{} {}\n", margin, paint("1;34", "|"));
      out += fmt::format("{} {}{}{}\n", paint("1;34", number), paint("1;34", "|"), line.text.empty() ? "" : " ",
                         line.text);
      out += fmt::format("{} {} {}{}\n", margin, paint("1;34", "|"), std::string(static_cast<size_t>(line.begin), ' '),
                         paint(hue, std::string(static_cast<size_t>(line.end - line.begin), '^')));
    }
  }
  for (const Note& note : d.notes) out += fmt::format("{} = {} {}\n", margin, paint("1", "note:"), with_place(note));
  for (const std::string& cure : d.cures)
    out += fmt::format("{} = {} {}\n", margin, paint("1", "help:"), printable(cure));
  out += "\n";
}

std::string plural(int count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

}  // namespace

Diagnostic& Diagnostic::note(std::string text, std::optional<Span> where) {
  notes.push_back({std::move(text), std::move(where)});
  return *this;
}

Diagnostic& Diagnostic::help(std::string text) {
  if (!text.empty()) cures.push_back(std::move(text));
  return *this;
}

Diagnostic& Diagnostics::error(std::string_view code, Span span, std::string message) {
  ++errors_;
  return add(Severity::error, code, std::move(span), std::move(message));
}

Diagnostic& Diagnostics::warning(std::string_view code, Span span, std::string message) {
  return add(Severity::warning, code, std::move(span), std::move(message));
}

Diagnostic& Diagnostics::add(Severity severity, std::string_view code, Span span, std::string message) {
  if (find_code(code) == nullptr) throw std::logic_error(fmt::format("diagnostics: no such code ({})", code));
  items_.push_back({severity, std::string(code), std::move(span), std::move(message), {}, {}});
  return items_.back();
}

int Diagnostics::exit_code() const {
  int result = 0;
  for (const Diagnostic& d : items_) {
    if (d.severity != Severity::error) continue;
    const int exit = find_code(d.code)->exit;
    result = result == 0 ? exit : std::min(result, exit);  // 2, 4, 6: the precedence is the numeric one
  }
  return result;
}

std::vector<const Diagnostic*> Diagnostics::sorted() const {
  std::vector<const Source*> sources;  // in order of first mention: the file that was asked for comes first
  for (const Diagnostic& d : items_) {
    if (std::find(sources.begin(), sources.end(), d.span.source.get()) == sources.end())
      sources.push_back(d.span.source.get());
  }
  const auto rank = [&](const Diagnostic* d) {
    const auto source = std::find(sources.begin(), sources.end(), d->span.source.get()) - sources.begin();
    return std::tuple(source, d->span.begin);
  };
  std::vector<const Diagnostic*> result;
  std::set<std::tuple<std::string_view, std::string_view, const Source*, int>> seen;
  for (const Diagnostic& d : items_) {
    const bool is_new = seen.emplace(d.code, d.message, d.span.source.get(), d.span.begin).second;
    if (is_new) result.push_back(&d);
  }
  std::stable_sort(result.begin(), result.end(), [&](auto* a, auto* b) { return rank(a) < rank(b); });
  return result;
}

std::string Diagnostics::render(bool color) const {
  std::string out;
  int errors = 0, warnings = 0;
  for (const Diagnostic* d : sorted()) {
    int& count = d->severity == Severity::error ? errors : warnings;
    if (++count <= kShown) render_one(*d, {color}, out);
  }
  if (errors > kShown) out += fmt::format("{} more\n", plural(errors - kShown, "error"));
  if (warnings > kShown) out += fmt::format("{} more\n", plural(warnings - kShown, "warning"));
  if (errors + warnings == 0) return out;
  std::string total = errors > 0 ? plural(errors, "error") : "";
  if (warnings > 0) total += (errors > 0 ? ", " : "") + plural(warnings, "warning");
  return out + total + "\n";
}

nlohmann::json Diagnostics::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Diagnostic* d : sorted()) {
    if (list.size() == kListed) break;
    const LineColumn at = place(d->span);
    const bool located = d->span.source != nullptr;
    const int end = located ? place_at(*d->span.source, d->span.end).column : 1;
    const bool one_line = located && place_at(*d->span.source, d->span.end).line == at.line;
    nlohmann::json notes = nlohmann::json::array();
    for (const Note& note : d->notes) notes.push_back(with_place(note));
    std::string cures;
    for (const std::string& cure : d->cures) cures += (cures.empty() ? "" : "\n") + printable(cure);
    list.push_back({{"code", d->code},
                    {"severity", d->severity == Severity::error ? "error" : "warning"},
                    {"message", printable(d->message)},
                    {"file", located ? printable(d->span.source->name) : ""},
                    {"line", at.line},
                    {"col", at.column},
                    {"end_col", one_line ? std::max(end, at.column + 1) : at.column + 1},
                    {"notes", notes},
                    {"help", cures}});
  }
  return {{"errors", errors_}, {"diagnostics", list}};
}

void Diagnostics::forget(size_t first, const std::function<bool(const Diagnostic&)>& unwanted) {
  const auto is_unwanted = [&](const Diagnostic& d) {
    const bool drop = unwanted(d);
    errors_ -= drop && d.severity == Severity::error;
    return drop;
  };
  items_.erase(std::remove_if(items_.begin() + static_cast<std::ptrdiff_t>(first), items_.end(), is_unwanted),
               items_.end());
}

void Diagnostics::append(const Diagnostics& other) {
  for (const Diagnostic& d : other.items_) items_.push_back(d);
  errors_ += other.errors_;
}

}  // namespace weft::dsl
