// What `--device cuda` says in a program that was built without CUDA.
#pragma once

#include <vitral/core/error.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

[[noreturn]] inline void fail_without_cuda() {
  fail("--device cuda: this program was built without CUDA: install the CUDA Toolkit, configure with -DVITRAL_CUDA=ON "
       "and build again, or use --device cpu");
}

}}}  // namespace vitral::programs
