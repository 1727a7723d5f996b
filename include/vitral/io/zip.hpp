// Files of a zip archive, of whose entries only those are read that lie in it as they are, without compression. Relies
// on libzip where VITRAL_HAS_LIBZIP is defined, as vitral::tools does where CMake has found it; elsewhere an error.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/legible.hpp>
#include <vitral/io/read_bytes.hpp>

#if defined(VITRAL_HAS_LIBZIP)
#include <zip.h>
#endif

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// An entry, of which no byte has been read yet.
struct ZipEntry {
  std::string name;
  std::uint64_t size;  // bytes, which are no more than the archive has
  bool plain;          // neither compressed nor encrypted
};

#if defined(VITRAL_HAS_LIBZIP)

namespace detail {

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace detail

/// An archive and its directory. Throws Error, with the archive's name, if it is damaged, if a name stands twice, is
/// absolute, or leads elsewhere by "..".
class ZipArchive {
 public:
  explicit ZipArchive(const std::filesystem::path& path) : path_(path.string()) {
    (void)detail::open_file(path);  // says what is wrong with it in the words of all readers
    const std::uintmax_t length = std::filesystem::file_size(path);
    int reason = 0;
    archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &reason));
    if (archive_ == nullptr) {
      zip_error_t error;
      zip_error_init_with_code(&error, reason);
      const std::string text = zip_error_strerror(&error);
      zip_error_fini(&error);
      fail(path_, ": no zip archive that can be read (", text, "). Copy or write the file again.");
    }
    const auto count = static_cast<std::uint64_t>(zip_get_num_entries(archive_.get(), 0));
    for (std::uint64_t i = 0; i < count; ++i) {
      zip_stat_t status;
      const bool known = zip_stat_index(archive_.get(), i, ZIP_FL_ENC_RAW, &status) == 0 &&
                         (status.valid & ZIP_STAT_NAME) != 0 && (status.valid & ZIP_STAT_SIZE) != 0;
      check(known, path_, ": its entry ", i, " has no name or size. Copy or write the file again.");
      const std::string name = status.name;
      check(is_inside(name), path_, ": its entry \"", legible(name), "\" leads out of the archive");
      check(index_.emplace(name, i).second, path_, ": its entry \"", legible(name), "\" stands there twice");
      const bool plain = status.comp_method == ZIP_CM_STORE && status.encryption_method == ZIP_EM_NONE;
      check(!plain || (status.size == status.comp_size && status.size <= length), path_, ": its entry \"",
            legible(name), "\" should have ", status.size, " bytes, and the file has ", length);
      entries_.push_back({name, status.size, plain});
    }
  }

  /// In the archive's order.
  [[nodiscard]] const std::vector<ZipEntry>& entries() const { return entries_; }

  /// The place in entries(); -1 if there is none of this name.
  [[nodiscard]] long find(const std::string& name) const {
    const auto found = index_.find(name);
    return found != index_.end() ? static_cast<long>(found->second) : -1;
  }

  /// An entry that can be read; Error if it is compressed or encrypted.
  [[nodiscard]] const ZipEntry& entry(std::size_t i) const {
    const ZipEntry& entry = entries_.at(i);
    check(entry.plain, path_, ": its entry \"", legible(entry.name),
          "\" is compressed or encrypted, as torch.save writes none; in Python: torch.save(torch.load(path), path)");
    return entry;
  }

  /// All bytes of an entry that can be read, into memory of its size. Throws Error if their checksum does not hold.
  void read(std::size_t i, std::span<std::byte> to) const {
    const ZipEntry& entry = this->entry(i);
    const std::unique_ptr<zip_file_t, detail::CloseZip> file(zip_fopen_index(archive_.get(), i, 0));
    std::size_t got = 0;
    zip_int64_t more = file != nullptr ? 1 : -1;
    while (more > 0 && got < to.size()) {
      more = zip_fread(file.get(), to.data() + got, to.size() - got);
      got += more > 0 ? static_cast<std::size_t>(more) : 0;
    }
    std::byte end;
    check(got == entry.size && got == to.size() && zip_fread(file.get(), &end, 1) == 0, path_, ": its entry \"",
          legible(entry.name), "\" is damaged: ", got, " of ", entry.size,
          " bytes could be read, or their checksum is another. Copy or write the file again.");
  }

 private:
  static bool is_inside(const std::string& name) {
    if (name.empty() || name.front() == '/' || name.find('\\') != std::string::npos) return false;
    const std::string framed = "/" + name + "/";
    return framed.find("/../") == std::string::npos && framed.find("/./") == std::string::npos;
  }

  std::string path_;
  std::unique_ptr<zip_t, detail::CloseZip> archive_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, std::uint64_t> index_;
};

#else

/// Without libzip: throws Error, which says so.
class ZipArchive {
 public:
  explicit ZipArchive(const std::filesystem::path& path) {
    fail(path.string(), ": this program was built without libzip, which reads the files of torch.save; install "
                        "libzip-dev (Debian, Ubuntu), configure and build again");
  }
  [[nodiscard]] const std::vector<ZipEntry>& entries() const { return entries_; }
  [[nodiscard]] long find(const std::string&) const { return -1; }
  [[nodiscard]] const ZipEntry& entry(std::size_t i) const { return entries_.at(i); }
  void read(std::size_t, std::span<std::byte>) const {}

 private:
  std::vector<ZipEntry> entries_;
};

#endif

}}  // namespace vitral
