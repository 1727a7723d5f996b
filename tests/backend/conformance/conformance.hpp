// What every backend has to do (backend/backend.hpp), as one list of cases.
#pragma once

#include "expressions.hpp"
#include "memory.hpp"
#include "norms.hpp"
#include "products.hpp"
#include "rows.hpp"

/// Runs the list for a backend. Where a case is of something that a backend may leave out, it asks the concept.
#define CONFORMANCE_OF(Backend)                                               \
  namespace conformance {                                                     \
  using Tested = WithEachType<Backend>;                                       \
  TEST_CASE_TEMPLATE_APPLY(copies_, Tested);                                  \
  TEST_CASE_TEMPLATE_APPLY(steps_, Tested);                                   \
  TEST_CASE_TEMPLATE_APPLY(lanes_, Tested);                                   \
  TEST_CASE_TEMPLATE_APPLY(matmul_, Tested);                                  \
  TEST_CASE_TEMPLATE_APPLY(epilogue_, Tested);                                \
  TEST_CASE_TEMPLATE_APPLY(column_sums_, Tested);                             \
  TEST_CASE_TEMPLATE_APPLY(gelu_gradient_, Tested);                           \
  TEST_CASE_TEMPLATE_APPLY(batched_matmul_, Tested);                          \
  TEST_CASE_TEMPLATE_APPLY(norm_, Tested);                                    \
  TEST_CASE_TEMPLATE_APPLY(batch_norm_, Tested);                              \
  TEST_CASE_TEMPLATE_APPLY(far_from_zero_, Tested);                           \
  TEST_CASE_TEMPLATE_APPLY(layer_norm_backward_, Tested);                     \
  TEST_CASE_TEMPLATE_APPLY(sum_and_norm_, Tested);                            \
  TEST_CASE_TEMPLATE_APPLY(rows_, Tested);                                    \
  TEST_CASE_TEMPLATE_APPLY(attention_, Tested);                               \
  TEST_CASE_TEMPLATE_APPLY(gather_, Tested);                                  \
  TEST_CASE_TEMPLATE_APPLY(nan_, Tested);                                     \
  TEST_CASE_TEMPLATE_APPLY(nearest_, std::tuple<On<Backend, float>>);         \
  TEST_CASE_TEMPLATE_APPLY(expression_, Tested);                              \
  TEST_CASE_TEMPLATE_APPLY(widths_, Tested);                                  \
  TEST_CASE_TEMPLATE_APPLY(assign_each_, Tested);                             \
  TEST_CASE_TEMPLATE_APPLY(rounded_weights_, std::tuple<On<Backend, float>>); \
  }                                                                           \
  static_assert(true)
