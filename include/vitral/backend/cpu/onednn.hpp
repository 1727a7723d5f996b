// One adapter over oneDNN's C API, 2.x and 3.x: cached single-thread matrix products, and the packing of right
// operands. Relies on <oneapi/dnnl/dnnl.h> alone; this is the only file that includes it.
#pragma once

#include <vitral/backend/cpu/threads.hpp>
#include <vitral/backend/cpu/work_memory.hpp>
#include <vitral/core/bf16.hpp>
#include <vitral/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.h>

namespace vitral { inline namespace VITRAL_ABI { namespace cpu::onednn {

/// What decides a primitive: C[m, n] = A[m, k] B[k, n], added to C when `accumulate`. Strides count elements. Where
/// `packed`, B was packed by `pack` and its strides are 0; where `bias`, a row of floats is added to each row of C.
struct MatmulKey {
  long m, n, k;
  long a_row, a_col, b_row, b_col, c_row;
  dnnl_data_type_t input, output;
  bool accumulate, packed = false, bias = false;

  [[nodiscard]] long options() const { return accumulate + 2 * packed + 4 * bias; }

  friend bool operator==(const MatmulKey&, const MatmulKey&) = default;
};

/// What decides a packing: B[k, n], stored as `from` with these strides, to the form that products of type `to` read.
struct PackKey {
  long k, n, row, col;
  dnnl_data_type_t from, to;

  friend bool operator==(const PackKey&, const PackKey&) = default;
};

template <class T>
struct DataType;
template <>
struct DataType<float> {
  static constexpr dnnl_data_type_t value = dnnl_f32;
};
template <>
struct DataType<bf16> {
  static constexpr dnnl_data_type_t value = dnnl_bf16;
};

namespace detail {

inline const char* type_name(dnnl_data_type_t type) { return type == dnnl_bf16 ? "bf16" : "f32"; }

inline const char* status_name(dnnl_status_t status) {
  switch (status) {
    case dnnl_out_of_memory: return "out of memory";
    case dnnl_invalid_arguments: return "invalid arguments";
    case dnnl_unimplemented: return "unimplemented";
    case dnnl_runtime_error: return "runtime error";
    default: return "failed";
  }
}

inline std::string description(const MatmulKey& key) {
  return join(type_name(key.input), " [", key.m, ", ", key.k, "] x ", key.packed ? "packed " : "", "[", key.k, ", ",
              key.n, "] -> ", type_name(key.output), ", strides (", key.a_row, ", ", key.a_col, "), (", key.b_row, ", ",
              key.b_col, "), (", key.c_row, ", 1)");
}
inline std::string description(const PackKey& key) {
  return join("packing ", type_name(key.from), " [", key.k, ", ", key.n, "] with strides (", key.row, ", ", key.col,
              ") as ", type_name(key.to));
}

template <class Key>
void require(dnnl_status_t status, const char* call, const Key& key) {
  if (status == dnnl_success) [[likely]]
    return;
  fail("oneDNN: ", call, ": ", status_name(status), " (status ", static_cast<int>(status), ") for ", description(key));
}

struct Hash {
  static std::size_t of(std::initializer_list<long> numbers) {
    std::uint64_t hash = 0;
    for (const long number : numbers) {
      hash = (hash ^ static_cast<std::uint64_t>(number)) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    }
    return static_cast<std::size_t>(hash);
  }
  std::size_t operator()(const MatmulKey& key) const {
    return of({key.m, key.n, key.k, key.a_row, key.a_col, key.b_row, key.b_col, key.c_row, static_cast<long>(key.input),
               static_cast<long>(key.output), key.options()});
  }
  std::size_t operator()(const PackKey& key) const {
    return of({key.k, key.n, key.row, key.col, static_cast<long>(key.from), static_cast<long>(key.to)});
  }
};

// oneDNN's objects as owners; what 2.x keeps by value (memory descriptors) is a handle in 3.x.
template <class Object, auto Destroy>
struct Deleter {
  void operator()(Object* object) const { Destroy(object); }
};
template <class Object, auto Destroy>
using Owner = std::unique_ptr<Object, Deleter<Object, Destroy>>;

using Primitive = Owner<dnnl_primitive, dnnl_primitive_destroy>;
using PrimitiveDesc = Owner<dnnl_primitive_desc, dnnl_primitive_desc_destroy>;
using Attributes = Owner<dnnl_primitive_attr, dnnl_primitive_attr_destroy>;
using PostOps = Owner<dnnl_post_ops, dnnl_post_ops_destroy>;
using Memory = Owner<dnnl_memory, dnnl_memory_destroy>;
using Stream = Owner<dnnl_stream, dnnl_stream_destroy>;

#if DNNL_VERSION_MAJOR >= 3
using MemoryDesc = Owner<dnnl_memory_desc, dnnl_memory_desc_destroy>;
using MemoryDescView = const_dnnl_memory_desc_t;
inline MemoryDescView view(const MemoryDesc& desc) { return desc.get(); }
#else
using MemoryDesc = dnnl_memory_desc_t;
using MemoryDescView = const dnnl_memory_desc_t*;
inline MemoryDescView view(const MemoryDesc& desc) { return &desc; }
#endif

template <class Key>
MemoryDesc describe(long rows, long cols, long row_stride, long col_stride, dnnl_data_type_t type, const Key& key) {
  const dnnl_dims_t extents = {rows, cols};
  const dnnl_dims_t strides = {row_stride, col_stride};
#if DNNL_VERSION_MAJOR >= 3
  dnnl_memory_desc_t desc = nullptr;
  require(dnnl_memory_desc_create_with_strides(&desc, 2, extents, type, strides),
          "dnnl_memory_desc_create_with_strides", key);
  return MemoryDesc(desc);
#else
  MemoryDesc desc;
  require(dnnl_memory_desc_init_by_strides(&desc, 2, extents, type, strides), "dnnl_memory_desc_init_by_strides", key);
  return desc;
#endif
}

/// A matrix whose layout oneDNN may choose.
template <class Key>
MemoryDesc describe_any(long rows, long cols, dnnl_data_type_t type, const Key& key) {
  const dnnl_dims_t extents = {rows, cols};
#if DNNL_VERSION_MAJOR >= 3
  dnnl_memory_desc_t desc = nullptr;
  require(dnnl_memory_desc_create_with_tag(&desc, 2, extents, type, dnnl_format_tag_any),
          "dnnl_memory_desc_create_with_tag", key);
  return MemoryDesc(desc);
#else
  MemoryDesc desc;
  require(dnnl_memory_desc_init_by_tag(&desc, 2, extents, type, dnnl_format_tag_any), "dnnl_memory_desc_init_by_tag",
          key);
  return desc;
#endif
}

inline MemoryDesc copy_of(MemoryDescView desc, const auto& key) {
#if DNNL_VERSION_MAJOR >= 3
  dnnl_memory_desc_t made = nullptr;
  require(dnnl_memory_desc_clone(&made, desc), "dnnl_memory_desc_clone", key);
  return MemoryDesc(made);
#else
  require(desc ? dnnl_success : dnnl_runtime_error, "dnnl_primitive_desc_query_md", key);
  return *desc;
#endif
}

/// The one engine: oneDNN's objects work together within an engine only.
inline dnnl_engine_t engine() {
  static const dnnl_engine_t cpu = [] {
    dnnl_engine_t made = nullptr;
    const dnnl_status_t status = dnnl_engine_create(&made, dnnl_cpu, 0);
    check(status == dnnl_success, "oneDNN: dnnl_engine_create: ", status_name(status), " (status ",
          static_cast<int>(status), ")");
    return made;
  }();
  return cpu;
}

inline PrimitiveDesc describe_product(const MatmulKey& key, const MemoryDesc& a, const MemoryDesc& b,
                                      const MemoryDesc& c) {
  const MemoryDesc bias_desc = describe(1, key.n, key.n, 1, dnnl_f32, key);
  const MemoryDescView bias = key.bias ? view(bias_desc) : nullptr;
  dnnl_primitive_attr_t attributes = nullptr;
  require(dnnl_primitive_attr_create(&attributes), "dnnl_primitive_attr_create", key);
  const Attributes attribute_owner(attributes);
  require(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user),
          "dnnl_primitive_attr_set_scratchpad_mode", key);
  if (key.accumulate) {
    dnnl_post_ops_t post_ops = nullptr;
    require(dnnl_post_ops_create(&post_ops), "dnnl_post_ops_create", key);
    const PostOps post_op_owner(post_ops);
#if DNNL_VERSION_MAJOR >= 3
    require(dnnl_post_ops_append_sum(post_ops, 1.0f, 0, dnnl_data_type_undef), "dnnl_post_ops_append_sum", key);
#else
    require(dnnl_post_ops_append_sum(post_ops, 1.0f), "dnnl_post_ops_append_sum", key);
#endif
    require(dnnl_primitive_attr_set_post_ops(attributes, post_ops), "dnnl_primitive_attr_set_post_ops", key);
  }
  dnnl_primitive_desc_t made = nullptr;
#if DNNL_VERSION_MAJOR >= 3
  require(dnnl_matmul_primitive_desc_create(&made, engine(), view(a), view(b), bias, view(c), attributes),
          "dnnl_matmul_primitive_desc_create", key);
#else
  dnnl_matmul_desc_t operation;
  require(dnnl_matmul_desc_init(&operation, view(a), view(b), bias, view(c)), "dnnl_matmul_desc_init", key);
  require(dnnl_primitive_desc_create(&made, &operation, attributes, engine(), nullptr), "dnnl_primitive_desc_create",
          key);
#endif
  return PrimitiveDesc(made);
}

/// The layout that products of this type read a packed B[k, n] in. It is chosen for many rows of A, and the same for
/// any number of them.
inline MemoryDesc packed_layout(long k, long n, dnnl_data_type_t type) {
  const MatmulKey key{256, n, k, k, 1, 0, 0, n, type, type, false, true};
  const OneThread one;
  const PrimitiveDesc desc = describe_product(key, describe(key.m, k, k, 1, type, key), describe_any(k, n, type, key),
                                              describe(key.m, n, n, 1, type, key));
  return copy_of(dnnl_primitive_desc_query_md(desc.get(), dnnl_query_weights_md, 0), key);
}

inline Memory memory(MemoryDescView desc, const auto& key) {
  dnnl_memory_t made = nullptr;
  require(dnnl_memory_create(&made, desc, engine(), DNNL_MEMORY_NONE), "dnnl_memory_create", key);
  return Memory(made);
}

/// A primitive with the memory objects of one thread, whose pointers are set before each run.
struct Product {
  dnnl_primitive_t primitive = nullptr;  // owned by the process-wide cache
  Memory a, b, bias, c, scratchpad;
  std::size_t scratchpad_size = 0;
};
struct Packing {
  Primitive primitive;
  Memory from, to;
};

/// The primitives of the process: compiled once, then shared, as running one does not change it.
class PrimitiveCache {
 public:
  static PrimitiveCache& instance() {
    static PrimitiveCache& cache = *new PrimitiveCache;  // never destroyed: threads may outlive static objects
    return cache;
  }

  Product product(const MatmulKey& key) {
    const MemoryDesc a = describe(key.m, key.k, key.a_row, key.a_col, key.input, key);
    const MemoryDesc b = key.packed ? packed_layout(key.k, key.n, key.input)
                                    : describe(key.k, key.n, key.b_row, key.b_col, key.input, key);
    const MemoryDesc bias = describe(1, key.n, key.n, 1, dnnl_f32, key);
    const MemoryDesc c = describe(key.m, key.n, key.c_row, 1, key.output, key);
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[key];
    if (!entry.primitive) {
      const OneThread one;
      PrimitiveDesc desc = describe_product(key, a, b, c);
      dnnl_primitive_t made = nullptr;
      require(dnnl_primitive_create(&made, desc.get()), "dnnl_primitive_create", key);
      entry = {std::move(desc), Primitive(made)};
    }
    const MemoryDescView scratchpad = dnnl_primitive_desc_query_md(entry.desc.get(), dnnl_query_scratchpad_md, 0);
    return {entry.primitive.get(),
            memory(view(a), key),
            memory(view(b), key),
            memory(view(bias), key),
            memory(view(c), key),
            memory(scratchpad, key),
            dnnl_memory_desc_get_size(scratchpad)};
  }

 private:
  struct Entry {
    PrimitiveDesc desc;
    Primitive primitive;
  };

  std::mutex mutex_;
  std::unordered_map<MatmulKey, Entry, Hash> entries_;
};

inline Packing make_packing(const PackKey& key) {
  const MemoryDesc from = describe(key.k, key.n, key.row, key.col, key.from, key);
  const MemoryDesc to = packed_layout(key.k, key.n, key.to);
  const OneThread one;
  dnnl_primitive_desc_t described = nullptr;
  require(dnnl_reorder_primitive_desc_create(&described, view(from), engine(), view(to), engine(), nullptr),
          "dnnl_reorder_primitive_desc_create", key);
  const PrimitiveDesc owner(described);
  dnnl_primitive_t made = nullptr;
  require(dnnl_primitive_create(&made, described), "dnnl_primitive_create", key);
  return {Primitive(made), memory(view(from), key), memory(view(to), key)};
}

/// What each thread keeps: its products and packings, a stream and the scratchpad that all of its products share.
struct ThreadState {
  std::unordered_map<MatmulKey, Product, Hash> products;
  std::unordered_map<PackKey, Packing, Hash> packings;
  MatmulKey last_key{};
  Product* last = nullptr;
  Stream stream;
  WorkMemory scratchpad;

  static ThreadState& instance() {
    static thread_local ThreadState state;
    return state;
  }

  Product& find(const MatmulKey& key) {
    if (last && last_key == key) return *last;
    auto found = products.find(key);
    if (found == products.end()) found = products.emplace(key, PrimitiveCache::instance().product(key)).first;
    last_key = key;
    return *(last = &found->second);
  }
  Packing& find(const PackKey& key) {
    auto found = packings.find(key);
    if (found == packings.end()) found = packings.emplace(key, make_packing(key)).first;
    return found->second;
  }

  template <class Key>
  void run(dnnl_primitive_t primitive, const dnnl_exec_arg_t* arguments, int count, const Key& key) {
    if (!stream) {
      dnnl_stream_t made = nullptr;
      require(dnnl_stream_create(&made, engine(), dnnl_stream_default_flags), "dnnl_stream_create", key);
      stream.reset(made);
    }
    require(dnnl_primitive_execute(primitive, stream.get(), count, arguments), "dnnl_primitive_execute", key);
  }
};

void point(const Memory& memory, const void* data, const auto& key) {
  require(dnnl_memory_set_data_handle(memory.get(), const_cast<void*>(data)), "dnnl_memory_set_data_handle", key);
}

}  // namespace detail

/// Bytes of a packed B[k, n].
[[nodiscard]] inline std::size_t packed_bytes(long k, long n, dnnl_data_type_t type) {
  const detail::MemoryDesc layout = detail::packed_layout(k, n, type);
  return dnnl_memory_desc_get_size(detail::view(layout));
}

/// Converts and packs a right operand, on the calling thread alone. `to` has packed_bytes.
inline void pack(const PackKey& key, const void* from, void* to) {
  auto& state = detail::ThreadState::instance();
  detail::Packing& packing = state.find(key);
  const OneThread one;
  detail::point(packing.from, from, key);
  detail::point(packing.to, to, key);
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, packing.from.get()}, {DNNL_ARG_TO, packing.to.get()}};
  state.run(packing.primitive.get(), arguments, 2, key);
}

/// Runs one product on the calling thread alone; any number of threads may do so at the same time. `bias` [n] is read
/// where the key says so. Throws Error with the failed call, types and shapes.
inline void multiply(const MatmulKey& key, const void* a, const void* b, void* c, const float* bias = nullptr) {
  auto& state = detail::ThreadState::instance();
  detail::Product& product = state.find(key);
  const OneThread one;
  detail::point(product.a, a, key);
  detail::point(product.b, b, key);
  detail::point(product.c, c, key);
  detail::point(product.bias, bias, key);
  detail::point(product.scratchpad, state.scratchpad.reserve_bytes(product.scratchpad_size), key);
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, product.a.get()},
                                       {DNNL_ARG_WEIGHTS, product.b.get()},
                                       {DNNL_ARG_DST, product.c.get()},
                                       {DNNL_ARG_SCRATCHPAD, product.scratchpad.get()},
                                       {DNNL_ARG_BIAS, product.bias.get()}};
  state.run(product.primitive, arguments, key.bias ? 5 : 4, key);
}

}}}  // namespace vitral::cpu::onednn
