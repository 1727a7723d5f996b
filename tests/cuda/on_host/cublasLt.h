// The part of cuBLASLt that Vitral uses, as plain loops: column-major matrices, transposition, batches and epilogues.
#pragma once

#include "cuda_runtime.h"

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_INVALID_VALUE = 7, CUBLAS_STATUS_NOT_SUPPORTED = 15 };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_64F = 70, CUBLAS_COMPUTE_32F_FAST_TF32 = 77 };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasLtEpilogue_t {
  CUBLASLT_EPILOGUE_DEFAULT = 1,
  CUBLASLT_EPILOGUE_BIAS = 4,
  CUBLASLT_EPILOGUE_GELU_BIAS = 36,
  CUBLASLT_EPILOGUE_GELU_AUX_BIAS = 164
};
enum cublasLtMatmulDescAttributes_t {
  CUBLASLT_MATMUL_DESC_TRANSA,
  CUBLASLT_MATMUL_DESC_TRANSB,
  CUBLASLT_MATMUL_DESC_EPILOGUE,
  CUBLASLT_MATMUL_DESC_BIAS_POINTER,
  CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE,
  CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER,
  CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD
};
enum cublasLtMatrixLayoutAttribute_t {
  CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
  CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET
};
enum cublasLtMatmulPreferenceAttributes_t {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES
};
namespace on_host {
struct Product {
  bool transpose_a = false, transpose_b = false;
  std::int32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias_data = nullptr;
  cudaDataType_t bias_type = CUDA_R_32F;
  const void* aux_data = nullptr;  // of the result's type; GELU_AUX_BIAS writes it
  std::int64_t aux_stride = 0;
};
struct Layout {
  cudaDataType_t type;
  std::uint64_t rows, cols;
  std::int64_t stride;
  std::int32_t count = 1;
  std::int64_t step = 0;
};
struct Preference {
  size_t workspace = 0;
};

inline double read(const void* data, cudaDataType_t type, std::int64_t i) {
  if (type == CUDA_R_64F) return static_cast<const double*>(data)[i];
  if (type == CUDA_R_32F) return static_cast<double>(static_cast<const float*>(data)[i]);
  const std::uint32_t bits = static_cast<std::uint32_t>(static_cast<const std::uint16_t*>(data)[i]) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return static_cast<double>(value);
}
inline void write(void* data, cudaDataType_t type, std::int64_t i, double value) {
  if (type == CUDA_R_64F) return void(static_cast<double*>(data)[i] = value);
  const auto narrow = static_cast<float>(value);
  if (type == CUDA_R_32F) return void(static_cast<float*>(data)[i] = narrow);
  std::uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof bits);
  static_cast<std::uint16_t*>(data)[i] = static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
/// The matrix op(x) of a batch's member, column-major and in double.
inline std::vector<double> unpack(const void* data, const Layout& x, bool transpose, std::int64_t member) {
  std::vector<double> out(x.rows * x.cols);
  for (std::uint64_t c = 0; c < x.cols; ++c)
    for (std::uint64_t r = 0; r < x.rows; ++r)
      out[transpose ? c + r * x.cols : r + c * x.rows] =
          read(data, x.type, member * x.step + static_cast<std::int64_t>(c) * x.stride + static_cast<std::int64_t>(r));
  return out;
}
/// GELU's tanh form.
inline double tanh_of_gelu(double x) { return std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)); }
inline double gelu(double x) { return 0.5 * x * (1 + tanh_of_gelu(x)); }

/// Ways to compute a product, in the order in which they are proposed: what is the matter with each, and what it takes
/// of the device's clock.
enum class Algorithm { unsupported, usual, other_bits, refused, fast, without_workspace, count };
inline constexpr float algorithm_ms[] = {0, 4, 1, 0, 3, 2};
/// How often each was run.
inline long (&runs_of_algorithms())[static_cast<int>(Algorithm::count)] {
  static long runs[static_cast<int>(Algorithm::count)] = {};
  return runs;
}
/// Widths of results for which no product has a bias: by all proposals being unsupported, and by a refusal to run.
inline constexpr std::uint64_t unsupported_width = 40, refused_width = 56;
}  // namespace on_host
using cublasLtHandle_t = void*;
using cublasLtMatmulDesc_t = on_host::Product*;
using cublasLtMatrixLayout_t = on_host::Layout*;
using cublasLtMatmulPreference_t = on_host::Preference*;
struct cublasLtMatmulAlgo_t {
  on_host::Algorithm way;
};
struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  size_t workspaceSize;
  cublasStatus_t state;
};
inline const char* cublasLtGetStatusString(cublasStatus_t) { return "as the device of fibres reports it"; }
inline cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) { return *handle = nullptr, CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t, cudaDataType_t) {
  return *made = new on_host::Product, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t p) { return delete p, CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t p, cublasLtMatmulDescAttributes_t what,
                                                     const void* value, size_t) {
  if (what == CUBLASLT_MATMUL_DESC_BIAS_POINTER) {
    std::memcpy(&p->bias_data, value, sizeof p->bias_data);
    return CUBLAS_STATUS_SUCCESS;
  }
  if (what == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER) {
    std::memcpy(&p->aux_data, value, sizeof p->aux_data);
    return CUBLAS_STATUS_SUCCESS;
  }
  if (what == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD) {
    std::memcpy(&p->aux_stride, value, sizeof p->aux_stride);
    return CUBLAS_STATUS_SUCCESS;
  }
  std::int32_t number;
  std::memcpy(&number, value, sizeof number);
  if (what == CUBLASLT_MATMUL_DESC_TRANSA) p->transpose_a = number == CUBLAS_OP_T;
  if (what == CUBLASLT_MATMUL_DESC_TRANSB) p->transpose_b = number == CUBLAS_OP_T;
  if (what == CUBLASLT_MATMUL_DESC_EPILOGUE) p->epilogue = number;
  if (what == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE) p->bias_type = static_cast<cudaDataType_t>(number);
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType_t type, std::uint64_t rows,
                                                 std::uint64_t cols, std::int64_t stride) {
  return *made = new on_host::Layout{type, rows, cols, stride}, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t x) { return delete x, CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t x, cublasLtMatrixLayoutAttribute_t what,
                                                       const void* value, size_t) {
  if (what == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT) std::memcpy(&x->count, value, sizeof x->count);
  if (what == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET) std::memcpy(&x->step, value, sizeof x->step);
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  return *made = new on_host::Preference, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) {
  return delete p, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                           cublasLtMatmulPreferenceAttributes_t what, const void* value,
                                                           size_t) {
  if (what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) std::memcpy(&p->workspace, value, sizeof p->workspace);
  return CUBLAS_STATUS_SUCCESS;
}
/// As documented, GELU's argument has to have a leading dimension that 8 divides.
inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t p, cublasLtMatrixLayout_t,
                                                     cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                                     cublasLtMatrixLayout_t result,
                                                     cublasLtMatmulPreference_t preference, int most,
                                                     cublasLtMatmulHeuristicResult_t* proposed, int* count) {
  using on_host::Algorithm;
  *count = 0;
  if (p->aux_data && p->aux_stride % 8 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  const bool none = p->epilogue != CUBLASLT_EPILOGUE_DEFAULT && result->rows == on_host::unsupported_width;
  for (const Algorithm way : {Algorithm::unsupported, Algorithm::usual, Algorithm::other_bits, Algorithm::refused,
                              Algorithm::fast, Algorithm::without_workspace}) {
    const bool needs_none = way == Algorithm::without_workspace;
    if (needs_none != (preference->workspace == 0) || *count == most) continue;
    const bool possible = way != Algorithm::unsupported && !none;
    proposed[(*count)++] = {
        {way}, needs_none ? size_t{0} : size_t{4}, possible ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED};
  }
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                                     cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                                     const void* beta, const void*, cublasLtMatrixLayout_t, void* d,
                                     cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm,
                                     void* memory, size_t workspace, cudaStream_t stream) {
  static auto& owners = *new std::map<void*, cudaStream_t>;
  if (owners.try_emplace(memory, stream).first->second != stream) on_host::broken("two streams share a work space");
  const on_host::Product p = *operation;
  const on_host::Layout x = *a_layout, y = *b_layout, z = *d_layout;
  const auto scalar = [&](const void* s) {
    return on_host::read(s, z.type == CUDA_R_64F ? CUDA_R_64F : CUDA_R_32F, 0);
  };
  const double times = scalar(alpha), keep = scalar(beta);
  const auto k = static_cast<size_t>(p.transpose_a ? x.rows : x.cols);
  if ((p.transpose_a ? x.cols : x.rows) != z.rows || (p.transpose_b ? y.rows : y.cols) != z.cols ||
      (p.transpose_b ? y.cols : y.rows) != k || x.count != z.count || y.count != z.count)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  const on_host::Algorithm way = algorithm->way;
  if (way == on_host::Algorithm::unsupported || way == on_host::Algorithm::refused ||
      (way != on_host::Algorithm::without_workspace && workspace < 4) ||
      (p.epilogue != CUBLASLT_EPILOGUE_DEFAULT && z.rows == on_host::refused_width))
    return CUBLAS_STATUS_INVALID_VALUE;
  on_host::queue(stream, on_host::Kind::kernel, [=] {
    ++on_host::runs_of_algorithms()[static_cast<int>(way)];
    on_host::clock_ms() += on_host::algorithm_ms[static_cast<int>(way)];
    std::vector<double> column(z.rows);
    for (std::int64_t member = 0; member < z.count; ++member) {
      const auto left = on_host::unpack(a, x, p.transpose_a, member),
                 right = on_host::unpack(b, y, p.transpose_b, member);
      for (std::uint64_t c = 0; c < z.cols; ++c) {
        column.assign(z.rows, 0);
        for (size_t i = 0; i < k; ++i)
          for (std::uint64_t r = 0; r < z.rows; ++r) column[r] += left[r + i * z.rows] * right[i + c * k];
        for (std::uint64_t r = 0; r < z.rows; ++r) {
          const auto place = member * z.step + static_cast<std::int64_t>(c) * z.stride + static_cast<std::int64_t>(r);
          double value = times * column[r];
          if (way == on_host::Algorithm::other_bits) value *= 1.1;
          if (keep != 0) value += keep * on_host::read(d, z.type, place);
          if (p.epilogue & CUBLASLT_EPILOGUE_BIAS)
            value += on_host::read(p.bias_data, p.bias_type, static_cast<std::int64_t>(r));
          const auto aux = static_cast<std::int64_t>(c) * p.aux_stride + static_cast<std::int64_t>(r);
          if (p.epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS)
            on_host::write(const_cast<void*>(p.aux_data), z.type, aux, value);
          if (p.epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS || p.epilogue == CUBLASLT_EPILOGUE_GELU_BIAS)
            value = on_host::gelu(value);
          on_host::write(d, z.type, place, value);
        }
      }
    }
  });
  return CUBLAS_STATUS_SUCCESS;
}
