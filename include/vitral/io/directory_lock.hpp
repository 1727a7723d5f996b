// A lock on a directory that one process at a time holds, so that two do not write the same files.
// Relies on POSIX and flock: the lock ends with its process, however that ends.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/legible.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

namespace vitral { inline namespace VITRAL_ABI {

/// A lock that one process at a time holds on a directory.
class DirectoryLock {
 public:
  /// Locks `folder` by a file `.lock` in it, which stays. Error if another process holds the lock.
  explicit DirectoryLock(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / ".lock";
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    check(file_ >= 0, folder.native(), ": cannot make the file .lock in it (", std::strerror(errno),
          "); choose a directory that may be written");
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0) {
      sign();
      return;
    }
    if (errno != EWOULDBLOCK) {
      problem_ = std::strerror(errno);
      return;
    }
    const std::string owner = legible(signature());
    ::close(file_);
    fail(folder.native(), ": ", owner.empty() ? "another process" : owner,
         " works in this directory; wait until it has ended, or choose another one");
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock() { ::close(file_); }

  /// Why the file system gave no lock; empty where it did.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  /// Says in the file who holds the lock.
  void sign() const {
    char host[256] = "";
    ::gethostname(host, sizeof host - 1);
    const std::string text = join("process ", ::getpid(), " on ", std::string_view(host));
    if (::ftruncate(file_, 0) != 0 || ::pwrite(file_, text.data(), text.size(), 0) < 0) return;  // it is for people
  }
  [[nodiscard]] std::string signature() const {
    char text[512];
    const ssize_t size = ::pread(file_, text, sizeof text, 0);
    return {text, size > 0 ? static_cast<std::size_t>(size) : 0};
  }

  int file_ = -1;
  std::string problem_;
};

}}  // namespace vitral
