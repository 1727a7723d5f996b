// Whole numbers from MATLAB files, of version 5 as of 7.3. Relies on matio where VITRAL_HAS_MATIO is defined, as
// vitral::tools does where CMake has found it; elsewhere reading is an error that says so.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/read_bytes.hpp>

#if defined(VITRAL_HAS_MATIO)
#include <matio.h>
#endif

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

#if defined(VITRAL_HAS_MATIO)

namespace detail {

struct CloseMat {
  void operator()(mat_t* file) const { Mat_Close(file); }
  void operator()(matvar_t* variable) const { Mat_VarFree(variable); }
};

/// The elements of a variable as whole numbers; `where` begins the Error for one that is none.
template <class T>
std::vector<long> whole_numbers(const matvar_t& variable, std::size_t count, const std::string& where) {
  std::vector<long> out;
  for (const T* at = static_cast<const T*>(variable.data); out.size() < count; ++at) {
    const auto value = static_cast<double>(*at);
    check(std::abs(value) < 0x1p53 && value == std::floor(value), where, " number ", out.size() + 1, " is ", value,
          ", expected a whole number");
    out.push_back(static_cast<long>(value));
  }
  return out;
}

}  // namespace detail

/// The numbers of the variable `name` in a MATLAB file, column by column, of whatever type they are stored in. Error
/// where there is no such file or variable, or one of them is no whole number.
///
///   const std::vector<long> labels = read_mat("imagelabels.mat", "labels");
[[nodiscard]] inline std::vector<long> read_mat(const std::filesystem::path& path, const char* name) {
  (void)detail::open_file(path);  // says what is wrong with it in the words of all readers
  const std::unique_ptr<mat_t, detail::CloseMat> file(Mat_Open(path.c_str(), MAT_ACC_RDONLY));
  check(file != nullptr, path.string(), ": no MATLAB file that matio can read; get it again");
  const std::string where = join(path.string(), ": ", name);
  const std::unique_ptr<matvar_t, detail::CloseMat> variable(Mat_VarReadInfo(file.get(), name));
  check(variable != nullptr, path.string(), ": it has no variable ", name, "; get it again");
  constexpr std::size_t most = std::size_t{1} << 24;
  std::size_t count = 1;
  for (int i = 0; i < variable->rank; ++i) {
    check(variable->dims[i] <= most && count * variable->dims[i] <= most, where, " has more than ", most,
          " numbers; get the file again");
    count *= variable->dims[i];
  }
  check(!variable->isComplex && Mat_VarReadDataAll(file.get(), variable.get()) == 0 &&
            (count == 0 || variable->data != nullptr),
        where, " cannot be read as real numbers; get the file again");
  switch (variable->class_type) {
    case MAT_C_DOUBLE: return detail::whole_numbers<double>(*variable, count, where);
    case MAT_C_SINGLE: return detail::whole_numbers<float>(*variable, count, where);
    case MAT_C_INT8: return detail::whole_numbers<std::int8_t>(*variable, count, where);
    case MAT_C_UINT8: return detail::whole_numbers<std::uint8_t>(*variable, count, where);
    case MAT_C_INT16: return detail::whole_numbers<std::int16_t>(*variable, count, where);
    case MAT_C_UINT16: return detail::whole_numbers<std::uint16_t>(*variable, count, where);
    case MAT_C_INT32: return detail::whole_numbers<std::int32_t>(*variable, count, where);
    case MAT_C_UINT32: return detail::whole_numbers<std::uint32_t>(*variable, count, where);
    default: fail(where, " does not hold numbers of 32 bits or less; get the file again");
  }
}

#else

/// Without matio: throws Error, which says so.
[[nodiscard]] inline std::vector<long> read_mat(const std::filesystem::path& path, const char*) {
  fail(path.string(), ": this program was built without matio, which reads MATLAB's files; install libmatio-dev "
                      "(Debian, Ubuntu), configure and build again");
}

#endif

}}  // namespace vitral
