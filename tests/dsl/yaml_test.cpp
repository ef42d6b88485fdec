#include <chrono>

#include "tests/dsl/front.h"

using namespace weft::dsl;

namespace {

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string yaml_codes(const std::string& text) {
  Diagnostics diagnostics;
  read_yaml(text_source(text), diagnostics);
  return codes_of(diagnostics);
}

std::string yaml_place(const std::string& text) {
  Diagnostics diagnostics;
  read_yaml(text_source(text), diagnostics);
  return first_place(diagnostics);
}

}  // namespace

TEST_CASE("the tree keeps kinds, styles, order and places") {
  Diagnostics diagnostics;
  const SourcePtr source = text_source("b: 1\na: [x, 'y z']\nc: |\n  line\nd:\n");
  const Yaml tree = read_yaml(source, diagnostics);
  CHECK(diagnostics.empty());
  REQUIRE(tree.is_map());
  CHECK(tree.entries[0].key.text == "b");
  const Yaml* list = tree.find("a");
  REQUIRE(list->is_list());
  CHECK(list->flow);
  CHECK(list->items[1].quoted);
  CHECK(list->items[1].text == "y z");
  CHECK(place(list->items[1].span).column == 8);
  CHECK(tree.find("c")->style == Yaml::Style::block);
  CHECK(tree.find("d")->is_null());
  CHECK(place(tree.find("d")->span).line == 5);  // at the key, not at the next token
}

TEST_CASE("deep nesting is refused where it passes the limit") {
  CHECK(yaml_codes(repeated("[", 100000)) == "E0102");
  CHECK(yaml_place(repeated("[", 100000)) == "1:65");
  CHECK(yaml_codes(repeated("[", 1000) + repeated("]", 1000)) == "E0102");
  CHECK(yaml_codes(repeated("{", 100000)) == "E0102");
  CHECK(yaml_codes(repeated("{a: ", 60000)) == "E0102");
  CHECK(yaml_codes(repeated("- ", 100000)) == "E0102");
  CHECK(yaml_codes(repeated("? ", 100000)).find("E01") == 0);
  CHECK(yaml_codes(repeated(": ", 100000)).find("E01") == 0);
  CHECK(yaml_codes(repeated("[", 64) + repeated("]", 64)).empty());
}

TEST_CASE("sharing and cycles of YAML are refused") {
  for (const char* text : {"a: &x 1", "&a [*a]", "&a {k: *a}", "&a {*a : 1}", "a: *nope", "a: !x 1",
                           "a: !!python/object/apply:os.system [x]", "Q: &x", "Q: !x", "a: ! x", "a: !!str x"}) {
    CAPTURE(text);
    CHECK(yaml_codes(text).find("E0105") != std::string::npos);
  }
  CHECK(yaml_codes("a: 1\n<<: {b: 2}\n") == "E0105");
  CHECK(yaml_codes("a: &a [1]\nb: &b [*a,*a]\nc: &c [*b,*b]\n").find("E0105") == 0);
}

TEST_CASE("duplicate keys are refused with both places") {
  Diagnostics diagnostics;
  read_yaml(text_source("m:\n  dim: 1\n  dim: 2\n"), diagnostics);
  CHECK(codes_of(diagnostics) == "E0107");
  CHECK(first_place(diagnostics) == "3:3");
  CHECK(diagnostics.render(false).find("(test.yaml:2:3)") != std::string::npos);
}

TEST_CASE("only one document is accepted") {
  for (const char* text :
       {",", "\"foo\",", "- - -\n,", "\"a\" \"b\"", "[a] b", "a: 1\n---\nb: 2\n", "a: 1\n...\njunk\n", "a: 1\n---\n"}) {
    CAPTURE(text);
    CHECK(!yaml_codes(text).empty());
  }
  CHECK(yaml_codes("a: 1\n---\nb: 2\n") == "E0108");
  CHECK(yaml_place("a: 1\n---\nb: 2\n") == "2:1");
  CHECK(yaml_codes("a: 1\n...\n").empty());
  CHECK(yaml_codes("---\na: 1\n").empty());
}

TEST_CASE("empty texts are refused") {
  for (const char* text : {"", "# comment\n", "   \n\n", "%YAML 1.2\n", "~"}) {
    CAPTURE(text);
    CHECK(!yaml_codes(text).empty());
  }
}

TEST_CASE("an unclosed quote is refused where it opens") {
  for (const char* text : {"'", "\"x", "'x", "a: \"x\nb: 1\n", "a: 'x\nb: 1\n", "a: \"x\nb: \"y\"\n", "['"}) {
    CAPTURE(text);
    CHECK(!yaml_codes(text).empty());
  }
  CHECK(yaml_codes("a: \"x\nb: 1\n") == "E0104");
  CHECK(yaml_place("c: 1\na: \"x\nb: 1\n") == "2:4");
  CHECK(yaml_codes("a: \"x\n  y\"\n") == "E0104");  // closes, but not on its line
}

TEST_CASE("broken syntax is located and told in our words") {
  CHECK(yaml_place("a: [1, 2\nb: 3\n") == "1:4");
  for (const char* text : {"{a", "a: \"\\q\"", "a: \"\\U00110000\"", "a: \"\\uD800\"", "a:\n\tb: 1\n", "a: b: c",
                           "a: @x", "a: `x", "a: - x", "a: % x"}) {
    CAPTURE(text);
    Diagnostics diagnostics;
    read_yaml(text_source(text), diagnostics);
    CHECK(diagnostics.has_errors());
    CHECK(diagnostics.render(false).find("bad file") == std::string::npos);
  }
}

TEST_CASE("bytes that are no UTF-8 text are refused at their offset") {
  for (const std::string& text :
       {std::string("a: \xff"), std::string("a: \xc0\xaf"), std::string("a: \xed\xa0\x80"), std::string("a: \xe2\x82"),
        std::string("a: \xf4\x90\x80\x80"), std::string("a: x\xEF\xBB\xBFy"), std::string("a: \0", 4),
        std::string("\xff\xfe"
                    "a\0",
                    4),
        std::string("a: \x1b[31m"), std::string("a: \"\\0\""), std::string("a: \"\\x07\"")}) {
    CHECK(yaml_codes(text) == "E0101");
  }
  CHECK(yaml_place("a: 1\nb: \xff") == "2:4");
  CHECK(yaml_codes("a: 1\rb: 2\r") == "E0101");
}

TEST_CASE("a byte order mark and CRLF are accepted and shift no place") {
  Diagnostics diagnostics;
  const Yaml tree = read_yaml(text_source("\xEF\xBB\xBF"
                                          "a: 1\r\nb: x + y\r\n"),
                              diagnostics);
  CHECK(diagnostics.empty());
  CHECK(place(tree.entries[0].key.span).column == 1);
  CHECK(place(tree.find("a")->span).column == 4);
  CHECK(tree.find("b")->text == "x + y");
  CHECK(place(tree.find("b")->span).line == 2);
}

TEST_CASE("large texts are refused fast and before they are read") {
  const auto start = std::chrono::steady_clock::now();
  CHECK(yaml_codes(repeated("x", 300000)) == "E0102");
  CHECK(yaml_codes("a: " + repeated("x", 70000)) == "E0102");
  CHECK(!yaml_codes("{" + repeated(",", 262000)).empty());
  CHECK(!yaml_codes("[" + repeated("1,", 131000)).empty());
  CHECK(!yaml_codes("\"" + repeated("k", 200000) + "\": 1").empty());
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}

TEST_CASE("no description of the largest size takes long, however many errors it has") {
  std::string keys = "schema: 1\n", params = "schema: 1\nparams:\n";
  for (int i = 0; i < 20000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  for (int i = 0; i < 15000; ++i) params += "  p" + std::to_string(i) + ": qqq\n";
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& text : {keys, params, "schema: 1\ncheck:\n" + repeated("  - a +\n", 30000),
                                  repeated("a: 1\n", 50000), "schema: 1\nmodel: [" + repeated("a$,", 80000) + "]"}) {
    Diagnostics diagnostics;
    front_codes(text, diagnostics);
    CHECK(diagnostics.has_errors());
    CHECK(diagnostics.render(false).size() < 20000);
  }
  // About 3 s without optimisation; quadratic work would take minutes.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
}

TEST_CASE("keys must be names, and commas in braces get an explanation") {
  CHECK(yaml_codes("[a]: 1") == "E0106");
  CHECK(yaml_codes("? {a: 1}\n: 2\n") == "E0106");
  CHECK(yaml_codes("val-fraction: 1") == "E0106");
  CHECK(yaml_codes("params.width: 1").empty());
  Diagnostics diagnostics;
  read_yaml(text_source("{Q: f(a, b)}"), diagnostics);
  CHECK(codes_of(diagnostics) == "E0106");
  CHECK(diagnostics.render(false).find("line of its own") != std::string::npos);
}

TEST_CASE("no text of up to three YAML specials crashes or hangs the front") {
  const std::string specials = "[]{},:-?&*!|>'\"%@`# \na1\t~.";
  std::vector<std::string> texts = {""};
  for (size_t begin = 0, length = 0; length < 3; ++length) {
    const size_t end = texts.size();
    for (; begin < end; ++begin) {
      for (const char c : specials) texts.push_back(texts[begin] + c);
    }
  }
  size_t silent = 0;
  for (const std::string& text : texts) {
    Diagnostics diagnostics;
    const File file = parse_file(text_source(text), diagnostics);
    silent += !diagnostics.has_errors();  // none of them has a `schema`
  }
  CHECK(silent == 0);
  CHECK(texts.size() > 15000);
}

TEST_CASE("a tree written as text reads back as the same tree") {
  const std::string text =
      "a: [x, y * 2]\nb:\n  c: 'it''s'\n  d: |\n    one\n      two\n  e: []\n  f: {}\ng:\n  - h: "
      "\"tab\\t\"\n  - i\n";
  Diagnostics diagnostics;
  const Yaml tree = read_yaml(text_source(text), diagnostics);
  const std::string once = yaml_text(tree);
  const Yaml again = read_yaml(text_source(once), diagnostics);
  CHECK(diagnostics.empty());
  CHECK(yaml_text(again) == once);
  CHECK(again.find("b")->find("d")->text == "one\n  two\n");
  CHECK(again.find("b")->find("c")->text == "it's");
}

TEST_CASE("files that cannot be read are errors of the class file") {
  for (const char* path : {"no/such/file.yaml", "/"}) {
    Diagnostics diagnostics;
    CHECK(read_source(path, diagnostics) == nullptr);
    CHECK(codes_of(diagnostics) == "E0001");
    CHECK(diagnostics.exit_code() == 4);
  }
}
