// Everything of io/: safetensors, checkpoints, images, NumPy and JSON files, metrics, progress, plots; and what relies
// on it to read and write networks. Needs vitral::tools.
#pragma once

#include <vitral/io/atomic_file.hpp>
#include <vitral/io/checkpoint.hpp>
#include <vitral/io/decode.hpp>
#include <vitral/io/directory_lock.hpp>
#include <vitral/io/exif.hpp>
#include <vitral/io/file_name.hpp>
#include <vitral/io/image.hpp>
#include <vitral/io/jpeg.hpp>
#include <vitral/io/json.hpp>
#include <vitral/io/label_map.hpp>
#include <vitral/io/label_png.hpp>
#include <vitral/io/legible.hpp>
#include <vitral/io/mapped_file.hpp>
#include <vitral/io/mat.hpp>
#include <vitral/io/metrics.hpp>
#include <vitral/io/nearest.hpp>
#include <vitral/io/npy.hpp>
#include <vitral/io/plots.hpp>
#include <vitral/io/png.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/io/read_bytes.hpp>
#include <vitral/io/safetensors.hpp>
#include <vitral/io/scalar_type.hpp>
#include <vitral/io/scratch_file.hpp>
#include <vitral/io/state_dict.hpp>
#include <vitral/io/table.hpp>
#include <vitral/io/tensor_file.hpp>
#include <vitral/io/webp.hpp>
#include <vitral/models/load_vit.hpp>
