// One page of HTML that needs nothing else: style inside, no script, light and dark, fit for paper. What a name or a
// text of a user becomes part of goes through `escaped`.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "train/plot.h"

namespace weft::train {

/// Colours that stay apart for those who see red and green alike (Okabe and Ito 2008), without the yellow, which is too
/// light for lines.
constexpr int kColours = 7;

/// Text as HTML and XML have it, inside an element or an attribute. What would act instead of being seen is shown:
/// control characters as their pictures (␛), those that turn the direction of text around or have no width as ⟨U+202E⟩,
/// bytes that are no UTF-8 as �.
std::string escaped(std::string_view text);

/// At most so many letters, with `…` behind them when there were more.
std::string shortened(const std::string& text, std::size_t most);
/// The same with both ends kept: names of runs often differ in their last letters.
std::string shortened_inside(const std::string& text, std::size_t most);

std::string heading(std::string_view text);
/// Words between ` ` are set as code.
std::string paragraph(std::string_view text);
/// Text with its lines and spaces as they are.
std::string preformatted(std::string_view text);
/// What opens when it is asked for: `body` is HTML.
std::string folded(std::string_view summary, const std::string& body);

/// A table of plain texts, its first row the heads. What looks like a number stands at the right.
std::string html_table(const std::vector<std::vector<std::string>>& rows);

/// Lines of text, those that begin with `-` and `+` coloured (cli/difference.h writes them).
std::string marked_lines(std::string_view text);

/// The named lines of a plot at about a dozen places, a column each; folded.
std::string table_of(const Plot& plot);

/// A plot under its title, with `below` (HTML: its table, a remark) under it.
std::string figure(const Plot& plot, const std::string& below);

/// The whole page around a body of HTML.
std::string page(std::string_view title, const std::string& body);

}  // namespace weft::train
