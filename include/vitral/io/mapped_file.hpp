// A file as read-only memory, read from the disk as it is used: for data sets larger than the machine's memory.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// Holds the mapping; moving it keeps the address. The file must not shrink meanwhile.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    check(file >= 0, path.string(), ": cannot open: ", std::strerror(errno));
    struct stat status {};
    const bool regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    void* memory = nullptr;
    if (regular && status.st_size > 0)
      memory = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
    const int reason = errno;
    ::close(file);
    check(regular, path.string(), ": is no regular file");
    check(memory != MAP_FAILED, path.string(), ": cannot map into memory: ", std::strerror(reason));
    data_ = static_cast<const std::uint8_t*>(memory);
    size_ = static_cast<std::size_t>(status.st_size);
  }
  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile() {
    if (data_) ::munmap(const_cast<std::uint8_t*>(data_), size_);
  }

  [[nodiscard]] const std::uint8_t* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}}  // namespace vitral
