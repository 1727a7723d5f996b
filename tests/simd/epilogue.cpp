// The epilogue of a product, with GELU: its loops are SIMD in float and bf16, whatever is optional in them.
#include <vitral/backend/cpu/matmul.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace cpu { namespace detail {

template void finish_row<Activation::gelu>(const float*, float*, float*, const float*, bool, long);
template void finish_row<Activation::gelu>(const float*, bf16*, bf16*, const float*, bool, long);

}}}}  // namespace vitral::cpu::detail
