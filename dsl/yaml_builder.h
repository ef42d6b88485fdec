#pragma once
// The event handler behind read_yaml: yaml-cpp's events -> our tree, with every guard.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include "dsl/guard.h"
#include "dsl/scalar.h"
#include "dsl/yaml.h"

namespace weft::dsl {

constexpr int kGuardErrors = 100;  // more are not recorded: a hostile file repeats one error 100,000 times

struct SecondDocument {
  int at;
};

inline bool is_key(std::string_view text) {
  bool start = true;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    if (c == '.' ? start : !letter && !digit) return false;
    start = c == '.';
  }
  return !text.empty() && !start && !(text[0] >= '0' && text[0] <= '9');
}

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(SourcePtr source, int base) : source_(std::move(source)), base_(base) {}

  Yaml root;
  Diagnostics found;
  bool full = false;  // a limit was passed: the tree is of no use
  int last_end = 0;   // one past the last scalar: where a search for an unclosed quote begins

  /// The innermost open `[` or `{`, or nothing.
  std::optional<Span> open_bracket() const {
    for (auto frame = stack_.rbegin(); frame != stack_.rend(); ++frame) {
      if (frame->node.flow) return frame->node.span;
    }
    return {};
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw SecondDocument{offset(mark)};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Yaml node = begin_node(mark, "", anchor);
    if (full) return;
    place_null(node);
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Yaml node = begin_node(mark, "", 0);
    if (full) return;
    report("E0105", node.span, "aliases are not allowed").help("repeat the value, or make it a def or a param");
    add(std::move(node));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Yaml node = begin_node(mark, tag, anchor);
    if (full) return;
    node.kind = Yaml::Kind::scalar;
    node.text = value;
    const char first = at(node.span.begin);
    node.quoted = first == '"' || first == '\'';
    node.style = node.quoted                    ? Yaml::Style::quoted
                 : first == '|' || first == '>' ? Yaml::Style::block
                                                : Yaml::Style::plain;
    const ScalarScan scan = scan_scalar(source_->text, node.span.begin, node.style, node.text);
    node.span.end = scan.end;
    last_end = scan.end;
    check_scalar(node, scan);
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(Yaml::Kind::list, mark, tag, anchor, style);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(Yaml::Kind::map, mark, tag, anchor, style);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  int offset(const YAML::Mark& mark) const {
    return std::clamp(mark.pos, 0, static_cast<int>(source_->text.size()) - base_) + base_;
  }

 private:
  struct Frame {
    Yaml node;
    std::optional<Yaml> key;
    bool drop = false;    // the pending entry's key is wrong
    bool deeper = false;  // it counts as a level
    std::unordered_set<std::string> seen;
  };

  char at(int offset) const {
    return offset < static_cast<int>(source_->text.size()) ? source_->text[static_cast<size_t>(offset)] : '\0';
  }

  Diagnostic& report(std::string_view code, const Span& span, const std::string& message) {
    if (found.error_count() >= kGuardErrors) return ignored_;
    return found.error(code, span, message);
  }

  Yaml begin_node(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    Yaml node;
    if (full) return node;
    node.span = {source_, offset(mark), offset(mark) + 1};
    if (++nodes_ > kYamlNodes) {
      full = true;
      report("E0102", node.span, fmt::format("more than {} values in one description", kYamlNodes));
    }
    const bool tagged = !tag.empty() && tag != "?" && tag != "!";
    if (anchor != 0) {
      report("E0105", node.span, "anchors are not allowed").help("repeat the value, or make it a def or a param");
    } else if (tagged || at(node.span.begin) == '!') {
      report("E0105", node.span, "tags are not allowed").help("put a value that begins with `!` in quotes");
    }
    return node;
  }

  // yaml-cpp marks a missing value at the next token, often a line below: the key (or the dash)
  // says it better.
  void place_null(Yaml& node) {
    const std::string_view rest = std::string_view(source_->text).substr(static_cast<size_t>(node.span.begin));
    if (rest.starts_with("null") || rest.starts_with("Null") || rest.starts_with("NULL")) {
      node.span.end = node.span.begin + 4;
    } else if (!rest.starts_with("~") && !stack_.empty()) {
      const Frame& frame = stack_.back();
      if (frame.key) {
        node.span = frame.key->span;
      } else {
        int dash = node.span.begin;
        while (dash > frame.node.span.begin && at(dash) != '-' && at(dash) != ',' && at(dash) != '[') --dash;
        node.span = {source_, dash, dash + 1};
      }
    }
  }

  void check_scalar(const Yaml& node, const ScalarScan& scan) {
    if (!scan.closed) {
      report("E0104", node.span, "a quoted text does not close on its line")
          .help("close it on its line, or use a `|` block");
    }
    if (node.text.size() > kScalarBytes) {
      report("E0102", node.span,
             fmt::format("a value of {} bytes; at most {} are allowed", node.text.size(), kScalarBytes));
    }
    for (const char c : node.text) {  // escapes such as "\0" pass the check of the bytes
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\t' && c != '\n') || byte == 0x7F) {
        report("E0101", node.span, fmt::format("a text contains the control character 0x{:02x}", byte));
        return;
      }
    }
  }

  void open(Yaml::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YAML::EmitterStyle::value style) {
    Yaml node = begin_node(mark, tag, anchor);
    if (full) return;
    // Inside a list yaml-cpp may open a map that turns out to be none, at the same place: that is
    // no level.
    const bool deeper = stack_.empty() || stack_.back().node.span.begin != node.span.begin;
    if (deeper && ++depth_ > kYamlDepth) {
      full = true;
      report("E0102", node.span, fmt::format("nesting deeper than {}", kYamlDepth));
      return;
    }
    node.kind = kind;
    node.flow = style == YAML::EmitterStyle::Flow;
    stack_.push_back({std::move(node), {}, false, deeper, {}});
  }

  void close() {
    if (full || stack_.empty()) return;
    Yaml node = std::move(stack_.back().node);
    depth_ -= stack_.back().deeper;
    stack_.pop_back();
    if (node.is_map() && !node.entries.empty())
      node.span.end = std::max(node.span.end, node.entries.back().value.span.end);
    if (node.is_list() && !node.items.empty()) node.span.end = std::max(node.span.end, node.items.back().span.end);
    add(std::move(node));
  }

  void add(Yaml node) {
    if (stack_.empty()) {
      root = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.is_list()) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.key) {
      frame.drop = !check_key(frame, node);
      frame.key = std::move(node);
    } else {
      if (!frame.drop) frame.node.entries.push_back({std::move(*frame.key), std::move(node)});
      frame.key.reset();
    }
  }

  bool check_key(Frame& frame, const Yaml& key) {
    if (!key.is_scalar()) {
      report("E0106", key.span, fmt::format("a key must be a name, not {}", kind_name(key)));
      return false;
    }
    if (key.text == "<<") {
      report("E0105", key.span, "merge keys are not allowed").help("write the entries out, or make them a def");
      return false;
    }
    if (!is_key(key.text)) {
      std::string shown = key.text.substr(0, 40);
      std::string cure = "names have letters, digits and underscores";
      std::string fixed = key.text;
      std::replace(fixed.begin(), fixed.end(), '-', '_');
      if (is_key(fixed)) cure = fmt::format("write `{}`", fixed);
      const bool cut = frame.node.flow && key.text.find_first_of("()[]@*+/^") != std::string::npos;
      if (cut)
        cure =
            "a comma ends a value inside `{...}`: write the equation on a line of its own, or put "
            "it in quotes";
      report("E0106", key.span, fmt::format("`{}` is not a name", shown)).help(cure);
      return false;
    }
    if (frame.seen.insert(key.text).second) return true;
    if (found.error_count() >= kGuardErrors) return false;  // the search for the first is linear
    const Entry* first = frame.node.find_entry(key.text);
    Diagnostic& d = report("E0107", key.span, fmt::format("duplicate key `{}`", key.text));
    if (first) d.note("first given here", first->key.span);
    return false;
  }

  SourcePtr source_;
  int base_;
  std::vector<Frame> stack_;
  int nodes_ = 0;
  int depth_ = 0;
  int documents_ = 0;
  Diagnostic ignored_;
};

}  // namespace weft::dsl
