// What a data set is, as a concept, and a handle that holds any of them, so that a program can choose one at run time.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/io/image.hpp>

#include <concepts>
#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The part of a data set to read. Few data sets have an unlabeled one.
enum class Split { train, test, unlabeled };

/// "train", "test" or "unlabeled".
[[nodiscard]] constexpr const char* name_of(Split split) {
  return split == Split::train ? "train" : split == Split::test ? "test" : "unlabeled";
}

/// For data sets without an unlabeled split: Error, which names the data set, where it is asked for.
inline void refuse_unlabeled(Split split, const std::string& name) {
  check(split != Split::unlabeled, name, ": has no unlabeled split; use train or test");
}

/// What a data set offers: images with numbers from 0 to size() - 1, and the label of each, an index into classes().
/// Without labels there are no classes, and each label is -1. A loader calls `image` and `label` from several threads
/// at once. A member file(i) tells the file of image i, where images have files of their own.
///
///   struct Grays {
///     long size() const { return 256; }
///     Image image(long i) const { return {8, 8, std::vector<std::uint8_t>(192, static_cast<std::uint8_t>(i))}; }
///     int label(long i) const { return i < 128 ? 0 : 1; }
///     std::vector<std::string> classes() const { return {"dark", "light"}; }
///     std::string name() const { return "grays"; }
///   };
template <class D>
concept ImageSource = requires(const D& data, long i) {
  { data.size() } -> std::convertible_to<long>;
  { data.image(i) } -> std::same_as<Image>;
  { data.label(i) } -> std::convertible_to<int>;
  { data.classes() } -> std::convertible_to<std::vector<std::string>>;
  { data.name() } -> std::convertible_to<std::string>;
};

/// Any data set behind one type. Copies share the data.
class Dataset {
 public:
  template <class D>
    requires(!std::same_as<std::remove_cvref_t<D>, Dataset> && ImageSource<std::remove_cvref_t<D>>)
  Dataset(D&& data)  // NOLINT: every data set is a Dataset
      : self_(std::make_shared<const Model<std::remove_cvref_t<D>>>(std::forward<D>(data))) {}

  [[nodiscard]] long size() const { return self_->size(); }

  /// Image i. Error unless 0 <= i < size(), here and below, and where the image cannot be read.
  [[nodiscard]] Image image(long i) const {
    check_index(i);
    return self_->image(i);
  }

  /// The class of image i: an index into classes(), or -1 where there are none.
  [[nodiscard]] int label(long i) const {
    check_index(i);
    return self_->label(i);
  }

  /// The file of image i; empty where images have no files of their own.
  [[nodiscard]] std::filesystem::path file(long i) const {
    check_index(i);
    return self_->file(i);
  }

  [[nodiscard]] std::vector<std::string> classes() const { return self_->classes(); }
  [[nodiscard]] std::string name() const { return self_->name(); }

 private:
  struct Interface {
    Interface() = default;
    Interface(const Interface&) = delete;
    Interface& operator=(const Interface&) = delete;
    virtual ~Interface() = default;
    virtual long size() const = 0;
    virtual Image image(long i) const = 0;
    virtual int label(long i) const = 0;
    virtual std::filesystem::path file(long i) const = 0;
    virtual std::vector<std::string> classes() const = 0;
    virtual std::string name() const = 0;
  };

  template <class D>
  struct Model final : Interface {
    explicit Model(D from) : data(std::move(from)) {}
    long size() const override { return data.size(); }
    Image image(long i) const override { return data.image(i); }
    int label(long i) const override { return data.label(i); }
    std::filesystem::path file(long i) const override {
      if constexpr (requires { data.file(i); })
        return data.file(i);
      else
        return {};
    }
    std::vector<std::string> classes() const override { return data.classes(); }
    std::string name() const override { return data.name(); }
    D data;
  };

  void check_index(long i) const {
    check(i >= 0 && i < size(), name(), ": there is no image ", i, ", expected 0 to ", size() - 1);
  }

  std::shared_ptr<const Interface> self_;
};

namespace detail {

struct Selection {
  Dataset data;
  std::vector<long> places;
  long size() const { return static_cast<long>(places.size()); }
  Image image(long i) const { return data.image(places[static_cast<std::size_t>(i)]); }
  int label(long i) const { return data.label(places[static_cast<std::size_t>(i)]); }
  std::filesystem::path file(long i) const { return data.file(places[static_cast<std::size_t>(i)]); }
  std::vector<std::string> classes() const { return data.classes(); }
  std::string name() const { return data.name(); }
};

}  // namespace detail

/// The data set of the images with the numbers `places`, in this order; a number may stand in it twice.
[[nodiscard]] inline Dataset select_images(const Dataset& data, std::vector<long> places) {
  return detail::Selection{data, std::move(places)};
}

}}  // namespace vitral
