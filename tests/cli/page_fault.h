// Whether a page is what it must be: tags that close, nothing that loads, nothing that runs.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "tests/train/temporary.h"

namespace weft::cli {

/// A tag with its attributes' names alone.
inline std::string without_values(const std::string& tag) {
  std::string names;
  char quote = 0;
  for (const char c : tag) {
    if (quote == 0 && c != '\'' && c != '"') names += c;
    else quote = quote == 0 ? c : c == quote ? 0 : quote;
  }
  return names;
}

/// Empty, or what is wrong with the page. Text may say anything: only what is markup is looked at.
inline std::string fault_of_page(const std::string& page) {
  static const std::set<std::string> known = {"html", "head", "meta",     "title", "style",  "body",       "h1",
                                              "h2",   "h3",   "p",        "div",   "table",  "tr",         "th",
                                              "td",   "pre",  "code",     "span",  "figure", "figcaption", "svg",
                                              "line", "text", "polyline", "path",  "circle", "details",    "summary"};
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return "a tag is not closed";
    const std::string tag = page.substr(at + 1, end - at - 1);
    const bool closes = tag[0] == '/';
    const std::string name = tag.substr(closes, tag.find_first_of(" \n/", 1) - closes);
    if (name == "!DOCTYPE") continue;
    if (!known.contains(name)) return "there is a <" + tag + ">";
    for (const char* no : {" src", " href", " on", " style"})
      if (train::contains(without_values(tag), no)) return "a tag has" + std::string(no) + ": <" + tag + ">";
    if (name == "meta" || tag.back() == '/') continue;
    if (!closes) open.push_back(name);
    else if (open.empty() || open.back() != name) return "<" + tag + "> closes nothing";
    else open.pop_back();
  }
  if (!open.empty()) return "`" + open.back() + "` is not closed";
  const std::string style = page.substr(page.find("<style>"), page.find("</style>") - page.find("<style>"));
  for (const char* no : {"url(", "@import"})
    if (train::contains(style, no)) return std::string("the style has ") + no;
  if (!train::contains(page.substr(0, 600), "default-src 'none'; style-src 'unsafe-inline'"))
    return "no policy forbids scripts";
  return page.size() < 1'000'000 ? "" : "the page is too large";
}

}  // namespace weft::cli
