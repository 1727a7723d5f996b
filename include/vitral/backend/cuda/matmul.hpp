// Matrix products by cuBLASLt, with bias, GELU or their gradients in the same pass and the choice of an algorithm
// remembered for each shape. cuBLASLt's GELU is the tanh form (Hendrycks and Gimpel 2016), which is within 5e-4 of the
// exact one: less than a value of 1/8 is rounded by in bf16. Only bf16 takes it; for other types our own pass follows.
#pragma once

#include <vitral/backend/cuda/memory.hpp>
#include <vitral/backend/cuda/quads.hpp>
#include <vitral/core/bf16.hpp>
#include <vitral/core/math.hpp>
#include <vitral/tensor/matrix.hpp>

#include <cublasLt.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <type_traits>

namespace vitral::inline VITRAL_ABI::cuda {

/// How float operands are multiplied: as they are, or rounded to TF32 (10 fraction bits) on tensor cores.
enum class FloatProducts { exact, tf32 };

namespace detail {

inline void require(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) [[unlikely]]
    fail("cuBLASLt: ", call, ": ", cublasLtGetStatusString(status));
}

template <class T>
inline constexpr cudaDataType_t type_of = std::is_same_v<T, double>  ? CUDA_R_64F
                                          : std::is_same_v<T, float> ? CUDA_R_32F
                                                                     : CUDA_R_16BF;

/// What all matrices of a batch are aligned to, up to 256 bytes: algorithms with wide loads ask for it.
template <class T>
unsigned alignment_of(const MatrixBatch<T>& batch) {
  auto bits = reinterpret_cast<std::uintptr_t>(batch.first.data) | 256;
  if (batch.count > 1) bits |= static_cast<std::uintptr_t>(batch.stride) * sizeof(T);
  return static_cast<unsigned>(bits & (~bits + 1));
}

template <class T>
bool has_dense_rows(const Matrix<T>& m) {
  return (m.col_stride == 1 || m.cols == 1) && (m.row_stride >= m.cols || m.rows == 1);
}
template <class T>
bool has_dense_cols(const Matrix<T>& m) {
  return (m.row_stride == 1 || m.rows == 1) && (m.col_stride >= m.rows || m.cols == 1);
}

/// What decides a product. cuBLASLt counts columns first, so that C [m, n] by rows is C^T [n, m] to it, and C^T = B^T A^T.
struct ProductKey {
  long m, n, k, batch;
  bool a_transposed, b_transposed;  // whether its columns are dense
  long a_stride, b_stride, c_stride, a_batch, b_batch, c_batch;
  int input, output, compute, epilogue;
  unsigned a_alignment, b_alignment, c_alignment, epilogue_alignment;  // of the addresses, in bytes
  bool accumulate;
  auto operator<=>(const ProductKey&) const = default;
};

/// What an epilogue reads or writes beside the product: a bias or its gradient, GELU's argument laid out as C.
struct Beside {
  const void *bias = nullptr, *argument = nullptr;
  [[nodiscard]] unsigned alignment() const {
    const auto bits = reinterpret_cast<std::uintptr_t>(bias) | reinterpret_cast<std::uintptr_t>(argument) | 256;
    return static_cast<unsigned>(bits & (~bits + 1));
  }
};

template <class Handle, cublasStatus_t (*Destroy)(Handle)>
struct Destroyer {
  using pointer = Handle;
  void operator()(Handle handle) const { Destroy(handle); }
};
using Operation = std::unique_ptr<void, Destroyer<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>>;
using Layout = std::unique_ptr<void, Destroyer<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>>;
using Preference = std::unique_ptr<void, Destroyer<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>>;

/// A product that is ready to run, where there is an algorithm for it.
struct Product {
  Operation operation;
  Layout first, second, result;  // B, A and C
  cublasLtMatmulAlgo_t algorithm;
  bool exists = false;
};

class Products {
 public:
  static Products& instance() {
    static Products& products = *new Products;  // never destroyed: the driver may be gone before it
    return products;
  }

  /// False where cuBLASLt has no algorithm.
  template <class S>
  [[nodiscard]] bool run(ProductKey key, const void* a, const void* b, void* c, const Beside& beside = {}) {
    key.epilogue_alignment = beside.alignment();
    auto found = products_.find(key);
    if (found == products_.end()) found = products_.emplace(key, make(key, beside)).first;
    Product& p = found->second;
    if (!p.exists) return false;
    point(p.operation.get(), beside);
    const S alpha = 1, beta = key.accumulate ? 1 : 0;
    require(cublasLtMatmul(handle_, p.operation.get(), &alpha, b, p.first.get(), a, p.second.get(), &beta, c,
                           p.result.get(), c, p.result.get(), &p.algorithm, workspace(), workspace_bytes, stream()),
            "cublasLtMatmul");
    return true;
  }

 private:
  static constexpr std::size_t workspace_bytes = 32 << 20;

  Products() { require(cublasLtCreate(&handle_), "cublasLtCreate"); }

  /// Each lane has its own.
  void* workspace() {
    void*& workspace = workspaces_[static_cast<std::size_t>(Lanes::current())];
    if (!workspace) workspace = allocate(workspace_bytes);
    return workspace;
  }

  static Layout layout(int type, long rows, long cols, long stride, long batch, long batch_stride) {
    cublasLtMatrixLayout_t made = nullptr;
    require(cublasLtMatrixLayoutCreate(&made, static_cast<cudaDataType_t>(type), static_cast<std::uint64_t>(rows),
                                       static_cast<std::uint64_t>(cols), stride),
            "cublasLtMatrixLayoutCreate");
    Layout owner(made);
    const auto count = static_cast<std::int32_t>(batch);
    const std::int64_t step = batch_stride;
    require(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count), "batch");
    require(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step),
            "batch stride");
    return owner;
  }

  template <class Value>
  static void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t what, const Value& value) {
    require(cublasLtMatmulDescSetAttribute(operation, what, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
  }
  static void point(cublasLtMatmulDesc_t operation, const Beside& beside) {
    if (beside.bias) set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, beside.bias);
    if (beside.argument) set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, beside.argument);
  }

  Product make(const ProductKey& key, const Beside& beside) {
    Product p;
    cublasLtMatmulDesc_t operation = nullptr;
    const auto scale = key.compute == CUBLAS_COMPUTE_64F ? CUDA_R_64F : CUDA_R_32F;
    require(cublasLtMatmulDescCreate(&operation, static_cast<cublasComputeType_t>(key.compute), scale),
            "cublasLtMatmulDescCreate");
    p.operation.reset(operation);
    // The first operand is B: its dense rows are dense columns of B^T, which needs no transposition.
    set(operation, CUBLASLT_MATMUL_DESC_TRANSA, key.b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(operation, CUBLASLT_MATMUL_DESC_TRANSB, key.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (key.epilogue != CUBLASLT_EPILOGUE_DEFAULT)
      set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<cublasLtEpilogue_t>(key.epilogue));
    if (beside.bias) set(operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(key.output));
    if (beside.argument) set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, static_cast<std::int64_t>(key.c_stride));
    point(operation, beside);  // the choice of an algorithm looks at the addresses' alignment
    p.first = key.b_transposed ? layout(key.input, key.k, key.n, key.b_stride, key.batch, key.b_batch)
                               : layout(key.input, key.n, key.k, key.b_stride, key.batch, key.b_batch);
    p.second = key.a_transposed ? layout(key.input, key.m, key.k, key.a_stride, key.batch, key.a_batch)
                                : layout(key.input, key.k, key.m, key.a_stride, key.batch, key.a_batch);
    p.result = layout(key.output, key.n, key.m, key.c_stride, key.batch, key.c_batch);

    cublasLtMatmulPreference_t made = nullptr;
    require(cublasLtMatmulPreferenceCreate(&made), "cublasLtMatmulPreferenceCreate");
    const Preference preference(made);
    require(cublasLtMatmulPreferenceSetAttribute(made, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                                                 sizeof workspace_bytes),
            "workspace");
    const auto aligned = [&](cublasLtMatmulPreferenceAttributes_t what, std::uint32_t bytes) {
      require(cublasLtMatmulPreferenceSetAttribute(made, what, &bytes, sizeof bytes), "alignment");
    };
    aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.b_alignment);
    aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.a_alignment);
    aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.c_alignment);
    aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.c_alignment);
    cublasLtMatmulHeuristicResult_t best{};
    int count = 0;
    const auto status = cublasLtMatmulAlgoGetHeuristic(handle_, operation, p.first.get(), p.second.get(),
                                                       p.result.get(), p.result.get(), made, 1, &best, &count);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) require(status, "cublasLtMatmulAlgoGetHeuristic");
    p.exists = status == CUBLAS_STATUS_SUCCESS && count > 0;
    p.algorithm = best.algo;
    return p;
  }

  cublasLtHandle_t handle_ = nullptr;
  std::array<void*, Lanes::count + 1> workspaces_{};
  std::map<ProductKey, Product> products_;
};

/// a and b have dense rows or columns, c dense rows.
template <FloatProducts products, class T, class C>
ProductKey product_key(const MatrixBatch<const T>& a, const MatrixBatch<const T>& b, const MatrixBatch<C>& c,
                       cublasLtEpilogue_t epilogue, bool accumulate) {
  const auto stride = [](const auto& x) {
    return has_dense_rows(x) ? std::max(x.row_stride, x.cols) : std::max(x.col_stride, x.rows);
  };
  const int compute = std::is_same_v<T, double>  ? CUBLAS_COMPUTE_64F
                      : std::is_same_v<T, float> && products == FloatProducts::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                                    : CUBLAS_COMPUTE_32F;
  return {c.first.rows, c.first.cols, a.first.cols, c.count, !has_dense_rows(a.first), !has_dense_rows(b.first),
          stride(a.first), stride(b.first), stride(c.first), a.stride, b.stride, c.stride, type_of<T>, type_of<C>,
          compute, epilogue, alignment_of(a), alignment_of(b), alignment_of(c), 0, accumulate};
}

/// c = activation(c + bias), keeping c + bias in `pre`; bias and pre may be null. Width neighbours for each thread.
template <Activation activation, int Width, class C>
__global__ void finish_kernel(Matrix<C> c, C* pre, const compute_t<C>* bias) {
  using P = compute_t<C>;
  using Piece = std::conditional_t<Width == 4, Quad<C>, C>;
  const long step = static_cast<long>(gridDim.x) * blockDim.x, pieces = c.cols / Width, size = c.rows * pieces;
  for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += step) {
    const long row = i / pieces, col = (i - row * pieces) * Width, at = row * c.row_stride + col;
    Piece values = *reinterpret_cast<const Piece*>(c.data + at), before;
    C* const value = reinterpret_cast<C*>(&values);
    for (int k = 0; k < Width; ++k) {
      P x = static_cast<P>(value[k]);
      if (bias) x += bias[col + k];
      reinterpret_cast<C*>(&before)[k] = x;
      if constexpr (activation == Activation::relu) x = x > P(0) ? x : P(0);
      if constexpr (activation == Activation::gelu) x = math::gelu(x);
      value[k] = x;
    }
    if (pre) *reinterpret_cast<Piece*>(pre + at) = before;
    *reinterpret_cast<Piece*>(c.data + at) = values;
  }
}
template <Activation activation, class C>
void finish(const Matrix<C>& c, C* pre, const compute_t<C>* bias) {
  const bool quads = c.cols % 4 == 0 && c.row_stride % 4 == 0 && cuda::allows_quads(c.data) &&
                     (!pre || cuda::allows_quads(pre));
  launch("matmul's epilogue", quads ? &finish_kernel<activation, 4, C> : &finish_kernel<activation, 1, C>,
         grid_for(c.rows * c.cols / (quads ? 4 : 1)), block_threads, 0, c, pre, bias);
}
template <class C>
void finish(const Matrix<C>& c, C* pre, const compute_t<C>* bias, Activation activation) {
  if (activation == Activation::gelu) return finish<Activation::gelu>(c, pre, bias);
  if (activation == Activation::relu) return finish<Activation::relu>(c, pre, bias);
  finish<Activation::none>(c, pre, bias);
}

template <class From, class To>
__global__ void pack_kernel(Matrix<const From> from, To* to) {
  const long step = static_cast<long>(gridDim.x) * blockDim.x, size = from.rows * from.cols;
  for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += step)
    to[i] = static_cast<compute_t<To>>(from(i / from.cols, i % from.cols));
}

/// Copies a matrix of any strides to dense rows, as another type where asked for.
template <class To, class From>
void pack_rows(const Matrix<const From>& from, To* to) {
  launch("packing a matrix", &pack_kernel<From, To>, grid_for(from.rows * from.cols), block_threads, 0, from, to);
}

}  // namespace detail

/// For each i: C[i] = A[i] B[i], or C[i] += A[i] B[i], then the epilogue (of a single product). Strides, shapes and
/// errors as in backend/backend.hpp.
template <FloatProducts products, class T, class C>
void batched_matmul(MatrixBatch<const T> a, MatrixBatch<const T> b, MatrixBatch<C> c, bool accumulate,
                    const Epilogue<C>& epilogue = {}) {
  using S = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const long m = c.first.rows, n = c.first.cols, k = a.first.cols;
  check(a.first.rows == m && b.first.cols == n && b.first.rows == k && a.count == c.count && b.count == c.count,
        "matmul: cannot multiply ", a.count, " x [", a.first.rows, ", ", a.first.cols, "] by ", b.count, " x [",
        b.first.rows, ", ", b.first.cols, "] into ", c.count, " x [", m, ", ", n, "]");
  if (m == 0 || n == 0 || c.count == 0) return;
  if (!detail::has_dense_rows(c.first)) {
    check(detail::has_dense_cols(c.first) && epilogue.empty(), "matmul: the output's strides (", c.first.row_stride,
          ", ", c.first.col_stride, ") must be those of dense rows, or of dense columns without an epilogue");
    return batched_matmul<products, T, C>({transposed(b.first), b.count, b.stride},
                                          {transposed(a.first), a.count, a.stride},
                                          {transposed(c.first), c.count, c.stride}, accumulate);
  }
  const auto readable = [](const Matrix<const T>& x) { return detail::has_dense_rows(x) || detail::has_dense_cols(x); };
  if (!readable(a.first) || !readable(b.first)) {
    const Scratch<T> a_copy(readable(a.first) ? 0 : m * k), b_copy(readable(b.first) ? 0 : k * n);
    for (long i = 0; i < c.count; ++i) {
      const auto packed = [&](const Matrix<const T>& x, const Scratch<T>& copy) -> Matrix<const T> {
        if (readable(x)) return x;
        detail::pack_rows(x, copy.data());
        return row_major<const T>(copy.data(), x.rows, x.cols);
      };
      batched_matmul<products, T, C>({packed(a[i], a_copy), 1, 0}, {packed(b[i], b_copy), 1, 0}, {c[i], 1, 0},
                                     accumulate, epilogue);
    }
    return;
  }
  check(c.count == 1 || epilogue.empty(), "matmul: a batch of products takes no epilogue on this device");
  if (k == 0) {
    if (!accumulate)
      for (long i = 0; i < c.count; ++i)
        require(cudaMemset2DAsync(c[i].data, static_cast<std::size_t>(c.first.row_stride) * sizeof(C), 0,
                                  static_cast<std::size_t>(n) * sizeof(C), static_cast<std::size_t>(m), stream()),
                "cudaMemset2DAsync");
    if (!epilogue.empty()) detail::finish(c.first, epilogue.pre, epilogue.bias, epilogue.activation);
    return;
  }
  // cuBLASLt adds a bias of the result's type; the masters of a bf16 layer are floats, and double has no epilogue.
  constexpr bool bias_in_product = !std::is_same_v<T, double>;
  const bool in_product = bias_in_product && epilogue.bias;
  const bool rounds = std::is_same_v<C, bf16> && in_product && !epilogue.rounded_bias;
  const Scratch<C> bias_copy(rounds ? n : 0);
  if (rounds) detail::pack_rows(row_major(epilogue.bias, 1, n), bias_copy.data());
  const void* bias = nullptr;
  if (in_product && std::is_same_v<C, bf16>)
    bias = rounds ? bias_copy.data() : epilogue.rounded_bias;
  else if (in_product)
    bias = epilogue.bias;
  const auto multiply = [&](cublasLtEpilogue_t with, const detail::Beside& beside) {
    return detail::Products::instance().run<S>(detail::product_key<products>(a, b, c, with, accumulate), a.first.data,
                                               b.first.data, c.first.data, beside);
  };
  if (std::is_same_v<C, bf16> && in_product && epilogue.activation == Activation::gelu &&
      multiply(epilogue.pre ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_BIAS, {bias, epilogue.pre}))
    return;
  check(multiply(in_product ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT, {bias}), "cuBLASLt: no algorithm for [",
        m, ", ", k, "] x [", k, ", ", n, "]");
  if (epilogue.pre || epilogue.activation != Activation::none || (epilogue.bias && !in_product))
    detail::finish(c.first, epilogue.pre, in_product ? nullptr : epilogue.bias, epilogue.activation);
}

namespace detail {

/// Whether one product of cuBLASLt makes c = a b; throws Error where the shapes do not fit.
template <class T, class C>
bool is_one_product(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<C>& c) {
  check(a.cols == b.rows && c.rows == a.rows && c.cols == b.cols, "matmul: cannot multiply [", a.rows, ", ", a.cols,
        "] by [", b.rows, ", ", b.cols, "] into [", c.rows, ", ", c.cols, "]");
  const auto readable = [](const auto& x) { return has_dense_rows(x) || has_dense_cols(x); };
  return readable(a) && readable(b) && has_dense_rows(c) && a.rows > 0 && a.cols > 0 && b.cols > 0;
}

}  // namespace detail

/// c = a b, or c += a b, and sums [rows of a] = the sum of each row of a, in the same product: a weight's gradient and its
/// bias'. False, and nothing is done, where cuBLASLt has no algorithm for these operands.
template <FloatProducts products, class T>
[[nodiscard]] bool matmul_and_row_sums(Matrix<const T> a, Matrix<const T> b, Matrix<compute_t<T>> c, bool accumulate,
                                       compute_t<T>* sums) {
  if constexpr (std::is_same_v<T, double>) {
    return false;
  } else {
    if (!detail::is_one_product(a, b, c)) return false;
    // To cuBLASLt, which sees all matrices transposed, a is the second operand.
    const auto key = detail::product_key<products, T, float>({a, 1, 0}, {b, 1, 0}, {c, 1, 0}, CUBLASLT_EPILOGUE_BGRADB,
                                                             accumulate);
    return detail::Products::instance().run<float>(key, a.data, b.data, c.data, {sums});
  }
}

/// c = (a b) * gelu'(pre), pre laid out as c: the gradient of a GELU's argument from that of what was made of the GELU.
/// False, and nothing is done, where cuBLASLt has no algorithm for these operands.
template <FloatProducts products, class T>
[[nodiscard]] bool matmul_and_gelu_gradient(Matrix<const T> a, Matrix<const T> b, Matrix<T> c, const T* pre) {
  if constexpr (!std::is_same_v<T, bf16>) {
    return false;
  } else {
    if (!detail::is_one_product(a, b, c)) return false;
    const auto key = detail::product_key<products, T, T>({a, 1, 0}, {b, 1, 0}, {c, 1, 0}, CUBLASLT_EPILOGUE_DGELU, false);
    return detail::Products::instance().run<float>(key, a.data, b.data, c.data, {nullptr, pre});
  }
}

}  // namespace vitral::inline VITRAL_ABI::cuda
