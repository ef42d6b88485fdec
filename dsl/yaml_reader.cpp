// From yaml-cpp's events to our tree, with every guard. Events, because its nodes share aliases (a
// cycle makes a walk endless), keep no duplicate keys apart and lose where a value ends.

#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "dsl/guard.h"
#include "dsl/yaml.h"
#include "dsl/yaml_builder.h"

namespace weft::dsl {
namespace {

void report_syntax(const YAML::Exception& error, const TreeBuilder& builder, const SourcePtr& source,
                   Diagnostics& diagnostics) {
  const Explained ours = explain_yaml(error.msg);
  const int at = error.mark.is_null() ? 0 : builder.offset(error.mark);
  Span span{source, at, at + 1};
  const bool unclosed = error.msg.find("flow not found") != std::string::npos;
  if (unclosed && builder.open_bracket()) span = *builder.open_bracket();
  if (const int tab = indenting_tab(source->text, at); ours.code == "E0103" && tab >= 0) {
    diagnostics.error("E0103", {source, tab, tab + 1}, "a tab is used for indentation").help("indent with spaces");
    return;
  }
  const int quote = open_quote_before(source->text, at);
  if (ours.code == "E0104" && quote >= 0) span = {source, quote, quote + 1};
  Diagnostic& d = diagnostics.error(ours.code, span, std::string(ours.message)).help(std::string(ours.help));
  if (const int hash = comment_before(source->text, at); ours.code == "E0103" && hash >= 0)
    d.note("a `#` behind a space begins a comment: the value ends before it", Span{source, hash, hash + 1});
  if (ours.code == "E0103" && quote >= 0)
    d.note("this quote does not close on its line", Span{source, quote, quote + 1});
}

// False when the text is no YAML, or more than one document.
bool parse(TreeBuilder& builder, const SourcePtr& source, int begin, Diagnostics& diagnostics) {
  std::istringstream stream(source->text.substr(static_cast<size_t>(begin)));
  bool first_done = false;
  try {
    YAML::Parser parser(stream);
    const bool any = parser.HandleNextDocument(builder);
    first_done = true;
    if (any) parser.HandleNextDocument(builder);  // throws SecondDocument when there is one
    return true;
  } catch (const SecondDocument& second) {
    diagnostics.append(builder.found);
    diagnostics.error("E0108", {source, second.at, second.at + 1}, "content after the end of the document")
        .help("a file holds one description: remove what follows");
    return false;
  } catch (const YAML::DeepRecursion& error) {
    diagnostics.append(builder.found);
    if (!builder.found.has_errors()) {
      diagnostics.error("E0102", {source, begin, begin}, fmt::format("nesting deeper than {}", kYamlDepth));
    }
    return false;
  } catch (const YAML::Exception& error) {
    const bool guard_first = error.msg.find("anchor is not defined") != std::string::npos;
    if (guard_first) diagnostics.append(builder.found);
    if (!first_done) {
      report_syntax(error, builder, source, diagnostics);
    } else {
      const int at = builder.offset(error.mark);
      diagnostics.error("E0108", {source, at, at + 1}, "content after the end of the document")
          .help("a file holds one description: remove what follows");
    }
    return false;
  }
}

}  // namespace

Yaml read_yaml(const SourcePtr& source, Diagnostics& diagnostics, int begin) {
  if (begin == 0) begin = bom_length(source->text);
  if (!check_bytes(source, begin, diagnostics)) return {};
  TreeBuilder builder(source, begin);
  if (!parse(builder, source, begin, diagnostics)) return {};
  diagnostics.append(builder.found);
  if (builder.full) return {};
  if (builder.root.is_null() && !builder.found.has_errors()) {
    diagnostics.error("E0109", {source, begin, begin}, "there is no description here: the text is empty");
  }
  return std::move(builder.root);
}

}  // namespace weft::dsl
