#include <vitral/core/escape.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace vitral;
using namespace std::string_literals;

TEST_CASE("text becomes one line of UTF-8 without control characters") {
  const char* const plain = "caf\xc3\xa9 \xe7\x8c\xab \xf0\x9f\x90\x88 a_b";
  CHECK(escape_text(plain) == plain);
  CHECK(escape_text("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  CHECK(escape_text("\x1b[31m\x7f\0!"s) == "\\x1b[31m\\x7f\\x00!");
  CHECK(escape_text("a\nb\x1b", "\n") == "a\nb\\x1b");
}

TEST_CASE("bytes that are no UTF-8 are shown each by its number") {
  CHECK(escape_text("caf\xe9") == "caf\\xe9");
  CHECK(escape_text("\xe9ta") == "\\xe9ta");
  CHECK(escape_text("\x80\xff") == "\\x80\\xff");
  CHECK(escape_text("\xc0\xaf") == "\\xc0\\xaf");                    // a slash, written too long
  CHECK(escape_text("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");           // and longer
  CHECK(escape_text("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // half of a pair
  CHECK(escape_text("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  CHECK(escape_text("\xc2\x9b") == "\\xc2\\x9b");                    // a control character of terminals
  CHECK(escape_text("\xc2\xa0\xef\xbf\xbf\xf4\x8f\xbf\xbf") == "\xc2\xa0\xef\xbf\xbf\xf4\x8f\xbf\xbf");
  CHECK(escape_text("\xe7\x8c") == "\\xe7\\x8c");  // cut short
}

TEST_CASE("a CSV cell is quoted where it must be and is never a formula") {
  CHECK(escape_csv("") == "");
  CHECK(escape_csv("a b") == "a b");
  CHECK(escape_csv("a,\"b\"") == "\"a,\"\"b\"\"\"");
  CHECK(escape_csv("a\nb") == "a\\nb");
  CHECK(escape_csv("=HYPERLINK(\"x\",1)") == "\"'=HYPERLINK(\"\"x\"\",1)\"");
  CHECK(escape_csv("@sum") == "'@sum");
  CHECK(escape_csv("+1+cmd") == "'+1+cmd");
  CHECK(escape_csv("-a") == "'-a");
  CHECK(escape_csv("-") == "'-");
  for (const char* number : {"-1.25", "+10.00", "-1e-5", "-nan", "-inf"}) CHECK(escape_csv(number) == number);
}

TEST_CASE("Markdown shows text as it is") {
  CHECK(escape_markdown("vit_tiny 1.5e-4 (a)") == "vit_tiny 1.5e-4 (a)");
  CHECK(escape_markdown("a|b\nc") == "a\\|b\\\\nc");
  CHECK(escape_markdown("_a_ *b* `c` [d](e) <f> &amp; \\") ==
        "\\_a\\_ \\*b\\* \\`c\\` \\[d\\](e) \\<f\\> \\&amp; \\\\");
}

TEST_CASE("HTML shows text as it is") {
  CHECK(escape_html("<a href=\"x\">'&\x1b") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\\x1b");
  CHECK(escape_html("a\nb") == "a\nb");
}

TEST_CASE("a gnuplot string and a shell's word are one string, whatever they hold") {
  CHECK(escape_gnuplot("it's\na \"b\"\\") == "'it''s\\na \"b\"\\'");
  CHECK(escape_shell("it's $HOME\n`a`") == "'it'\\''s $HOME\n`a`'");
}
