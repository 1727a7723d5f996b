// Checkpoints: every parameter and state of a module, by name, to and from safetensors files.
#pragma once

#include <vitral/io/safetensors.hpp>
#include <vitral/nn/module.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <deque>
#include <span>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

// What is done at each member, of one type for all modules (nn/module.hpp).
auto member_adder(auto& state) {
  return [&state](const std::string& name, const auto& member) { state.add(name, member.value); };
}
auto member_loader(const auto& file) {
  return [&file](const std::string& name, auto& member) { load_tensor(file, name, member.value); };
}

}  // namespace detail

/// Named tensors, copied to host memory and ready to be written. load_module reads them back.
///
///   StateDict state;
///   state.add_module(encoder, "encoder");
///   state.write("encoder.safetensors", {{"note", "ten epochs"}});
///
///   load_module(SafetensorsFile("encoder.safetensors"), encoder, "encoder");
class StateDict {
 public:
  template <class T, class S, class B>
  void add(const std::string& name, const Tensor<T, S, B>& value) {
    const auto values = value.to_vector();
    auto& bytes = storage_.emplace_back(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    for (const T x : values)
      if (not_finite_.empty() && !std::isfinite(static_cast<double>(x))) not_finite_ = name;
    std::vector<long> shape;
    for (int i = 0; i < S::rank; ++i) shape.push_back(value.extent(i));
    tensors_.push_back({name, {scalar_type_of<T>(), std::move(shape), bytes}});
  }
  /// Adds every parameter and state below the module; names begin with the prefix and a dot where there is one.
  template <class M>
  void add_module(const M& module, const std::string& prefix = "") {
    for_each_tensor(module, detail::member_adder(*this), prefix);
  }
  /// Writes the file. Throws Error where a number is not finite or the file cannot be written; an older file of this
  /// name then stays as it was.
  void write(const std::filesystem::path& path, const Metadata& metadata) const {
    check(
        not_finite_.empty(), path.native(), ": tensor ", not_finite_,
        " holds a number that is not finite: the training has diverged. Nothing was written, and an older file of this "
        "name is as it was; go on from that, or begin again, with a lower learning rate (the optimiser's lr), a "
        "longer warm-up or clipped gradients (Schedule::clip_grad)");
    write_safetensors(path, tensors_, metadata);
  }

 private:
  std::deque<std::vector<std::byte>> storage_;
  std::vector<NamedTensor> tensors_;
  std::string not_finite_;  // the first tensor with such a number
};

/// Throws Error unless the file has a tensor of this name in the shape that `whose` ("the network") needs.
inline void check_shape(const SafetensorsFile& file, const std::string& name, std::span<const long> shape,
                        const std::string& whose) {
  const auto text = [](std::span<const long> extents) {
    std::string list;
    for (const long extent : extents) list += (list.empty() ? "" : ", ") + std::to_string(extent);
    return legible("[" + list + "]");
  };
  const std::vector<long>& found = file.tensor(name).shape;
  check(std::equal(found.begin(), found.end(), shape.begin(), shape.end()), file.path(), ": tensor ", name,
        " has shape ", text(found), ", but ", whose, " needs ", text(shape),
        "; the file was written by another architecture");
}

/// Fills a tensor from the file's tensor of this name. Numbers of other floating types are converted. Throws Error
/// unless the shapes are the same and all numbers are finite.
template <class T, class S, class B>
void load_tensor(const SafetensorsFile& file, const std::string& name, const Tensor<T, S, B>& to) {
  std::vector<long> shape;
  for (int i = 0; i < S::rank; ++i) shape.push_back(to.extent(i));
  check_shape(file, name, shape, "the network");
  const auto values = file.values<compute_t<T>>(name);
  if constexpr (std::floating_point<compute_t<T>>)
    for (std::size_t i = 0; i < values.size(); ++i)
      check(std::isfinite(values[i]), file.path(), ": number ", i, " of tensor ", name, " is ", values[i],
            ": the training that wrote the file has diverged; use a checkpoint from before");
  const std::vector<T> converted(values.begin(), values.end());
  B::copy_from_host(converted.data(), to.data(), to.size());
  to.buffer().count_change();
}

/// Fills every parameter and state below the module from the file's tensors of the same names, as load_tensor does.
/// Where one of them does not fit, none is changed.
template <class M>
void load_module(const SafetensorsFile& file, M& module, const std::string& prefix = "") {
  M trial = clone_module(module);
  for_each_tensor(trial, detail::member_loader(file), prefix);
  for_each_tensor(module, detail::member_loader(file), prefix);
}

}}  // namespace vitral
