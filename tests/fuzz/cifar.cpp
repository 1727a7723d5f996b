// CIFAR-10 and CIFAR-100 records.
#include "input.hpp"

#include <vitral/data/cifar.hpp>

namespace {

template <class Data>
void read(const char* name, const std::uint8_t* data, std::size_t size) {
  fuzz_file(name, data, size);
  may_fail([&] {
    const Data images(fuzz_folder(), vitral::Split::test);
    for (long i = 0; i < images.size(); ++i) (void)images.image(i), (void)images.label(i);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read<vitral::Cifar10>("test_batch.bin", data, size);
  read<vitral::Cifar100>("test.bin", data, size);
  return 0;
}
