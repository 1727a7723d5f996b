// Arena: memory for a tape's nodes, which all end together.
#pragma once

#include <vitral/core/config.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Bump allocation in blocks that are kept for the next step.
class Arena {
 public:
  static constexpr std::size_t block_size = 1 << 16;

  void* allocate(std::size_t size, std::size_t align) {
    std::size_t begin = (used_ + align - 1) / align * align;
    if (begin + size > block_size) {
      ++block_;
      begin = 0;
    }
    if (block_ >= blocks_.size()) blocks_.emplace_back(new std::byte[block_size]);
    used_ = begin + size;
    return blocks_[block_].get() + begin;
  }
  void rewind() { block_ = used_ = 0; }

 private:
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::size_t block_ = 0, used_ = 0;
};

}}  // namespace vitral
