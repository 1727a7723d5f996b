// Tar archives in WebDataset's layout, and the pictures in them.
#include "input.hpp"

#include <vitral/data/tar.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto path = fuzz_file("archive.tar", data, size);
  may_fail([&] {
    const vitral::TarImages images(path);
    for (long i = 0; i < images.size(); ++i) may_fail([&] { (void)images.image(i); });
  });
  return 0;
}
