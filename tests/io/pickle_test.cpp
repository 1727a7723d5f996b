#include "../message_of.hpp"

#include <vitral/io/pickle.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

using namespace vitral;
using namespace std::string_literals;
using testing::has, testing::message_of;

namespace {

/// A pickle of protocol 2: its opcodes, without the first and the last.
std::string pickle(const std::string& opcodes) { return "\x80\x02" + opcodes + "."; }
std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string text(const std::string& value) { return "\x8c"s + static_cast<char>(value.size()) + value; }
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string storage(const std::string& type, const std::string& key, const std::string& count) {
  return "(" + text("storage") + global("torch", type) + text(key) + text("cpu") + count + "tQ";
}
/// A call that makes a tensor; offset, shape and strides are opcodes.
std::string tensor(const std::string& offset, const std::string& shape, const std::string& strides,
                   const std::string& count = "K\x06", const std::string& key = "0") {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage("FloatStorage", key, count) + offset + shape +
         strides + "\x89NtR";
}

/// The message with which reading fails, or "".
std::string failure(const std::string& opcodes) {
  const std::string whole = pickle(opcodes);
  return message_of([&] { (void)unpickle(bytes_of(whole), 0, "net.pth"); });
}

/// What a pickle of one value holds.
template <class T>
T value(const std::string& opcodes) {
  const std::string whole = pickle(opcodes);
  const PickleTree tree = unpickle(bytes_of(whole), 0, "net.pth");
  REQUIRE(tree.root.as<T>() != nullptr);
  return *tree.root.as<T>();
}

const std::string max_long = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"s;

}  // namespace

TEST_CASE("numbers, text and constants are read as Python writes them") {
  CHECK(value<long>("K\xff") == 255);
  CHECK(value<long>("M\x34\x12") == 0x1234);
  CHECK(value<long>("J\xfe\xff\xff\xff") == -2);
  CHECK(value<long>("\x8a\x02\x00\x80"s) == -32768);
  CHECK(value<long>("\x8a\x00"s) == 0);
  CHECK(value<long>(max_long) == std::numeric_limits<long>::max());
  CHECK(value<double>("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01"s) == 0x1p64);
  CHECK(value<double>("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\xff"s) == -0x1p64);
  CHECK(value<double>("G\xbf\xf8\x00\x00\x00\x00\x00\x00"s) == -1.5);
  CHECK(value<bool>("\x88"));
  CHECK(!value<bool>("\x89"));
  CHECK(std::isinf(value<double>("G\x7f\xf0\x00\x00\x00\x00\x00\x00"s)));
  const std::string whole = pickle("X\x03\x00\x00\x00\xc3\xa9!"s);
  CHECK(*unpickle(bytes_of(whole), 0, "").root.as<std::string_view>() == "é!");
  const std::string none = "junk" + pickle("N") + "more";
  const PickleTree tree = unpickle(bytes_of(none), 4, "");
  CHECK(tree.root.as<std::monostate>() != nullptr);
  CHECK(tree.end == none.size() - 4);
}

TEST_CASE("a tensor is a storage, an offset, a shape and strides") {
  const std::string whole = pickle(tensor("K\x01", "K\x02K\x02\x86", "K\x03K\x01\x86"));
  const PickleTree tree = unpickle(bytes_of(whole), 0, "net.pth");
  const auto* x = tree.root.as<StoredTensor>();
  REQUIRE(x != nullptr);
  CHECK(x->shape == std::vector<long>{2, 2});
  CHECK(x->strides == std::vector<long>{3, 1});
  CHECK(x->offset == 1);
  CHECK(x->storage->type == ScalarType::f32);
  CHECK(x->storage->key == "0");
  CHECK(x->storage->count == 6);
}

TEST_CASE("a tensor that reaches beyond its storage is refused, whatever overflows") {
  const std::string two = "K\x02K\x02\x86", outside = "reaches beyond its storage \"0\" of 6 elements";
  CHECK(has(failure(tensor("K\x02", two, "K\x03K\x01\x86")), outside));
  CHECK(has(failure(tensor("K\x06", ")", ")")), outside));
  CHECK(has(failure(tensor(max_long, ")", ")")), outside));
  CHECK(has(failure(tensor("K\x00"s, two, max_long + max_long + "\x86")), outside));
  CHECK(has(failure(tensor("K\x00"s, max_long + max_long + "\x86", "K\x00K\x00\x86"s)), outside));
  CHECK(has(failure(tensor("K\x00"s, max_long + "\x85", "K\x00\x85"s)), outside));  // the bytes overflow
  CHECK(failure(tensor("K\x05", ")", ")")).empty());
  CHECK(failure(tensor(max_long, "K\x00\x85"s, "K\x01\x85")).empty());  // without elements
  const std::string wrong = "none of them negative";
  CHECK(has(failure(tensor("\x8a\x01\xff", two, two)), wrong));
  CHECK(has(failure(tensor("K\x00"s, "\x8a\x01\xff\x85", "K\x01\x85")), wrong));
  CHECK(has(failure(tensor("K\x00"s, "K\x01\x85", "\x8a\x01\xff\x85")), wrong));
  CHECK(has(failure(tensor("K\x00"s, two, "K\x01\x85")), wrong));
  CHECK(has(failure(tensor("K\x00"s, "N", "N")), wrong));
  CHECK(has(failure(tensor("K\x00"s, "(" + std::string(9 * 2, 'K') + "t", ")")), wrong));
}

TEST_CASE("a storage has one type and one size, which fits into memory's numbers") {
  CHECK(
      has(failure("(" + tensor("K\x00"s, ")", ")") + tensor("K\x00"s, ")", ")", "K\x07") + "t"), "two types or sizes"));
  CHECK(has(failure("(" + tensor("K\x00"s, ")", ")") + storage("HalfStorage", "0", "K\x06") + "t"),
            "two types or sizes"));
  const std::string wrong = "a storage needs a type of elements";
  CHECK(has(failure(tensor("K\x00"s, ")", ")", max_long)), wrong));
  CHECK(has(failure(tensor("K\x00"s, ")", ")", "\x8a\x01\xff")), wrong));
  CHECK(has(failure("(" + text("storage") + "NNNNtQ"), wrong));
  CHECK(has(failure("(" + text("module") + "NNNtQ"), "whole module"));
  CHECK(has(failure(storage("FloatStorage", "0", "K\x06")), "a storage or a NumPy type by itself"));
  CHECK(has(failure("(" + text("storage") + global("torch", "FloatStorage") + text("0") + text("cpu") + "K\x01)tQ"),
            "part of another"));
}

TEST_CASE("whatever names a class or function that makes no plain value is refused by that name") {
  const auto refused = [](const std::string& module, const std::string& name) {
    const std::string message = failure(global(module, name) + text("id") + "\x85R");
    return has(message, "vitral: net.pth, byte 2: it names " + module + "." + name + ", which is not read");
  };
  CHECK(refused("os", "system"));
  CHECK(refused("posix", "system"));
  CHECK(refused("builtins", "eval"));
  CHECK(refused("__builtin__", "getattr"));
  CHECK(refused("subprocess", "Popen"));
  CHECK(refused("torch", "load"));
  CHECK(refused("torch._utils", "_rebuild_sparse_tensor"));
  CHECK(refused("collections", "OrderedDict.fromkeys"));
  CHECK(refused("numpy.core.multiarray", "_reconstruct"));
  CHECK(refused("timm.models.vision_transformer", "VisionTransformer"));
  CHECK(has(failure(text("os") + text("system") + "\x93"), "it names os.system"));
  CHECK(has(failure(global("os\x1b[2J", "x")), "it names os\\x1b[2J.x"));
  CHECK(has(failure(global("a", std::string(1000, 'b'))), "..."));
}

TEST_CASE("what may be named is called as PyTorch calls it only") {
  const std::string wrong = "arguments that it does not take";
  CHECK(has(failure(global("builtins", "dict") + ")R"), wrong));
  CHECK(has(failure(global("torch", "FloatStorage") + ")R"), wrong));
  CHECK(has(failure(global("torch", "Size") + "K\x01\x85R"), wrong));
  CHECK(has(failure(global("torch", "device") + ")R"), wrong));
  CHECK(has(failure(global("torch._utils", "_rebuild_parameter") + "N\x85R"), wrong));
  CHECK(has(failure(global("torch._utils", "_rebuild_tensor_v2") + ")R"), "a tensor needs"));
  CHECK(
      has(failure(global("collections", "OrderedDict") + text("x") + "\x85R"), "of something else than a dictionary"));
  CHECK(has(failure(global("pytorch_lightning.callbacks.base", "Callback") + ")R"), "calls what is no function"));
  CHECK(has(failure("N)R"), "calls what is no function"));
  CHECK(has(failure(global("collections", "OrderedDict") + "NR"), "calls what is no function"));
  CHECK(has(failure("]}b"), "gives attributes to"));
  CHECK(has(failure("}\x94h\x00"
                    "b"s),
            "gives attributes to"));
  const std::string f8 = global("numpy", "dtype") + text("f8") + "\x89\x88\x87R";
  CHECK(has(failure(f8 + "K\x03" + text(">") + "\x86" + "b"), "not little-endian"));
  CHECK(has(failure(global("numpy", "dtype") + text("O8") + "\x85R"), "no number's"));
  CHECK(has(failure(global("numpy.core.multiarray", "scalar") + f8 + "C\x01x\x86R"), "as many bytes"));
  CHECK(
      has(failure(global("_codecs", "encode") + text(std::string(17, 'x')) + text("latin1") + "\x86R"), "at most 16"));
}

TEST_CASE("what is called leaves its name where it is a value") {
  CHECK(failure(global("torch", "float32")).empty());
  const std::string whole = pickle(global("torch", "float32"));
  CHECK(*unpickle(bytes_of(whole), 0, "").root.as<std::string_view>() == "torch.float32");
}

TEST_CASE("a pickle that is cut short anywhere is an error that says at which byte") {
  const std::string whole =
      pickle("}(" + text("model") + tensor("K\x00"s, "K\x02\x85", "K\x01\x85") + text("epoch") + "K\x03u");
  CHECK_NOTHROW((void)unpickle(bytes_of(whole), 0, ""));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK_THROWS_WITH_AS((void)unpickle(bytes_of(whole).first(length), 0, "net.pth"),
                         doctest::Contains("net.pth, byte "), Error);
  }
}

TEST_CASE("an opcode that no plain value needs is refused with its place") {
  std::size_t refused = 0;
  for (int opcode = 0; opcode < 256; ++opcode)
    refused += has(failure("N"s + static_cast<char>(opcode)), ", byte 3: opcode " + std::to_string(opcode));
  CHECK(refused > 200);
  for (const char opcode : {'i', 'o', 'I', 'S', 'V', 'P', '\x82', '\x83', '\x84', '\x92', '\x97', '\x98'})
    CHECK(has(failure("N"s + opcode), "is none that torch.save writes"));
  CHECK(has(failure("\x80\x06"), "protocol 6, expected 2 to 5"));
}

TEST_CASE("what the stack or the memory does not hold is not taken from it") {
  for (const char* opcodes : {"t", "e", "u", "a", "s", "R", "b", "Q", "q\x01", "\x85", "\x87", "(a", "(s", "N(R",
                              "]N(Na", "}(\x86", "K\x01K\x02(s"})
    CHECK(has(failure(opcodes), "net.pth, byte "));
  CHECK(has(failure("h\x01"), "value 1, which it has not kept"));
  CHECK(has(failure("j\xff\xff\xff\xff"), "which it has not kept"));
  CHECK(has(failure("NN"), "ends with 2 values"));
  CHECK(has(failure(""), "ends with 0 values"));
  CHECK(has(failure("(N"), "expected one"));
  CHECK(has(failure(")Na"), "appends to what is no list"));
  CHECK(has(failure("](NNNu"), "no dictionary"));
  CHECK(has(failure("}(NNNu"), "no dictionary"));
  CHECK(has(failure("NN\x93"), "by what is no text"));
  CHECK(has(failure("NQ"), "is no storage"));
}

TEST_CASE("lists that hold themselves, deep ones, and ones that name each other without end") {
  CHECK(has(failure("]\x94h\x00"
                    "a"s),
            "contains itself"));
  CHECK(has(failure("}\x94K\x01h\x00s"s), "contains itself"));
  const auto nested = [](int depth) {
    std::string opcodes(static_cast<std::size_t>(depth), ']');
    return opcodes + std::string(static_cast<std::size_t>(depth - 1), 'a');
  };
  CHECK(failure(nested(64)).empty());
  CHECK(has(failure(nested(65)), "nested more than 64 deep"));
  CHECK(has(failure(nested(1'000'000)), "nested more than 64 deep"));
  // Each list holds the one before twice: 2^30 ways to the first, of which none is walked twice.
  std::string doubled = "]\x94";
  for (char i = 0; i < 30; ++i) doubled += "](h"s + i + "h" + i + "e\x94";
  const std::string whole = pickle("(" + doubled + "t");
  CHECK(unpickle(bytes_of(whole), 0, "").lists.size() == 32);
  // Seen first near the root, then again below: the second way counts.
  std::string twice = "](" + nested(40) + "\x94";
  for (int i = 0; i < 30; ++i) twice += ']';
  twice += "h\x00"s + std::string(30, 'a') + "e";
  CHECK(has(failure(twice), "nested more than 64 deep"));
  CHECK(has(failure("]" + std::string((1 << 22) + 1, 'N')), "more than 4194304 opcodes"));
}

TEST_CASE("attributes that are given again and again are no way to more memory") {
  std::string opcodes = "](}(";
  for (int i = 0; i < 250; ++i) opcodes += "K"s + static_cast<char>(i) + "N";
  opcodes += "u\x94";
  for (int i = 0; i < 20'000; ++i)
    opcodes += global("argparse", "Namespace") + ")\x81h\x00"
                                                 "b"s;
  CHECK(has(failure(opcodes + "e"), "opcodes and copies"));
}

TEST_CASE("a key that stands twice is refused") {
  CHECK(has(failure("}(" + text("w") + "N" + text("w") + "Nu"), "the key \"w\" twice"));
  CHECK(has(failure("}(K\x01NK\x01Nu"), "the key 1 twice"));
  CHECK(failure("}(" + text("w") + "NK\x01Nu").empty());
}
