// Writes a whole file so that a crash or a full disk leaves either the old file or the new one, never half of one.
// Relies on POSIX: a temporary file in the same directory, fsync, rename; and flock, which tells whose writer lives.
#pragma once

#include <vitral/core/error.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// A temporary file beside `path` that becomes `path` at commit() and is removed if that is never reached. One that a
/// killed process has left behind is removed by the next process that writes `path`.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
    remove_abandoned();
    temporary_ += join(suffix, ::getpid(), "-", ++count_);
    struct stat status {};
    do {  // again, if another process took the file for an abandoned one before it was locked
      if (file_ >= 0) ::close(file_);
      file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
      if (file_ < 0) fail_with_errno("cannot create a file beside it");
    } while (::flock(file_, LOCK_EX) == 0 && ::fstat(file_, &status) == 0 && status.st_nlink == 0);
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (file_ >= 0) ::close(file_);
    if (!committed_) ::unlink(temporary_.c_str());
  }

  /// Where the bytes lie until commit(), for programs that write the file themselves.
  [[nodiscard]] const std::filesystem::path& temporary() const { return temporary_; }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_with_errno("cannot write it");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  /// Puts the new content on the disk and under its name, in this order.
  void commit() {
    if (::fsync(file_) != 0) fail_with_errno("cannot write it to the disk");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with_errno("cannot give it its name");
    committed_ = true;
    ::close(std::exchange(file_, -1));  // and with it the lock: earlier, another process could remove the file
    // The name itself reaches the disk with its directory; a file system that cannot do that loses nothing written.
    if (const int directory = ::open(parent().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); directory >= 0) {
      ::fsync(directory);
      ::close(directory);
    }
  }

 private:
  static constexpr const char* suffix = ".partial-";

  [[nodiscard]] std::filesystem::path parent() const { return path_.has_parent_path() ? path_.parent_path() : "."; }

  /// Removes temporary files whose lock is free: a living process holds that of its own.
  void remove_abandoned() const {
    const std::string begin = path_.filename().native() + suffix;
    std::error_code error;
    std::filesystem::directory_iterator entry(parent(), error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      const std::string name = entry->path().filename().native();
      if (!name.starts_with(begin) || name.find_first_not_of("-0123456789", begin.size()) != std::string::npos)
        continue;
      const int file = ::open(entry->path().c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
      if (file < 0) continue;
      if (::flock(file, LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
      ::close(file);
    }
  }

  [[noreturn]] void fail_with_errno(const char* what) const {
    const int error = errno;
    fail(path_.native(), ": ", what, " (", std::strerror(error),
         "); an older file of this name is untouched. Check the directory, its permissions and the free disk space.");
  }

  static inline std::atomic<long> count_ = 0;  // of this process's files

  std::filesystem::path path_, temporary_;
  int file_ = -1;
  bool committed_ = false;
};

/// Replaces the content of `path` by the concatenated `parts`, or throws Error and leaves it as it was.
inline void write_file_atomically(const std::filesystem::path& path,
                                  const std::vector<std::span<const std::byte>>& parts) {
  AtomicFile file(path);
  for (const auto part : parts) file.write(part);
  file.commit();
}

}}  // namespace vitral
