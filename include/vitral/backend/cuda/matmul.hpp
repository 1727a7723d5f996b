// Matrix products by cuBLASLt, which adds a bias in the same pass and, for bf16, applies GELU. When a shape is first
// met, algorithms that give the same bits are timed, and the fastest is remembered.
#pragma once

#include <vitral/backend/cuda/gelu.hpp>
#include <vitral/backend/cuda/memory.hpp>
#include <vitral/backend/cuda/quads.hpp>
#include <vitral/core/bf16.hpp>
#include <vitral/core/philox.hpp>
#include <vitral/tensor/matrix.hpp>

#include <cublasLt.h>

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <type_traits>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

/// How float operands are multiplied: as they are, or rounded to TF32 (10 fraction bits) on tensor cores.
enum class FloatProducts { exact, tf32 };

namespace detail {

using cuda::require;
inline void require(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) [[unlikely]]
    fail("cuBLASLt: ", call, ": ", cublasLtGetStatusString(status));
}

template <class T>
inline constexpr cudaDataType_t type_of = std::is_same_v<T, double>  ? CUDA_R_64F
                                          : std::is_same_v<T, float> ? CUDA_R_32F
                                                                     : CUDA_R_16BF;

/// The largest power of two, up to 256, to which addresses and strides are all aligned, given in bytes and or-ed
/// together. Algorithms with wide loads need to know it.
inline unsigned alignment_of(std::uintptr_t bits) {
  bits |= 256;
  return static_cast<unsigned>(bits & (~bits + 1));
}
template <class T>
unsigned alignment_of(const MatrixBatch<T>& batch) {
  const long stride = batch.count > 1 ? batch.stride : 0;
  return alignment_of(reinterpret_cast<std::uintptr_t>(batch.first.data) |
                      static_cast<std::uintptr_t>(stride) * sizeof(T));
}

template <class T>
bool has_dense_rows(const Matrix<T>& m) {
  return (m.col_stride == 1 || m.cols == 1) && (m.row_stride >= m.cols || m.rows == 1);
}
template <class T>
bool has_dense_cols(const Matrix<T>& m) {
  return (m.row_stride == 1 || m.rows == 1) && (m.col_stride >= m.rows || m.cols == 1);
}

/// What decides a product. cuBLASLt stores matrices column by column, so it is asked for C^T = B^T A^T, whose columns
/// are C's rows.
struct ProductKey {
  long m, n, k, batch;
  bool a_transposed, b_transposed;  // whether its columns are dense
  long a_stride, b_stride, c_stride, a_batch, b_batch, c_batch;
  int input, output, compute, epilogue;
  unsigned a_alignment, b_alignment, c_alignment, epilogue_alignment;  // of the addresses, in bytes
  bool accumulate;
  auto operator<=>(const ProductKey&) const = default;
};

/// What an epilogue reads or writes beside the product: a bias, GELU's argument laid out as C.
struct Beside {
  const void *bias = nullptr, *argument = nullptr;
  [[nodiscard]] unsigned alignment() const {
    return alignment_of(reinterpret_cast<std::uintptr_t>(bias) | reinterpret_cast<std::uintptr_t>(argument));
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

/// A way to compute a product.
struct Algorithm {
  cublasLtMatmulAlgo_t algo;
  std::size_t workspace;  // that it needs
};

/// A product that is ready to run, or the reason why there is none.
struct Product {
  Operation operation;
  Layout first, second, result;  // B, A and C
  Algorithm algorithm{};
  cublasStatus_t status = CUBLAS_STATUS_NOT_SUPPORTED;
};

template <class T>
__global__ void noise_kernel(T* to, long count, Random random) {
  const long step = static_cast<long>(gridDim.x) * blockDim.x;
  for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step)
    to[i] = random.uniform_float(static_cast<std::uint64_t>(i)) - 0.5f;
}
template <class Word>
__global__ void compare_kernel(const Word* a, const Word* b, long words, int* differ) {
  const long step = static_cast<long>(gridDim.x) * blockDim.x;
  for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < words; i += step)
    if (a[i] != b[i]) *differ = 1;
}

class Products {
 public:
  /// Algorithms are timed for products of at least this many operations.
  explicit Products(double tried_from) : tried_from_(tried_from) {
    require(cublasLtCreate(&handle_), "cublasLtCreate");
  }

  static Products& instance() {
    static Products& products = *new Products(1e8);  // never destroyed: the driver may be gone before it
    return products;
  }

  /// Queues a product. Where cuBLASLt has no algorithm for it, nothing is done and the reason is returned, each time
  /// that it is asked for.
  [[nodiscard]] cublasStatus_t run(ProductKey key, const void* a, const void* b, void* c, const Beside& beside = {}) {
    key.epilogue_alignment = beside.alignment();
    auto found = products_.find(key);
    if (found == products_.end()) found = products_.emplace(key, make(key, beside)).first;
    Product& p = found->second;
    if (p.status != CUBLAS_STATUS_SUCCESS) return p.status;
    point(p.operation.get(), beside);
    return p.status = multiply(key, p, p.algorithm, a, b, c);
  }

 private:
  static constexpr std::size_t workspace_bytes = 32 << 20;

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

    std::vector<Algorithm> found;
    p.status = look_for(key, p, workspace_bytes, found);
    if (found.empty()) return p;
    p.algorithm = found.front();
    const double operations = 2.0 * static_cast<double>(key.m) * static_cast<double>(key.n) *
                              static_cast<double>(key.k) * static_cast<double>(key.batch);
    if (key.compute == CUBLAS_COMPUTE_64F || operations < tried_from_ || is_capturing()) return p;
    static_cast<void>(look_for(key, p, 0, found));  // without a work space, some have less to do
    try_out(key, p, beside, found);
    return p;
  }

  static bool is_capturing() {
    auto status = cudaStreamCaptureStatusNone;
    require(cudaStreamIsCapturing(stream(), &status), "cudaStreamIsCapturing");
    return status != cudaStreamCaptureStatusNone;
  }

  cublasStatus_t multiply(const ProductKey& key, const Product& p, const Algorithm& with, const void* a, const void* b,
                          void* c) {
    const double wide[] = {1, key.accumulate ? 1.0 : 0.0};
    const float narrow[] = {1, key.accumulate ? 1.0f : 0.0f};
    const bool is_wide = key.compute == CUBLAS_COMPUTE_64F;
    const void *alpha = is_wide ? static_cast<const void*>(wide) : narrow,
               *beta = is_wide ? static_cast<const void*>(wide + 1) : narrow + 1;
    return cublasLtMatmul(handle_, p.operation.get(), alpha, b, p.first.get(), a, p.second.get(), beta, c,
                          p.result.get(), c, p.result.get(), &with.algo, workspace(), with.workspace, stream());
  }

  /// Adds the algorithms that cuBLASLt proposes, the likely best first; without any, why.
  cublasStatus_t look_for(const ProductKey& key, const Product& p, std::size_t workspace,
                          std::vector<Algorithm>& found) {
    constexpr int most = 8;
    cublasLtMatmulPreference_t made = nullptr;
    require(cublasLtMatmulPreferenceCreate(&made), "cublasLtMatmulPreferenceCreate");
    const Preference preference(made);
    require(cublasLtMatmulPreferenceSetAttribute(made, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                                 sizeof workspace),
            "workspace");
    const auto aligned = [&](cublasLtMatmulPreferenceAttributes_t what, std::uint32_t bytes) {
      require(cublasLtMatmulPreferenceSetAttribute(made, what, &bytes, sizeof bytes), "alignment");
    };
    aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.b_alignment);
    aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.a_alignment);
    aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.c_alignment);
    aligned(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.c_alignment);
    cublasLtMatmulHeuristicResult_t proposed[most]{};
    int count = 0;
    const auto status = cublasLtMatmulAlgoGetHeuristic(handle_, p.operation.get(), p.first.get(), p.second.get(),
                                                       p.result.get(), p.result.get(), made, most, proposed, &count);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    for (int i = 0; i < count; ++i)
      if (proposed[i].state == CUBLAS_STATUS_SUCCESS) found.push_back({proposed[i].algo, proposed[i].workspaceSize});
    return found.empty() ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
  }

  /// Device memory for the length of a trial: not from the pool, which would keep it.
  struct TrialMemory {
    explicit TrialMemory(std::size_t bytes) {
      if (cudaMalloc(&data, bytes) != cudaSuccess) data = nullptr, cudaGetLastError();
    }
    TrialMemory(const TrialMemory&) = delete;
    TrialMemory& operator=(const TrialMemory&) = delete;
    ~TrialMemory() { cudaFree(data); }
    void* data = nullptr;
  };
  struct Event {
    Event() { require(cudaEventCreateWithFlags(&event, cudaEventDefault), "cudaEventCreateWithFlags"); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() { cudaEventDestroy(event); }
    void record() const { require(cudaEventRecord(event, stream()), "cudaEventRecord"); }
    cudaEvent_t event = nullptr;
  };

  static void make_noise(int type, void* to, std::size_t bytes, std::uint64_t number) {
    const auto fill = [&](auto* data) {
      const auto count = static_cast<long>(bytes / sizeof *data);
      launch("trying a product", &noise_kernel<std::remove_reference_t<decltype(*data)>>, grid_for(count),
             block_threads, 0, data, count, Random{7, number, 0});
    };
    if (type == CUDA_R_16BF) return fill(static_cast<bf16*>(to));
    fill(static_cast<float*>(to));
  }
  static bool same_bits(const void* a, const void* b, std::size_t bytes, int* differ) {
    int any = 0;
    require(cudaMemcpyAsync(differ, &any, sizeof any, cudaMemcpyHostToDevice, stream()), "cudaMemcpyAsync");
    const auto words = static_cast<long>(bytes / sizeof(unsigned));
    launch("trying a product", &compare_kernel<unsigned>, grid_for(words), block_threads, 0,
           static_cast<const unsigned*>(a), static_cast<const unsigned*>(b), words, differ);
    require(cudaMemcpyAsync(&any, differ, sizeof any, cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
    require(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
    return any == 0;
  }

  /// Multiplies noise by each algorithm and takes the fastest of those that give the bits of the first one: timing
  /// never changes a result. Without memory for the trial, the first is taken.
  void try_out(const ProductKey& key, Product& p, const Beside& beside, std::vector<Algorithm>& found) {
    const auto bytes = [](int type, long rows, long cols, long stride, long batch, long batch_stride) {
      const long last = (batch - 1) * batch_stride + (rows - 1) * stride + cols;
      return (static_cast<std::size_t>(last) * (type == CUDA_R_16BF ? 2 : 4) + 255) / 256 * 256;
    };
    const std::size_t a_bytes = bytes(key.input, key.a_transposed ? key.k : key.m, key.a_transposed ? key.m : key.k,
                                      key.a_stride, key.batch, key.a_batch);
    const std::size_t b_bytes = bytes(key.input, key.b_transposed ? key.n : key.k, key.b_transposed ? key.k : key.n,
                                      key.b_stride, key.batch, key.b_batch);
    const std::size_t c_bytes = bytes(key.output, key.m, key.n, key.c_stride, key.batch, key.c_batch);
    const std::size_t bias_bytes = beside.bias ? bytes(key.output, 1, key.n, key.n, 1, 0) : 0;
    const std::size_t result_bytes = beside.argument ? 2 * c_bytes : c_bytes;  // the argument lies behind C
    const TrialMemory memory(256 + a_bytes + b_bytes + bias_bytes + 2 * result_bytes);
    if (!memory.data) return;
    auto* const differ = static_cast<int*>(memory.data);
    char *const a = static_cast<char*>(memory.data) + 256, *const b = a + a_bytes, *const bias = b + b_bytes;
    char *const expected = bias + bias_bytes, *const other = expected + result_bytes;
    make_noise(key.input, a, a_bytes, 1);
    make_noise(key.input, b, b_bytes, 2);
    make_noise(key.output, bias, bias_bytes, 3);
    const auto run = [&](const Algorithm& algorithm, char* c) {
      point(p.operation.get(), {beside.bias ? bias : nullptr, beside.argument ? c + c_bytes : nullptr});
      return multiply(key, p, algorithm, a, b, c);
    };
    std::vector<Algorithm> equal;
    for (const Algorithm& algorithm : found) {
      char* const to = equal.empty() ? expected : other;
      make_noise(key.output, to, result_bytes, 4);
      p.status = run(algorithm, to);
      if (p.status == CUBLAS_STATUS_SUCCESS && (equal.empty() || same_bits(expected, other, result_bytes, differ)))
        equal.push_back(algorithm);
    }
    if (equal.empty()) return;
    p.status = CUBLAS_STATUS_SUCCESS;
    std::vector<float> times(equal.size(), std::numeric_limits<float>::infinity());
    const Event start, stop;
    for (int round = 0; round < 3; ++round)
      for (std::size_t i = 0; i < equal.size(); ++i) {
        start.record();
        for (int k = 0; k < 3; ++k) require(run(equal[i], other), "cublasLtMatmul");
        stop.record();
        float ms = 0;
        require(cudaEventSynchronize(stop.event), "cudaEventSynchronize");
        require(cudaEventElapsedTime(&ms, start.event, stop.event), "cudaEventElapsedTime");
        times[i] = std::min(times[i], ms);
      }
    p.algorithm = equal[static_cast<std::size_t>(std::min_element(times.begin(), times.end()) - times.begin())];
  }

  double tried_from_;
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
  const int compute = std::is_same_v<T, double>                                     ? CUBLAS_COMPUTE_64F
                      : std::is_same_v<T, float> && products == FloatProducts::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                                    : CUBLAS_COMPUTE_32F;
  return {c.first.rows,
          c.first.cols,
          a.first.cols,
          c.count,
          !has_dense_rows(a.first),
          !has_dense_rows(b.first),
          stride(a.first),
          stride(b.first),
          stride(c.first),
          a.stride,
          b.stride,
          c.stride,
          type_of<T>,
          type_of<C>,
          compute,
          epilogue,
          alignment_of(a),
          alignment_of(b),
          alignment_of(c),
          0,
          accumulate};
}

/// c = activation(c + bias), keeping c + bias in `pre`; bias and pre may be null. A thread takes Width neighbours.
template <Activation activation, int Width, class C>
__global__ void finish_kernel(Matrix<C> c, C* pre, const compute_t<C>* bias) {
  using P = compute_t<C>;
  const long step = static_cast<long>(gridDim.x) * blockDim.x, pieces = c.cols / Width, size = c.rows * pieces;
  for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += step) {
    const long row = i / pieces, col = (i - row * pieces) * Width, at = row * c.row_stride + col;
    auto values = load_run<Width>(c.data + at);
    auto before = values;
    for (int k = 0; k < Width; ++k) {
      P& x = values.value[k];
      if (bias) x += bias[col + k];
      before.value[k] = x;
      if constexpr (activation == Activation::relu) {
        x = x < P(0) ? P(0) : x;
      } else if constexpr (activation != Activation::none) {
        static_assert(activation == Activation::gelu, "vitral: CUDA's epilogues do not know this activation");
        x = gelu<C>(x);
      }
    }
    if (pre) store_run(pre + at, before);
    store_run(c.data + at, values);
  }
}
template <Activation activation, class C>
void finish(const Matrix<C>& c, C* pre, const compute_t<C>* bias) {
  const bool quads = c.cols % 4 == 0 && c.row_stride % 4 == 0 && allows_runs<4>(c.data) && allows_runs<4>(pre);
  launch("matmul's epilogue", quads ? &finish_kernel<activation, 4, C> : &finish_kernel<activation, 1, C>,
         grid_for(c.rows * c.cols / (quads ? 4 : 1)), block_threads, 0, c, pre, bias);
}
template <class C>
void finish(const Matrix<C>& c, C* pre, const compute_t<C>* bias, Activation activation) {
  with_activation(activation, [&](auto known) { finish<decltype(known)::value>(c, pre, bias); });
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
  // cuBLASLt adds a bias of the result's type, but a bf16 layer's parameters are floats; double has no epilogue.
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
    return detail::Products::instance().run(detail::product_key<products>(a, b, c, with, accumulate), a.first.data,
                                            b.first.data, c.first.data, beside);
  };
  // What cuBLASLt cannot do within the product is done after it.
  const bool keeps_argument = epilogue.pre && c.first.row_stride % 8 == 0;
  if (std::is_same_v<C, bf16> && in_product && epilogue.activation == Activation::gelu &&
      (!epilogue.pre || keeps_argument) &&
      multiply(keeps_argument ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_BIAS, {bias, epilogue.pre}) ==
          CUBLAS_STATUS_SUCCESS)
    return;
  const bool has_bias = in_product && multiply(CUBLASLT_EPILOGUE_BIAS, {bias}) == CUBLAS_STATUS_SUCCESS;
  if (!has_bias) {
    const auto status = multiply(CUBLASLT_EPILOGUE_DEFAULT, {});
    check(status == CUBLAS_STATUS_SUCCESS, "cuBLASLt: ", c.count, " x [", m, ", ", k, "] x [", k, ", ", n,
          "]: ", cublasLtGetStatusString(status));
  }
  if (epilogue.pre || epilogue.activation != Activation::none || (epilogue.bias && !has_bias))
    detail::finish(c.first, epilogue.pre, has_bias ? nullptr : epilogue.bias, epilogue.activation);
}

}}}  // namespace vitral::cuda
