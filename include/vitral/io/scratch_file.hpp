// A temporary file for what memory does not hold: written once, then read as memory. Relies on POSIX.
#pragma once

#include <vitral/core/error.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace vitral { inline namespace VITRAL_ABI {

/// A file of `bytes` bytes in `folder`. It has no name, so that nothing is left of it when it is no longer used or the
/// program ends, however that comes about. Throws Error, which names the folder, where the file cannot be made or the
/// disk has not so much room.
class ScratchFile {
 public:
  ScratchFile(const std::filesystem::path& folder, long bytes) : folder_(folder.native()), bytes_(bytes) {
    std::string name = (folder / ".vitral-XXXXXX").native();
    file_ = ::mkstemp(name.data());
    if (file_ < 0) refuse("cannot make a temporary file there", errno);
    ::unlink(name.c_str());
    int error = ::fallocate(file_, 0, 0, bytes) == 0 ? 0 : errno;
    if (error == EOPNOTSUPP) error = ::ftruncate(file_, bytes) == 0 ? 0 : errno;  // then write() says what is missing
    if (error != 0) {
      ::close(file_);
      refuse(join("has no room for a temporary file of ", bytes, " bytes"), error);
    }
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() { ::close(file_); }

  /// Writes from byte `at` on, inside the file.
  void write(long at, std::span<const std::byte> from) {
    check(at >= 0 && at + std::ssize(from) <= bytes_, folder_, ": ", from.size(), " bytes from byte ", at,
          " on do not fit into a temporary file of ", bytes_);
    while (!from.empty()) {
      const ssize_t written = ::pwrite(file_, from.data(), from.size(), at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) refuse("cannot write the temporary file there", errno);
      at += written;
      from = from.subspan(static_cast<std::size_t>(written));
    }
  }

  /// The file as memory, read from the disk as it is used. It may outlive this object.
  [[nodiscard]] std::shared_ptr<const std::byte> map() const {
    const auto size = static_cast<std::size_t>(bytes_);
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file_, 0);
    if (memory == MAP_FAILED) refuse("cannot map the temporary file there into memory", errno);
    return {static_cast<const std::byte*>(memory),
            [size](const std::byte* mapped) { ::munmap(const_cast<std::byte*>(mapped), size); }};
  }

 private:
  [[noreturn]] void refuse(const std::string& what, int error) const {
    fail(folder_, ": ", what, " (", std::strerror(error), "); name a directory that may be written and has room");
  }

  std::string folder_;
  long bytes_;
  int file_ = -1;
};

}}  // namespace vitral
