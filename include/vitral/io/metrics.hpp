// A log of numbers, one JSON object on each line, which a resumed run continues as if it had never stopped.
// Relies on nlohmann::json.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/atomic_file.hpp>
#include <vitral/io/json.hpp>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <system_error>

namespace vitral { inline namespace VITRAL_ABI {

/// A file of JSON lines, one for each step.
class MetricsLog {
 public:
  /// Starts the log `path`. With `resume_step` 0 it starts empty; otherwise the lines of steps before `resume_step`
  /// stay, and those at or after it go, with a last line that was cut short. Error if the file cannot be read or
  /// written.
  explicit MetricsLog(const std::filesystem::path& path, long resume_step = 0) : path_(path.string()) {
    std::error_code ignored;
    if (resume_step > 0 && exists(std::filesystem::symlink_status(path, ignored))) keep_before(path, resume_step);
    file_.reset(std::fopen(path.c_str(), resume_step > 0 ? "ae" : "we"));
    if (!file_) cannot_write();
  }

  /// Lines of steps before `resume_step` that the log holds.
  [[nodiscard]] long kept() const { return kept_; }

  /// Appends {"step": step, ...fields} and flushes it. A number that is not finite is written as null.
  void append(long step, const nlohmann::ordered_json& fields) {
    nlohmann::ordered_json line{{"step", step}};
    if (!fields.is_null()) line.update(fields);
    const std::string text = json_text(line) + '\n';
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0)
      cannot_write();
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void keep_before(const std::filesystem::path& path, long resume_step) {
    std::ifstream old(path);
    check(old.is_open(), path_, ": cannot be read to go on with it; check that it is a file that may be read");
    std::string kept, line;
    while (std::getline(old, line)) {
      // Not parse_json: a line that a crash cut short is no error, and is passed over.
      const auto fields = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
      const bool earlier = fields.is_object() && fields.contains("step") && fields["step"].is_number_unsigned() &&
                           fields["step"].get<std::uint64_t>() < static_cast<std::uint64_t>(resume_step);
      if (!earlier) continue;
      kept += line + '\n';
      ++kept_;
    }
    check(!old.bad(), path_, ": cannot be read to its end; it stays as it is");
    write_file_atomically(path, {std::as_bytes(std::span(kept))});
  }

  [[noreturn]] void cannot_write() const {
    fail(path_, ": cannot write the metrics (", std::strerror(errno),
         "). Check that the directory exists and may be written, and the free disk space.");
  }

  std::string path_;
  long kept_ = 0;
  std::unique_ptr<std::FILE, Close> file_;
};

}}  // namespace vitral
