#include "../message_of.hpp"
#include "../temporary.hpp"

#include <vitral/io/safetensors.hpp>
#include <vitral/io/torch_file.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fs = std::filesystem;
using namespace vitral;
using namespace std::string_literals;
using testing::has, testing::message_of;

namespace {

const fs::path files = fs::path(VITRAL_TESTS_DIR) / "fixtures" / "torch";

template <class T>
std::vector<double> widened(const TensorFile& file, const std::string& name) {
  const auto values = file.values<T>(name);
  return {values.begin(), values.end()};
}

/// Numbers of any type in double.
std::vector<double> numbers(const TensorFile& file, const std::string& name) {
  const TensorEntry& entry = file.tensor(name);
  switch (entry.type) {
    case ScalarType::i64: return widened<std::int64_t>(file, name);
    case ScalarType::i32: return widened<std::int32_t>(file, name);
    case ScalarType::i16: return widened<std::int16_t>(file, name);
    case ScalarType::i8: return widened<std::int8_t>(file, name);
    case ScalarType::u8: return widened<std::uint8_t>(file, name);
    case ScalarType::boolean: {
      std::vector<double> out;
      for (const std::byte b : entry.bytes) out.push_back(std::to_integer<int>(b));
      return out;
    }
    default: return widened<double>(file, name);
  }
}

/// The tensors are those that the fixture has under `prefix`, in shape and value.
void check_tensors(const TorchTensors& found, const std::string& prefix) {
  const SafetensorsFile expected(files / "expected.safetensors");
  std::size_t count = 0;
  for (const std::string& name : expected.names()) {
    if (!name.starts_with(prefix)) continue;
    CAPTURE(name);
    const std::string own = name.substr(prefix.size());
    CHECK(found.names().at(count++) == own);
    CHECK(found.tensor(own).shape == expected.tensor(name).shape);
    const std::vector<double> is = numbers(found, own), should = expected.values<double>(name);
    REQUIRE(is.size() == should.size());
    for (std::size_t i = 0; i < is.size(); ++i)
      CHECK((is[i] == should[i] || (std::isnan(is[i]) && std::isnan(should[i]))));
  }
  CHECK(count > 0);
  CHECK(found.names().size() == count);
}

const PickleValue& at(const PickleValue& value, std::string_view key) {
  const PickleValue* found = value.find(key);
  REQUIRE(found != nullptr);
  return *found;
}
template <class T>
const T& held(const PickleValue& value) {
  REQUIRE(value.as<T>() != nullptr);
  return *value.as<T>();
}

/// What the fixtures' script has put into its checkpoint of Lightning.
void check_lightning(const TorchFile& file) {
  const PickleValue& root = file.root();
  CHECK(held<long>(at(root, "epoch")) == 3);
  CHECK(held<long>(at(root, "global_step")) == -70000);
  CHECK(held<std::string_view>(at(root, "pytorch-lightning_version")) == "1.4.9");
  check_tensors(TorchTensors(file, at(root, "state_dict")), "lightning/");
  const auto& callbacks = held<PickleDictionary>(at(root, "callbacks"));
  CHECK(held<std::string_view>(callbacks.items.at(0).first) ==
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint");
  CHECK(held<std::string_view>(at(callbacks.items.at(0).second, "best_model_path")) == "epöch=3.ckpt");
  CHECK(at(callbacks.items.at(0).second, "mode").as<std::monostate>() != nullptr);
  const PickleValue& adam = held<PickleList>(at(root, "optimizer_states")).items.at(0);
  const auto& moments = held<PickleDictionary>(at(adam, "state"));
  CHECK(held<long>(moments.items.at(3).first) == 3);
  CHECK(TorchTensors(file, moments.items.at(0).second).tensor("exp_avg").shape == std::vector<long>{3, 2});
  const PickleValue& schedule = held<PickleList>(at(root, "lr_schedulers")).items.at(0);
  CHECK(held<PickleDictionary>(at(schedule, "milestones")).items.size() == 2);
  CHECK(held<std::string_view>(at(at(root, "hyper_parameters"), "arch")) == "vit_small");
  CHECK(held<long>(at(at(root, "hyper_parameters"), "patch")) == 16);
  CHECK(held<double>(at(at(root, "args"), "lr")) == 1.5e-4);
  const auto& betas = held<PickleList>(at(at(root, "args"), "betas"));
  CHECK(betas.is_tuple);
  CHECK(held<double>(betas.items.at(1)) == 0.95);
  CHECK(!held<PickleList>(at(at(root, "args"), "local_crops")).is_tuple);
  CHECK(held<double>(at(root, "metric")) == 0.75);
  const auto& numpy = held<PickleList>(at(root, "numpy")).items;
  CHECK(held<double>(numpy.at(0)) == -1.5);
  CHECK(held<long>(numpy.at(1)) == -5);
  CHECK(held<long>(numpy.at(2)) == 200);
  CHECK(held<bool>(numpy.at(3)));
  CHECK(held<double>(numpy.at(4)) == 0.5);
  CHECK(held<long>(at(at(root, "counts"), "a")) == 1);
  CHECK(held<std::string_view>(held<PickleList>(at(root, "names")).items.at(0)) == "one");
  CHECK(held<long>(held<PickleList>(at(root, "size")).items.at(1)) == 3);
  CHECK(held<std::string_view>(at(root, "device")) == "cuda");
  CHECK(held<std::string_view>(at(root, "type")) == "torch.float32");
  CHECK(held<double>(at(root, "seed")) == 0x1p64);
  CHECK(held<long>(at(root, "big")) == 1L << 40);
  CHECK(held<bool>(at(root, "amp")));
  CHECK(root.find("none") == nullptr);
  CHECK(at(root, "epoch").find("none") == nullptr);
}

/// A pickle's text of up to 255 bytes.
std::string text(const std::string& value) { return "\x8c"s + static_cast<char>(value.size()) + value; }
template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A file of the older format: {"w": a tensor of these opcodes for offset, shape and strides}, whose storage of float32
/// should have `count` elements and has those of `data`.
struct Older {
  std::string tensor = "K\x00K\x02\x85K\x01\x85"s, little = "\x88", keys = "](" + text("0") + "e";
  std::int32_t count = 2;
  std::string data = raw(std::int64_t{2}) + raw(1.0f) + raw(2.0f);

  [[nodiscard]] std::string bytes() const {
    const auto pickle = [](const std::string& opcodes) { return "\x80\x02" + opcodes + "."; };
    return pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"s) + pickle("M\xe9\x03") +
           pickle("}" + text("little_endian") + little + "s") +
           pickle("}" + text("w") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
                  "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "J" + raw(count) + "NtQ" + tensor + "\x89NtRs") +
           pickle(keys) + data;
  }
};

/// The message with which reading a file and its tensors fails, or "".
std::string failure(const fs::path& path) {
  return message_of([&] {
    const TorchFile file = read_torch(path);
    const TorchTensors tensors(file, file.root());
  });
}
std::string failure(const fs::path& path, const std::string& bytes) {
  testing::write_bytes(path, {bytes.begin(), bytes.end()});
  return failure(path);
}

}  // namespace

TEST_CASE("files of the older format give the same tensors and values") {
  const TorchFile views = read_torch(files / "older_views.pth");
  check_tensors(TorchTensors(views, at(views.root(), "model")), "views/");
  const TorchFile older = read_torch(files / "older.ckpt");
  check_lightning(older);
}

TEST_CASE("tensors outlive their file, which may be moved before") {
  TorchFile file = read_torch(files / "older_views.pth");
  const TorchFile moved = std::move(file);
  auto tensors = [&] { return TorchTensors(moved, at(moved.root(), "model")); }();
  const TorchTensors kept = std::move(tensors);
  check_tensors(kept, "views/");
  CHECK(kept.path() == (files / "older_views.pth").string());
  CHECK(kept.metadata().empty());
  CHECK(has(message_of([&] { (void)kept.tensor("wole"); }), "the nearest names are whole"));
}

TEST_CASE("what is no dictionary has no named tensors") {
  const TorchFile file = read_torch(files / "older.ckpt");
  CHECK(has(message_of([&] { TorchTensors(file, at(file.root(), "epoch")); }),
            (files / "older.ckpt").string() + ": what should hold the tensors by name is no dictionary"));
}

TEST_CASE("a file of the older format that is damaged is refused with the storage and the byte") {
  const testing::TemporaryFolder folder;
  const fs::path path = folder.path / "net.pth";
  const Older good;
  CHECK(failure(path, good.bytes()).empty());
  CHECK(failure(path, good.bytes() + "anything").empty());  // torch.load reads no further either
  for (std::size_t length = 0; length < good.bytes().size(); ++length) {
    CAPTURE(length);
    CHECK(has(failure(path, good.bytes().substr(0, length)), path.string()));
  }
  CHECK(has(failure(path, Older{.little = "\x89"}.bytes()), "bytes have another order"));
  CHECK(has(failure(path, Older{.count = 3}.bytes()), "storage \"0\" should have 3 elements from byte "));
  CHECK(
      has(failure(path, Older{.count = 1 << 30, .data = raw(std::int64_t{1 << 30})}.bytes()), "cut short or damaged"));
  CHECK(has(failure(path, Older{.data = raw(std::int64_t{-2})}.bytes()), "cut short or damaged"));
  CHECK(has(failure(path, Older{.keys = "]"}.bytes()), "has no storage \"0\""));
  CHECK(
      has(failure(path, Older{.keys = "](" + text("0") + text("0") + "e"}.bytes()), "that no tensor names, or twice"));
  CHECK(has(failure(path, Older{.keys = "](" + text("1") + "e"}.bytes()), "that no tensor names, or twice"));
  CHECK(has(failure(path, Older{.keys = "N"}.bytes()), "expected the list of its storages' keys"));
  CHECK(has(failure(path, Older{.tensor = "K\x01K\x02\x85K\x01\x85"}.bytes()), "reaches beyond its storage \"0\""));
}

TEST_CASE("a tensor that repeats elements costs the memory of a small file, not what its shape says") {
  const testing::TemporaryFolder folder;
  const fs::path path = folder.path / "net.pth";
  CHECK(failure(path, Older{.tensor = "K\x00J\x00\x00\x04\x00\x85K\x00\x85"s}.bytes()).empty());  // 2^18 times
  CHECK(has(failure(path, Older{.tensor = "K\x00J\x00\x00\x00\x40\x85K\x00\x85"s}.bytes()),
            "tensor w of 4294967296 bytes repeats elements of its storage"));
}

TEST_CASE("a path that is no file of PyTorch is an error that says so") {
  const testing::TemporaryFolder folder;
  CHECK(has(failure(folder.path / "none.pth"), "cannot open"));
  CHECK(has(failure(folder.path), "is a directory"));
  for (const std::string& bytes : {""s, "{"s, "\x80\x02N."s, std::string(100, '\0')})
    CHECK(has(failure(folder.path / "net.pth", bytes), "net.pth is no file of PyTorch"));
}

#if defined(VITRAL_HAS_LIBZIP)

TEST_CASE("archives of torch.save give their tensors and values") {
  const TorchFile kinds = read_torch(files / "kinds.pth");
  const TorchTensors tensors(kinds, at(kinds.root(), "model"));
  check_tensors(tensors, "kinds/");
  CHECK(tensors.tensor("bfloat16").type == ScalarType::bf16);
  CHECK(tensors.tensor("bool").type == ScalarType::boolean);
  const TorchFile views = read_torch(files / "views.pth");
  check_tensors(TorchTensors(views, at(views.root(), "model")), "views/");
  check_lightning(read_torch(files / "lightning.ckpt"));
  const TorchFile newer = read_torch(files / "protocol4.ckpt");
  check_lightning(newer);
  CHECK(held<PickleBytes>(at(newer.root(), "raw")).bytes == "\x00\xff"s);
}

TEST_CASE("tensors that share a storage share their bytes") {
  const TorchFile file = read_torch(files / "views.pth");
  const TorchTensors tensors(file, at(file.root(), "model"));
  CHECK(tensors.tensor("middle").bytes.data() == tensors.tensor("whole").bytes.data() + (60 + 20) * 4);
  CHECK(tensors.tensor("transposed").bytes.data() != tensors.tensor("whole").bytes.data());
}

TEST_CASE("every archive that is to be refused is, with its reason") {
  const std::map<std::string, std::string> reasons{
      {"absolute.pth", "its entry \"/etc/passwd\" leads out of the archive"},
      {"big_endian.pth", "bytes have another order"},
      {"complex.pth", "it names torch.ComplexFloatStorage, which is not read"},
      {"compressed.pth", "its entry \"archive/data.pkl\" is compressed"},
      {"compressed_storage.pth", "its entry \"archive/data/0\" is compressed"},
      {"cut.pth", "no zip archive that can be read"},
      {"flipped.pth", "its entry \"archive/data/0\" is damaged"},
      {"long_storage.pth", "storage \"0\" has 257 bytes, but data.pkl says 256"},
      {"module.pth", "it names torch.nn.modules.container.Sequential"},
      {"no_pickle.pth", "a zip archive without a data.pkl"},
      {"no_storage.pth", "has no storage \"0\", which its data.pkl names"},
      {"numpy.pth", "it names numpy.core.multiarray._reconstruct"},
      {"outside.pth", "its entry \"archive/../../etc/passwd\" leads out of the archive"},
      {"overlap.pth", "its storages overlap: they have 8192 bytes"},
      {"quantised.pth", "it names torch._utils._rebuild_qtensor"},
      {"script.pt", "is a TorchScript archive, which holds code"},
      {"short_storage.pth", "storage \"0\" has 255 bytes, but data.pkl says 256"},
      {"size.pth", "its entry \"archive/data/0\" should have 2147483648 bytes"},
      {"system.pth", "it names posix.system, which is not read"},
      {"twice.pth", "its entry \"archive/data/0\" stands there twice"},
      {"two_pickles.pth", "holds two files data.pkl"},
  };
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(files / "hostile")) {
    CAPTURE(entry.path());
    const std::string message = failure(entry.path());
    CAPTURE(message);
    CHECK(has(message, "vitral: " + entry.path().string()));
    CHECK(has(message, reasons.at(entry.path().filename().string())));
    ++count;
  }
  CHECK(count == reasons.size());
}

TEST_CASE("an archive that is cut short anywhere is refused") {
  const testing::TemporaryFolder folder;
  const std::string whole = testing::bytes_of(files / "kinds.pth");
  for (std::size_t length = 0; length < whole.size(); length += 97) {
    CAPTURE(length);
    CHECK(has(failure(folder.path / "net.pth", whole.substr(0, length)), (folder.path / "net.pth").string()));
  }
}

#else

TEST_CASE("without libzip, an archive says what is missing") {
  CHECK(has(failure(files / "kinds.pth"), "kinds.pth: this program was built without libzip"));
}

#endif
