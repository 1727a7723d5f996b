// Everything of data/: data sets, augmentation, the loader. Needs vitral::tools. What is for GPUs, in data/cuda/, is
// included by name.
#pragma once

#include <vitral/data/affine.hpp>
#include <vitral/data/augment.hpp>
#include <vitral/data/batch.hpp>
#include <vitral/data/batches.hpp>
#include <vitral/data/blur.hpp>
#include <vitral/data/cifar.hpp>
#include <vitral/data/classifier_view.hpp>
#include <vitral/data/color.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/data/datasets.hpp>
#include <vitral/data/enhance.hpp>
#include <vitral/data/epoch.hpp>
#include <vitral/data/erasing.hpp>
#include <vitral/data/filling.hpp>
#include <vitral/data/flowers.hpp>
#include <vitral/data/folders.hpp>
#include <vitral/data/idx.hpp>
#include <vitral/data/image_folder.hpp>
#include <vitral/data/loader.hpp>
#include <vitral/data/mixup.hpp>
#include <vitral/data/order.hpp>
#include <vitral/data/pets.hpp>
#include <vitral/data/rand_augment.hpp>
#include <vitral/data/resize.hpp>
#include <vitral/data/sheet.hpp>
#include <vitral/data/stl10.hpp>
#include <vitral/data/subset.hpp>
#include <vitral/data/tar.hpp>
#include <vitral/data/tar_reader.hpp>
#include <vitral/data/views.hpp>
