#include "cli/difference.h"

#include <algorithm>
#include <sstream>
#include <vector>

namespace weft::cli {
namespace {

struct Marked {
  char mark;  // ' ', '-', '+'
  std::string line;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// By a longest common subsequence: a description has at most some hundred lines, so the whole table is small.
std::vector<Marked> marked(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::vector<int>> common(a.size() + 1, std::vector<int>(b.size() + 1));
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;)
      common[i][j] = a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
  }
  std::vector<Marked> all;
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) all.push_back({' ', a[i]}), ++i, ++j;
    else if (j == b.size() || (i < a.size() && common[i + 1][j] >= common[i][j + 1])) all.push_back({'-', a[i++]});
    else all.push_back({'+', b[j++]});
  }
  return all;
}

}  // namespace

std::string difference(const std::string& before, const std::string& after, std::size_t context) {
  if (before == after) return {};
  const std::vector<Marked> all = marked(lines_of(before), lines_of(after));
  std::vector<bool> shown(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].mark == ' ') continue;
    const std::size_t end = std::min(all.size(), i + context + 1);
    for (std::size_t j = i - std::min(i, context); j < end; ++j) shown[j] = true;
  }
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (shown[i]) text += std::string(1, all[i].mark) + " " + all[i].line + "\n";
    else if (context > 0 && (i == 0 || shown[i - 1])) text += "...\n";
  }
  return text;
}

}  // namespace weft::cli
