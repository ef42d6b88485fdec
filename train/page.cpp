#include "train/page.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "dsl/source.h"

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
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 74rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h3 { font-size: .92rem; margin: 1rem 0 .2rem; } h3 + pre { margin-top: 0; }
p { margin: .4rem 0; max-width: 46rem; overflow-wrap: anywhere; } .wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .83rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .45rem; border-bottom: 1px solid var(--rule); text-align: left; white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; } td.number, th.number { text-align: right; }
td.long { white-space: normal; min-width: 18rem; max-width: 34rem; overflow-wrap: anywhere; }
figure { margin: 1rem 0 2rem; } figcaption { font-weight: 600; margin-bottom: .3rem; }
svg { display: block; width: 100%; max-width: 56rem; height: auto; } svg text { font-size: 12px; fill: var(--ink); }
svg .tick, svg .label { fill: var(--soft); } .grid { stroke: var(--rule); } .axis { stroke: var(--soft); }
.level { stroke: var(--soft); stroke-dasharray: 5 4; fill: none; } polyline, path { fill: none; }
.thick { stroke-width: 2.4; } .thin { stroke-width: 1; opacity: .5; } .again { stroke-dasharray: 9 3; }
.leader { stroke-width: 1; stroke-dasharray: 2 2; }
code { font: .86em ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: var(--panel); border: 1px solid var(--rule); padding: .6rem .8rem; overflow-x: auto;
  font: .82rem/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
.gone { color: var(--c1); } .come { color: var(--c2); }
@page { margin: 1.5cm; }
@media print { body { padding: 0; font-size: 9.5pt; } table { font-size: 7pt; margin: 0; } th, td { white-space: normal; padding: 1.5px 4px; } td.number { white-space: nowrap; }
  figure { display: flex; flex-wrap: wrap; gap: 0 .6cm; margin: .3cm 0; } figcaption { width: 100%; } svg { flex: 0 0 12cm; max-width: 12cm; }
  figure summary { display: none; } details::details-content { content-visibility: visible; display: block; }
  pre { white-space: pre-wrap; font-size: 7.5pt; } }
details { margin: .5rem 0; } summary { cursor: pointer; }
)css";

std::string colours() {
  std::string css;
  for (int i = 0; i < kColours; ++i)
    css += fmt::format(".c{0} {{ stroke: var(--c{0}); }} .dot.c{0} {{ fill: var(--c{0}); }}\n", i);
  return css;
}

// The number of a character that is valid UTF-8.
unsigned code_of(std::string_view letter) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(letter[i])); };
  if (letter.size() == 1) return byte(0);
  unsigned code = byte(0) & (0x7Fu >> letter.size());
  for (std::size_t i = 1; i < letter.size(); ++i) code = code << 6 | (byte(i) & 0x3F);
  return code;
}

// A sign for a character that acts on text instead of being seen; empty for all others.
std::string made_visible(std::string_view letter) {
  const unsigned code = code_of(letter);
  if (code == '\n' || code == '\t') return {};
  if (code < 0x20) return {'\xE2', '\x90', static_cast<char>(0x80 + code)};  // U+2400 and following
  if (code == 0x7F) return "\u2421";
  const auto within = [&](unsigned first, unsigned last) { return code >= first && code <= last; };
  const bool acts = within(0x80, 0x9F) || code == 0xAD || code == 0x61C || within(0x200B, 0x200F) ||
                    within(0x2028, 0x202E) || within(0x2060, 0x206F) || code == 0xFEFF || within(0xFFF9, 0xFFFB) ||
                    within(0xE0000, 0xE007F);
  return acts ? fmt::format("⟨U+{:04X}⟩", code) : "";
}

std::string as_markup(std::string_view letter) {
  switch (letter[0]) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return std::string(letter);
  }
}

// Where the characters of a text begin.
std::vector<std::size_t> beginnings(const std::string& text) {
  std::vector<std::size_t> all;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) all.push_back(at);
  }
  return all;
}

bool is_number(const std::string& text) {
  return !text.empty() &&
         (std::isdigit(static_cast<unsigned char>(text[0])) || text == "-" ||
          (text.size() > 1 && (text[0] == '-' || text[0] == '+') && std::isdigit(static_cast<unsigned char>(text[1]))));
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const int length = dsl::utf8_length(text, i);
    const std::string_view letter = text.substr(i, static_cast<std::size_t>(std::max(1, length)));
    i += letter.size();
    if (length == 0) out += "\uFFFD";
    else if (const std::string seen = made_visible(letter); !seen.empty()) out += seen;
    else out += as_markup(letter);
  }
  return out;
}

std::string shortened(const std::string& text, std::size_t most) {
  const std::vector<std::size_t> letters = beginnings(text);
  return letters.size() <= most ? text : text.substr(0, letters[most]) + "…";
}

std::string shortened_inside(const std::string& text, std::size_t most) {
  const std::vector<std::size_t> letters = beginnings(text);
  if (letters.size() <= most) return text;
  return text.substr(0, letters[most / 2]) + "…" + text.substr(letters[letters.size() - most / 2]);
}

std::string heading(std::string_view text) { return fmt::format("<h2>{}</h2>\n", escaped(text)); }
std::string paragraph(std::string_view text) {
  std::string html = escaped(text);
  for (std::size_t at = 0, end = 0; (at = html.find('`', at)) != std::string::npos; at = end) {
    if ((end = html.find('`', at + 1)) == std::string::npos) break;
    const std::string code = fmt::format("<code>{}</code>", html.substr(at + 1, end - at - 1));
    html.replace(at, end - at + 1, code);
    end = at + code.size();
  }
  return fmt::format("<p>{}</p>\n", html);
}
std::string preformatted(std::string_view text) { return fmt::format("<pre>{}</pre>\n", escaped(text)); }

std::string folded(std::string_view summary, const std::string& body) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", escaped(summary), body);
}

std::string html_table(const std::vector<std::vector<std::string>>& rows) {
  constexpr std::size_t kSentence = 48;  // letters from which a cell breaks its lines
  std::vector<bool> numbers;             // of a column: all its cells are numbers
  for (std::size_t r = 1; r < rows.size(); ++r) {
    numbers.resize(std::max(numbers.size(), rows[r].size()), true);
    for (std::size_t i = 0; i < rows[r].size(); ++i) numbers[i] = numbers[i] && is_number(rows[r][i]);
  }
  std::string s = "<div class='wide'><table>\n";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const char* cell = r == 0 ? "th" : "td";
    s += "<tr>";
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      const bool right = i < numbers.size() && numbers[i], sentence = rows[r][i].size() > kSentence;
      s += fmt::format("<{0}{1}>{2}</{0}>", cell,
                       right      ? " class='number'"
                       : sentence ? " class='long'"
                                  : "",
                       escaped(rows[r][i]));
    }
    s += "</tr>\n";
  }
  return s + "</table></div>\n";
}

std::string marked_lines(std::string_view text) {
  std::string s = "<pre>";
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    const char* look = line.starts_with('-') ? "gone" : line.starts_with('+') ? "come" : "";
    s += *look ? fmt::format("<span class='{}'>{}</span>\n", look, escaped(line)) : escaped(line) + "\n";
    begin = end + 1;
  }
  return s + "</pre>\n";
}

std::string table_of(const Plot& plot) {
  constexpr std::size_t kRows = 12;
  const PlotLine* longest = nullptr;
  std::vector<std::vector<std::string>> rows = {{plot.x}};
  for (const PlotLine& line : plot.lines) {
    if (line.name.empty()) continue;
    rows[0].push_back(line.name);
    if (!longest || line.points.size() > longest->points.size()) longest = &line;
  }
  if (!longest) return {};
  const std::size_t all = longest->points.size(), count = std::min(all, kRows);
  if (count == 0) return {};
  const double stretch = (longest->points.back().x - longest->points.front().x) / static_cast<double>(count);
  for (std::size_t r = 0; r < count; ++r) {
    const double x = longest->points[(r + 1) * all / count - 1].x;
    rows.push_back({fmt::format("{:.10g}", std::floor(x))});
    for (const PlotLine& line : plot.lines) {
      if (line.name.empty()) continue;
      const auto after =
          std::partition_point(line.points.begin(), line.points.end(), [&](const Point& p) { return p.x <= x; });
      const bool ended = !line.points.empty() && line.points.back().x < x - stretch;
      rows.back().push_back(after == line.points.begin() || ended ? "-" : fmt::format("{:.5g}", std::prev(after)->y));
    }
  }
  return folded("The numbers: of each line the last value at or before that place", html_table(rows));
}

std::string figure(const Plot& plot, const std::string& below) {
  return fmt::format("<figure><figcaption>{}</figcaption>\n{}\n{}</figure>\n", escaped(plot.title), svg(plot), below);
}

std::string page(std::string_view title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n<meta name='generator' content='weft'>\n"
      "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>\n<title>{0}</title>\n"
      "<style>{1}{2}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{3}</body>\n</html>\n",
      escaped(title), kStyle, colours(), body);
}

}  // namespace weft::train
