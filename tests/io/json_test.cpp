#include "../message_of.hpp"

#include <vitral/io/file_name.hpp>
#include <vitral/io/json.hpp>

#include <doctest/doctest.h>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <string>

using namespace vitral;
using Json = nlohmann::ordered_json;
using testing::has, testing::message_of;

namespace {

std::string failure(const std::string& text) {
  return message_of([&] { (void)parse_json(text, "FILE"); });
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("values come out as they stand in the text, keys in their order") {
  const std::string text = R"({"z":[1,-2,2.5,"x\u00e9",true,false,null],"a":{"b":[],"c":{}},)"
                           R"("n":18446744073709551615,"m":-9223372036854775808})";
  const Json value = parse_json(text, "FILE");
  CHECK(value == Json::parse(text));
  CHECK(value.dump() == Json::parse(text).dump());
  CHECK(parse_json("3", "FILE") == 3);
}

TEST_CASE("what is no JSON is one sentence with the place, and no exception's name") {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\":1", "{\"a\" 1}", "nan", "[1e999]", "\"\xff\"", "{\"a\":1}}", "\"\x01\""}) {
    CAPTURE(text);
    CHECK(has(failure(text), "vitral: FILE is no valid JSON ("));
    CHECK_FALSE(has(failure(text), "exception"));
  }
  CHECK(has(failure("{\n\"a\" 1}"), "line 2"));
  CHECK(failure('"' + std::string(100'000, 'x')).size() < 400);
}

TEST_CASE("nesting has a limit, of lists and of objects, however deep they are") {
  for (const auto& [open, close] : {std::pair<const char*, const char*>{"[", "]"}, {"{\"a\":", "}"}}) {
    CHECK(failure(repeated(open, 64) + "0" + repeated(close, 64)).empty());
    for (const std::size_t depth : {65u, 60'000u, 3'000'000u})
      CHECK(has(failure(repeated(open, depth)), "FILE is JSON nested more than 64 deep"));
  }
}

TEST_CASE("a key that stands twice in an object is refused, not chosen from") {
  CHECK(has(failure(R"({"a":{"lr":1,"lr":2}})"), "holds the key \"lr\" twice in one object"));
  CHECK(failure(R"([{"lr":1},{"lr":2,"a":{"lr":3}}])").empty());
}

TEST_CASE("many keys take no more than their share of time") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
  CHECK(parse_json(text + "}", "FILE").size() == 200'000);  // minutes, if each looked through all before it
}

TEST_CASE("a file's errors name it, whatever it is") {
  const auto path = std::filesystem::temp_directory_path() / ("vitral_json_" + std::to_string(::getpid()));
  std::ofstream(path) << "{\"a\": [1, 2]}";
  CHECK(read_json(path) == Json{{"a", {1, 2}}});
  std::ofstream(path) << "{";
  const auto message = [](const std::filesystem::path& from) {
    try {
      (void)read_json(from, "--config X");
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  CHECK(has(message(path), "--config X is no valid JSON"));
  std::filesystem::resize_file(path, (1ul << 28) + 1);  // a hole, which takes no room on the disk
  CHECK(has(message(path), "--config X is longer than the 268435456 bytes"));
  std::filesystem::remove(path);
  CHECK(has(message(path), "cannot be read (No such file"));
  CHECK(has(message("/tmp"), "it is a directory"));
}

TEST_CASE("what a message shows of a file is one short line") {
  CHECK(legible("a\nb\x1b[2J\x7f\xff") == "a\\nb\\x1b[2J\\x7f\\xff");
  CHECK(legible(std::string(500, 'x')) == std::string(120, 'x') + "...");
  CHECK(legible(Json{1, "two"}) == "[1,\"two\"]");
}

TEST_CASE("names that lead elsewhere are no file names") {
  for (const char* name : {"a", "..a", "a..b", ".hidden", "with space", "\xff", "=1+2"})
    CHECK_NOTHROW(check_file_name(name, "LIST"));
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("../x"), std::string("/x"), std::string("a/b"),
        std::string("a\\b"), std::string("a\0b", 3), std::string(256, 'a')}) {
    CAPTURE(name);
    CHECK_THROWS_AS(check_file_name(name, "LIST"), Error);
  }
}

TEST_CASE("JSON text is UTF-8, whatever bytes its strings hold") {
  const nlohmann::ordered_json value{{"caf\xe9", "a\nb\x1b\xff"}};
  CHECK(json_text(value) == "{\"caf\xef\xbf\xbd\":\"a\\nb\\u001b\xef\xbf\xbd\"}");
  CHECK(nlohmann::json::parse(json_text(value, 2)).size() == 1);
}
