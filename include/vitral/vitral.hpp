// Vitral: everything that needs no optional dependency.
#pragma once

#include <vitral/autodiff/attention.hpp>
#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/losses.hpp>
#include <vitral/autodiff/matmul.hpp>
#include <vitral/autodiff/norm.hpp>
#include <vitral/autodiff/reduce.hpp>
#include <vitral/autodiff/softmax.hpp>
#include <vitral/models/first_layers.hpp>
#include <vitral/models/patch_size.hpp>
#include <vitral/models/patch_tokens.hpp>
#include <vitral/models/resolution.hpp>
#include <vitral/models/vit.hpp>
#include <vitral/nn/embedding.hpp>
#include <vitral/nn/rounded_weights.hpp>
#include <vitral/nn/sequential.hpp>
#include <vitral/optim/layer_decay.hpp>
#include <vitral/optim/optimizers.hpp>
#include <vitral/optim/schedule.hpp>
#include <vitral/ssl/method.hpp>
#include <vitral/tensor/print.hpp>

#if !defined(__CUDACC__)
#include <vitral/backend/cpu/cpu.hpp>
#endif
