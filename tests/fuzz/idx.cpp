// IDX files, plain or gzip-compressed: the file's first half as images, the second as labels.
#include "input.hpp"

#include <vitral/data/idx.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto whole = fuzz_file("whole", data, size);
  for (const int dimensions : {1, 3}) may_fail([&] { (void)vitral::detail::read_idx(whole, dimensions); });
  const auto images = fuzz_file("images", data, size / 2), labels = fuzz_file("labels", data + size / 2, size - size / 2);
  may_fail([&] {
    const vitral::Idx idx(images, labels, {"a", "b"}, "fuzz");
    for (long i = 0; i < idx.size(); ++i) (void)idx.image(i);
  });
  return 0;
}
