#include "train/page.h"

#include <algorithm>

#include <fmt/format.h>

#include "train/terminal.h"

namespace weft::train {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1b1b; --soft: #5c5c5c; --rule: #dcdcdc; --panel: #f6f6f4;
  --c0: #0072b2; --c1: #d55e00; --c2: #008a66; --c3: #b8558f; --c4: #b07a00; --c5: #3f97cf; --c6: #444; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181b; --ink: #e9e9e7; --soft: #a3a6aa; --rule: #34383d; --panel: #1f2226;
    --c0: #56b4e9; --c1: #ff8a3c; --c2: #2cc79b; --c3: #e68fc0; --c4: #e6b03a; --c5: #8ab6ff; --c6: #cfcfcf; } }
@media print { :root { --ground: #fff; --ink: #000; --soft: #444; --rule: #bbb; --panel: #fff;
    --c0: #0072b2; --c1: #d55e00; --c2: #008a66; --c3: #b8558f; --c4: #b07a00; --c5: #3f97cf; --c6: #444; }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 74rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .4rem 0; max-width: 46rem; } .wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .83rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .45rem; border-bottom: 1px solid var(--rule); text-align: left; white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; } td.number, th.number { text-align: right; }
figure { margin: 1rem 0 2rem; } figcaption { font-weight: 600; margin-bottom: .3rem; }
svg { display: block; width: 100%; max-width: 56rem; height: auto; } svg text { font-size: 12px; fill: var(--ink); }
svg .tick, svg .label { fill: var(--soft); } .grid { stroke: var(--rule); } .axis { stroke: var(--soft); }
.level { stroke: var(--soft); stroke-dasharray: 5 4; fill: none; } polyline, path { fill: none; }
.thick { stroke-width: 2.4; } .thin { stroke-width: 1; opacity: .5; } .again { stroke-dasharray: 9 3; }
.leader { stroke-width: 1; stroke-dasharray: 2 2; }
pre { background: var(--panel); border: 1px solid var(--rule); padding: .6rem .8rem; overflow-x: auto;
  font: .82rem/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
@media print { pre { white-space: pre-wrap; } table { font-size: 7.5pt; } th, td { white-space: normal; padding: 2px 4px; }
  svg { max-width: 16cm; } }
details { margin: .5rem 0; } summary { cursor: pointer; }
)css";

std::string colours() {
  std::string css;
  for (int i = 0; i < kColours; ++i)
    css += fmt::format(".c{0} {{ stroke: var(--c{0}); }} .dot.c{0} {{ fill: var(--c{0}); }}\n", i);
  return css;
}

bool is_number(const std::string& text) {
  return !text.empty() &&
         (std::isdigit(static_cast<unsigned char>(text[0])) || text == "-" ||
          (text.size() > 1 && (text[0] == '-' || text[0] == '+') && std::isdigit(static_cast<unsigned char>(text[1]))));
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : safe_lines(text)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string heading(std::string_view text) { return fmt::format("<h2>{}</h2>\n", escaped(text)); }
std::string paragraph(std::string_view text) { return fmt::format("<p>{}</p>\n", escaped(text)); }
std::string preformatted(std::string_view text) { return fmt::format("<pre>{}</pre>\n", escaped(text)); }

std::string folded(std::string_view summary, const std::string& body) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", escaped(summary), body);
}

std::string html_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<bool> numbers;  // of a column: all its cells are numbers
  for (std::size_t r = 1; r < rows.size(); ++r) {
    numbers.resize(std::max(numbers.size(), rows[r].size()), true);
    for (std::size_t i = 0; i < rows[r].size(); ++i) numbers[i] = numbers[i] && is_number(rows[r][i]);
  }
  std::string s = "<div class='wide'><table>\n";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const char* cell = r == 0 ? "th" : "td";
    s += "<tr>";
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      const bool right = i < numbers.size() && numbers[i];
      s += fmt::format("<{0}{1}>{2}</{0}>", cell, right ? " class='number'" : "", escaped(rows[r][i]));
    }
    s += "</tr>\n";
  }
  return s + "</table></div>\n";
}

std::string figure(const Plot& plot, const std::string& below) {
  return fmt::format("<figure><figcaption>{}</figcaption>\n{}\n{}</figure>\n", escaped(plot.title), svg(plot), below);
}

std::string page(std::string_view title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>\n<title>{0}</title>\n"
      "<style>{1}{2}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{3}</body>\n</html>\n",
      escaped(title), kStyle, colours(), body);
}

}  // namespace weft::train
