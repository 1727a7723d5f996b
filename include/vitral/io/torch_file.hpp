// Reads the files of PyTorch's torch.save (.pth, .pt, .bin, .ckpt), without running anything in them: zip archives as
// torch.save has written them since 1.6, and the older format, pickles with the storages behind them. As in
// torch/serialization.py; zip.hpp and pickle.hpp check what is in the file.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/mapped_file.hpp>
#include <vitral/io/pickle.hpp>
#include <vitral/io/tensor_file.hpp>
#include <vitral/io/zip.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

static_assert(std::endian::native == std::endian::little, "storages are little-endian");

/// What a file of PyTorch holds: its tree of values, and storages that are read when their tensors are (TorchTensors).
/// The file must not change meanwhile. One thread at a time reads from it.
class TorchFile {
 public:
  TorchFile(TorchFile&&) = default;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Bytes of the file.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// What torch.save was given.
  [[nodiscard]] const PickleValue& root() const { return tree_.root; }

  /// Reads the elements of a storage of this file, `to.size()` bytes.
  void read(const detail::StoredStorage& storage, std::span<std::byte> to) const {
    if (archive_) return archive_->read(static_cast<std::size_t>(storage.place), to);
    if (!to.empty()) std::memcpy(to.data(), mapped_->data() + storage.place, to.size());
  }

 private:
  friend TorchFile read_torch(const std::filesystem::path& path);

  explicit TorchFile(const std::filesystem::path& path) : path_(path.string()) {
    constexpr std::string_view magic("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12);
    const detail::FileHandle file = detail::open_file(path);
    char bytes[32];
    const std::string_view head(bytes, std::fread(bytes, 1, sizeof bytes, file.get()));
    size_ = std::filesystem::file_size(path);
    if (head.starts_with("PK\x03\x04"))
      read_archive(archive_.emplace(path));
    else if (head.starts_with('\x80') && head.find(magic) != std::string_view::npos)
      read_older(mapped_.emplace(path));
    else
      broken(" is no file of PyTorch: it is neither a zip archive nor begins as those before PyTorch 1.6 do");
  }

  template <class... Parts>
  [[noreturn]] void broken(const Parts&... parts) const {
    fail(path_, parts...);
  }
  static std::uint64_t bytes_of(const detail::StoredStorage& storage) {
    return static_cast<std::uint64_t>(storage.count * scalar_type_size(storage.type));
  }

  /// NAME/data.pkl, and a storage in each NAME/data/KEY.
  void read_archive(const ZipArchive& archive) {
    std::string folder;
    for (const ZipEntry& entry : archive.entries()) {
      const std::string name = entry.name.substr(std::min(entry.name.find('/'), entry.name.size()));
      if (name == "/constants.pkl" || name.starts_with("/code/"))
        broken(" is a TorchScript archive, which holds code; in Python: torch.save(torch.jit.load(path).state_dict(), "
               "path)");
      if (name != "/data.pkl") continue;
      if (!folder.empty()) broken(" holds two files data.pkl");
      folder = entry.name.substr(0, entry.name.size() - name.size() + 1);
    }
    if (folder.empty()) broken(" is a zip archive without a data.pkl, so torch.save has not written it");
    std::vector<char> order;
    if (archive.find(folder + "byteorder") >= 0) order = read_entry(archive, folder + "byteorder", 16);
    if (std::string_view(order.data(), order.size()) == "big")
      broken(" was written on a machine whose bytes have another order, which is not read");
    pickle_ = read_entry(archive, folder + "data.pkl", std::uint64_t{1} << 26);
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(pickle_.data());
    tree_ = unpickle({begin, pickle_.size()}, 0, path_ + ": data.pkl");
    std::uint64_t total = 0;
    for (detail::StoredStorage& storage : tree_.storages) {
      const long place = archive.find(join(folder, "data/", storage.key));
      if (place < 0) broken(" has no storage \"", legible(storage.key), "\", which its data.pkl names");
      const ZipEntry& entry = archive.entry(static_cast<std::size_t>(place));
      if (entry.size != bytes_of(storage))
        broken(": storage \"", legible(storage.key), "\" has ", entry.size, " bytes, but data.pkl says ",
               bytes_of(storage));
      storage.place = static_cast<std::uint64_t>(place);
      total += entry.size;
    }
    if (total > size_) broken(": its storages overlap: they have ", total, " bytes, and the file has ", size_);
  }
  std::vector<char> read_entry(const ZipArchive& archive, const std::string& name, std::uint64_t most) const {
    const auto place = static_cast<std::size_t>(archive.find(name));
    const ZipEntry& entry = archive.entry(place);
    if (entry.size > most)
      broken(": its entry \"", legible(name), "\" has ", entry.size, " bytes, expected ", most, " at most");
    std::vector<char> text(static_cast<std::size_t>(entry.size));
    archive.read(place, std::as_writable_bytes(std::span(text)));
    return text;
  }

  /// Five pickles: a number that marks the format, its version, the writer's machine, what was saved, and the keys of
  /// the storages, which follow: each a count of 8 bytes, then the elements.
  void read_older(const MappedFile& file) {
    const std::span bytes(file.data(), file.size());
    std::size_t at = unpickle(bytes, 0, path_).end;
    at = unpickle(bytes, at, path_).end;
    const PickleTree machine = unpickle(bytes, at, path_);
    const PickleValue* little = machine.root.find("little_endian");
    if (const bool* is = little != nullptr ? little->as<bool>() : nullptr; is == nullptr || !*is)
      broken(" was written on a machine whose bytes have another order, which is not read");
    tree_ = unpickle(bytes, machine.end, path_);
    const PickleTree keys = unpickle(bytes, tree_.end, path_);
    const auto* list = keys.root.as<PickleList>();
    if (list == nullptr) broken(", byte ", tree_.end, ": expected the list of its storages' keys");
    std::unordered_map<std::string_view, detail::StoredStorage*> missing;
    for (detail::StoredStorage& storage : tree_.storages) missing.emplace(storage.key, &storage);
    at = keys.end;
    for (const PickleValue& key : list->items) {
      const auto* text = key.as<std::string_view>();
      const auto found = text != nullptr ? missing.find(*text) : missing.end();
      if (found == missing.end())
        broken(", byte ", tree_.end, ": a storage stands there that no tensor names, or twice");
      detail::StoredStorage& storage = *found->second;
      std::int64_t count = -1;
      if (bytes.size() - at >= sizeof count) std::memcpy(&count, bytes.data() + at, sizeof count);
      if (count != storage.count || bytes_of(storage) > bytes.size() - at - sizeof count)
        broken(" is cut short or damaged: storage \"", legible(storage.key), "\" should have ", storage.count,
               " elements from byte ", at, " on, and ", bytes.size() - at,
               " bytes are there. Copy or write the file again.");
      storage.place = at + sizeof count;
      at += sizeof count + static_cast<std::size_t>(bytes_of(storage));
      missing.erase(found);
    }
    if (!missing.empty()) broken(" has no storage \"", legible(missing.begin()->first), "\", which its tensors name");
  }

  std::string path_;
  std::uint64_t size_ = 0;
  std::optional<ZipArchive> archive_;
  std::optional<MappedFile> mapped_;
  std::vector<char> pickle_;
  PickleTree tree_;
};

/// Reads what a file of torch.save holds, but for the tensors' elements, which TorchTensors reads. Throws Error, with
/// the file's name and where there is one the storage or the byte, for a file that is damaged, that names Python's
/// classes or functions other than those of plain values, or is TorchScript. Zip archives need libzip.
///
///   const TorchFile file = read_torch("dino.pth");
///   if (const PickleValue* teacher = file.root().find("teacher")) const TorchTensors tensors(file, *teacher);
[[nodiscard]] inline TorchFile read_torch(const std::filesystem::path& path) { return TorchFile(path); }

namespace detail {

/// Whether the elements follow one another in the order of the indices, the last axis first.
inline bool is_row_major(const StoredTensor& tensor) {
  long step = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != step) return false;
    step *= tensor.shape[i];
  }
  return true;
}

/// Copies the elements of a tensor, which has some, from its storage's bytes into row-major ones.
inline void copy_row_major(const StoredTensor& tensor, const std::byte* storage, std::span<std::byte> to) {
  const auto size = static_cast<std::size_t>(scalar_type_size(tensor.storage->type));
  std::vector<long> index(tensor.shape.size());
  long from = tensor.offset;
  for (std::size_t at = 0; at < to.size(); at += size) {
    std::memcpy(to.data() + at, storage + static_cast<std::size_t>(from) * size, size);
    for (std::size_t axis = index.size(); axis-- > 0;) {
      from += tensor.strides[axis];
      if (++index[axis] < tensor.shape[axis]) break;
      from -= index[axis] * tensor.strides[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace detail

/// The tensors of one dictionary of a file, by their keys, in memory; values of other kinds are passed over. Tensors
/// that share a storage share their bytes; those whose strides are not row-major are copied so that they are. The
/// TorchFile is not needed any more.
class TorchTensors : public TensorFile {
 public:
  /// Throws Error if `dictionary` is none, a storage is damaged, or memory does not suffice. A tensor that repeats
  /// elements, by strides of 0, may not take much more memory than the file has bytes.
  TorchTensors(const TorchFile& file, const PickleValue& dictionary) : TensorFile(file.path()) {
    const auto* items = dictionary.as<PickleDictionary>();
    if (items == nullptr) broken(": what should hold the tensors by name is no dictionary");
    std::vector<Part> parts;
    std::unordered_map<const detail::StoredStorage*, std::size_t> begins;
    std::size_t size = 0, copied = 0;
    for (const auto& [key, value] : items->items) {
      const auto* name = key.as<std::string_view>();
      const auto* tensor = value.as<StoredTensor>();
      if (name == nullptr || tensor == nullptr) continue;
      const long each = scalar_type_size(tensor->storage->type);
      const auto bytes = static_cast<std::size_t>(*element_count(tensor->shape, each) * each);
      names_.emplace_back(*name);
      entries_.emplace(*name, TensorEntry{tensor->storage->type, tensor->shape, {}});
      if (bytes == 0) continue;
      if (begins.emplace(tensor->storage, size).second) size += static_cast<std::size_t>(tensor->storage->count * each);
      parts.push_back({&entries_.at(names_.back()), tensor, bytes});
      if (detail::is_row_major(*tensor)) continue;
      const std::uint64_t most = file.size() + (std::uint64_t{1} << 20);
      if (bytes > most - copied)
        broken(": tensor ", legible(*name), " of ", bytes,
               " bytes repeats elements of its storage, more than the file ",
               "has; in Python: tensor.clone() before torch.save");
      copied += bytes;
    }
    try {
      storage_.resize(size + copied);
    } catch (const std::bad_alloc&) {
      broken(" holds ", size + copied, " bytes of tensors, more than there is memory for");
    }
    const std::span<std::byte> memory(storage_);
    for (const auto& [storage, begin] : begins)
      file.read(*storage,
                memory.subspan(begin, static_cast<std::size_t>(storage->count * scalar_type_size(storage->type))));
    for (const Part& part : parts) {
      const std::size_t begin = begins.at(part.tensor->storage);
      if (detail::is_row_major(*part.tensor)) {
        const auto offset = static_cast<std::size_t>(part.tensor->offset * scalar_type_size(part.entry->type));
        part.entry->bytes = memory.subspan(begin + offset, part.bytes);
      } else {
        detail::copy_row_major(*part.tensor, memory.data() + begin, memory.subspan(size, part.bytes));
        part.entry->bytes = memory.subspan(size, part.bytes);
        size += part.bytes;
      }
    }
  }

 private:
  /// A tensor and its entry, which has no bytes yet.
  struct Part {
    TensorEntry* entry;
    const StoredTensor* tensor;
    std::size_t bytes;
  };
};

}}  // namespace vitral
