// Python's classes and functions that a pickle may name, and what each makes: tensors, plain containers, numbers, text.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/io/scalar_type.hpp>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

namespace vitral { inline namespace VITRAL_ABI { namespace detail {

/// What calling it makes. A `name` is not called, but may be a value or a key.
enum class PickleRole {
  name,
  dictionary,
  name_space,
  list,
  tuple,
  device,
  bytes,
  storage,
  tensor,
  parameter,
  numpy_type,
  numpy_number
};

struct PickleGlobal {
  std::string_view path;
  PickleRole role;
  ScalarType type = {};  // of a storage's elements
};

inline constexpr PickleGlobal pickle_globals[] = {
    {"collections.OrderedDict", PickleRole::dictionary},
    {"collections.defaultdict", PickleRole::dictionary},
    {"collections.Counter", PickleRole::dictionary},
    {"pytorch_lightning.utilities.parsing.AttributeDict", PickleRole::dictionary},
    {"lightning.pytorch.utilities.parsing.AttributeDict", PickleRole::dictionary},
    {"lightning_fabric.utilities.data.AttributeDict", PickleRole::dictionary},
    {"lightning.fabric.utilities.data.AttributeDict", PickleRole::dictionary},
    {"argparse.Namespace", PickleRole::name_space},
    {"builtins.set", PickleRole::list},
    {"builtins.dict", PickleRole::name},
    {"builtins.list", PickleRole::name},
    {"builtins.int", PickleRole::name},
    {"builtins.long", PickleRole::name},  // int, as protocol 2 writes it
    {"builtins.float", PickleRole::name},
    {"torch._utils._rebuild_tensor", PickleRole::tensor},
    {"torch._utils._rebuild_tensor_v2", PickleRole::tensor},
    {"torch._utils._rebuild_parameter", PickleRole::parameter},
    {"torch._utils._rebuild_parameter_with_state", PickleRole::parameter},
    {"torch.Size", PickleRole::tuple},
    {"torch.device", PickleRole::device},
    {"torch.float64", PickleRole::name},
    {"torch.float32", PickleRole::name},
    {"torch.float16", PickleRole::name},
    {"torch.bfloat16", PickleRole::name},
    {"torch.int64", PickleRole::name},
    {"torch.uint8", PickleRole::name},
    {"torch.bool", PickleRole::name},
    {"torch.DoubleStorage", PickleRole::storage, ScalarType::f64},
    {"torch.FloatStorage", PickleRole::storage, ScalarType::f32},
    {"torch.HalfStorage", PickleRole::storage, ScalarType::f16},
    {"torch.BFloat16Storage", PickleRole::storage, ScalarType::bf16},
    {"torch.LongStorage", PickleRole::storage, ScalarType::i64},
    {"torch.IntStorage", PickleRole::storage, ScalarType::i32},
    {"torch.ShortStorage", PickleRole::storage, ScalarType::i16},
    {"torch.CharStorage", PickleRole::storage, ScalarType::i8},
    {"torch.ByteStorage", PickleRole::storage, ScalarType::u8},
    {"torch.BoolStorage", PickleRole::storage, ScalarType::boolean},
    {"_codecs.encode", PickleRole::bytes},
    {"numpy.dtype", PickleRole::numpy_type},
    {"numpy.core.multiarray.scalar", PickleRole::numpy_number},
    {"numpy._core.multiarray.scalar", PickleRole::numpy_number},
};

/// "module.name", where Python 2's builtins have the name of Python 3's.
inline std::string global_path(std::string_view module, std::string_view name) {
  return std::string(module == "__builtin__" ? "builtins" : module).append(1, '.').append(name);
}

/// nullptr for one that is not read.
inline const PickleGlobal* find_global(std::string_view path) {
  const auto* const end = std::end(pickle_globals);
  const auto* const found =
      std::find_if(std::begin(pickle_globals), end, [&](const PickleGlobal& known) { return known.path == path; });
  return found != end ? found : nullptr;
}

/// Whether it is the class of a callback, by which older versions of Lightning name that callback's state.
inline bool is_callback(std::string_view path) {
  return path.starts_with("pytorch_lightning.callbacks.") || path.starts_with("lightning.pytorch.callbacks.");
}

}}}  // namespace vitral::detail
