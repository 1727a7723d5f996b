// Matrix products on and off the tape, with bias and activation in the same pass over the result.
// Master weights of another precision are converted to the activations' type; their gradients arrive in their own.
#pragma once

#include <vitral/autodiff/operation.hpp>
#include <vitral/autodiff/reduce.hpp>
#include <vitral/backend/backend.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// [..., K] x [K, N] -> [..., N]; with Transposed the right operand is [N, K], as Linear keeps its weight.
template <class X, class W, bool Transposed>
struct matmul_rule {
  static_assert(X::rank >= 2 && W::rank == 2,
                "vitral: matmul: the left operand needs at least two extents, the right one exactly two");
  static constexpr int inner = Transposed ? 1 : 0;
  using Match = inner_extents_match<X::static_extent(X::rank - 1), W::static_extent(inner)>;
  static_assert(sizeof(Match) > 0);
  using shape = replace_extent<X, X::rank - 1, W::static_extent(1 - inner)>;

  static shape apply(const X& x, const W& w) {
    Match::check(x[X::rank - 1], w[inner], x, w, Transposed ? " transposed" : "");
    auto extents = x.all();
    extents[X::rank - 1] = w[1 - inner];
    return shape(extents);
  }
};

namespace op {

/// The gradient of a GELU's argument: that of its result times the slope there.
struct GeluGradient {
  template <class T>
  VITRAL_HD static T value(T g, T a) {
    return g * math::gelu_grad(a);
  }
};

}  // namespace op

namespace detail {

/// The tensor as a matrix whose columns are its last axis.
template <class T, class S, class B>
Matrix<T> rows_of(const Tensor<T, S, B>& x) {
  const auto [rows, cols] = row_extents(x);
  return row_major(x.data(), rows, cols);
}
template <class T, class S, class B>
Tensor<T, Shape<dyn, dyn>, B> as_rows(const Tensor<T, S, B>& x) {
  const auto [rows, cols] = row_extents(x);
  return {x.buffer(), Shape<dyn, dyn>{rows, cols}};
}

template <class To, class T, class S, class B>
auto converted(const Tensor<T, S, B>& x) {
  if constexpr (std::is_same_v<To, T>)
    return x;
  else
    return eval(cast<To>(x));
}

/// The gradient of a bias: the sums of dy's columns.
template <class DY, class Bias>
void put_bias_gradient(const DY& dy, const Bias& bias) {
  using B = backend_of<DY>;
  if constexpr (!std::is_same_v<Bias, None>) {
    if (!bias.wants_gradient()) return;
    const auto db = bias.gradient();
    const auto rows = rows_of(dy);
    using T = scalar_of<DY>;
    if constexpr (OffersColumnSums<B, T> && std::is_same_v<scalar_of<decltype(db.tensor)>, compute_t<T>>)
      B::column_sums(rows.data, rows.rows, rows.cols, db.tensor.data(), db.add);
    else
      put(db, reshape_tensor(sum<0>(cast<scalar_of<decltype(db.tensor)>>(as_rows(dy))), db.tensor.shape()));
  }
}

/// dx = dy * gelu'(pre), of one shape, and the gradient of the bias in `pre`, in one pass where the backend can. dx may
/// be dy.
template <class DY, class Pre, class DX, class Bias>
void put_gelu_gradient(const DY& dy, const Pre& pre, const DX& dx, const Bias& bias) {
  using B = backend_of<DY>;
  using P = compute_t<scalar_of<DX>>;
  const auto to = rows_of(dx);
  if constexpr (OffersGeluGradient<B, scalar_of<DX>>) {
    const auto run = [&](P* sums, bool add) {
      B::gelu_gradient(dy.data(), pre.data(), to.data, to.rows, to.cols, sums, add);
    };
    if constexpr (requires { run(bias.gradient().tensor.data(), true); }) {
      if (!bias.wants_gradient()) return run(nullptr, false);
      const auto db = bias.gradient();
      return run(db.tensor.data(), db.add);
    }
    run(nullptr, false);
  } else {
    assign(dx, express<op::GeluGradient>(dy, pre));
  }
  put_bias_gradient(dx, bias);
}

/// y = act(x w + bias). T, S, B: scalar type, shape and backend of y; W the shape of w.
template <class T, class S, class B, class W, bool Transposed, Activation Act>
struct MatMul {
  static constexpr int keeps_inputs = 1;  // the weight as `weight`
  static constexpr bool keeps_result = Act == Activation::relu, is_layer = true;

  Tensor<T, Shape<dyn, dyn>, B> weight{};  // in the compute type
  Tensor<T, S, B> preactivation{};         // for GELU alone

  [[nodiscard]] unsigned kept_versions() const { return versions_of(weight); }
  template <bool Recorded, class X, class Weight, class Bias>
  auto forward(std::bool_constant<Recorded>, const X& x, const Weight& w, const Bias& bias) {
    using Rule = matmul_rule<shape_of<X>, W, Transposed>;
    auto y = Tensor<T, S, B>::uninitialized(Rule::apply(x.shape(), w.shape()));
    if (!weight) weight = as_rows(converted<T>(w));
    Epilogue<T> epilogue;
    epilogue.activation = Act;
    if constexpr (!std::is_same_v<Bias, None>) {
      static_assert(sizeof(extents_match<S::static_extent(S::rank - 1), shape_of<Bias>::static_extent(0)>) > 0);
      check(bias.size() == y.extent(S::rank - 1), "linear: a bias of ", bias.size(), " for ", y.extent(S::rank - 1),
            " outputs");
      bias_values = flat(converted<compute_t<T>>(bias));
      epilogue.bias = bias_values.data();
      epilogue.rounded_bias = static_cast<const T*>(rounded_bias.data());
    }
    if constexpr (Recorded && Act == Activation::gelu) {
      preactivation = Tensor<T, S, B>::uninitialized(y.shape());
      epilogue.pre = preactivation.data();
    }
    B::matmul(rows_of(x), right(rows_of(weight)), rows_of(y), false, epilogue);
    return y;
  }

  template <class DY, class Y, class X, class Weight, class Bias>
  void backward(const DY& dy, const Y& y, const X& x, const Weight& w, const Bias& bias) {
    if constexpr (Act == Activation::gelu) {
      const auto g = Tensor<T, S, B>::uninitialized(preactivation.shape());
      put_gelu_gradient(dy, preactivation, g, bias);
      pass_on(g, x, w, None{});
    } else if constexpr (Act == Activation::relu) {
      pass_on(eval(select(y <= 0, 0, dy)), x, w, bias);
    } else {
      static_assert(Act == Activation::none);
      pass_on(dy, x, w, bias);
    }
  }

  /// The gradients of x, the weight and the bias, given that of x w + bias.
  template <class G, class X, class Weight, class Bias>
  void pass_on(const G& g, const X& x, const Weight& w, const Bias& bias) {
    if (x.wants_gradient()) {
      const auto dx = x.gradient();
      B::matmul(rows_of(g), transposed(right(rows_of(weight))), rows_of(dx.tensor), dx.add);
    }
    pass_to_parameters(g, x.value, w, bias);
  }
  template <class G, class X, class Weight, class Bias>
  void pass_to_parameters(const G& g, const X& x, const Weight& w, const Bias& bias) {
    if (w.wants_gradient()) {
      const auto dw = w.gradient();
      if constexpr (Transposed)
        B::matmul(transposed(rows_of(g)), rows_of(x), rows_of(dw.tensor), dw.add);
      else
        B::matmul(transposed(rows_of(x)), rows_of(g), rows_of(dw.tensor), dw.add);
    }
    put_bias_gradient(g, bias);
  }

  /// Takes over the conversions that a RoundedWeights has made, which spares `forward` its own.
  template <class Weight, class Bias>
  void find_rounded(const Weight& w, const Bias& bias) {
    if constexpr (std::is_same_v<T, bf16>) {
      if constexpr (is_parameter<Weight>)
        if (const Buffer& rounded = w.rounded.elements) weight = {rounded, {w.shape()[0], w.shape()[1]}};
      if constexpr (is_parameter<Bias>) rounded_bias = bias.rounded.elements;
    }
  }

 private:
  static Matrix<T> right(Matrix<T> w) { return Transposed ? vitral::transposed(w) : w; }
  Tensor<compute_t<T>, Shape<dyn>, B> bias_values;
  Buffer rounded_bias;
};

template <bool Transposed, Activation Act, class X, class W, class Bias>
auto multiply(const X& x, const W& w, const Bias& bias) {
  using S = typename matmul_rule<shape_of<X>, shape_of<W>, Transposed>::shape;
  static_assert(sizeof(known_activation<Act>) > 0 && sizeof(row_operand<X>) > 0 && sizeof(promoted<X, W>) > 0);
  MatMul<scalar_of<X>, S, backend_of<X>, shape_of<W>, Transposed, Act> op;
  op.find_rounded(w, bias);
  return apply(std::move(op), x, w, bias);
}

}  // namespace detail

/// x [..., K] times w [K, N]: [..., N].
template <Operand X, Operand W>
[[nodiscard]] auto matmul(const X& x, const W& w) {
  return detail::multiply<false, Activation::none>(x, w, None{});
}

/// act(x w^T + bias) for x [..., K], w [N, K], bias [N] or None: what torch.nn.functional.linear computes, and the
/// activation in the same pass.
template <Activation Act = Activation::none, Operand X, Operand W, class Bias = None>
[[nodiscard]] auto linear(const X& x, const W& w, const Bias& bias = {}) {
  return detail::multiply<true, Act>(x, w, bias);
}

namespace detail {

template <class T, class S, class B>
MatrixBatch<T> batch_of(const Tensor<T, S, B>& x) {
  const long rows = x.extent(1), cols = x.extent(2);
  return {row_major(x.data(), rows, cols), x.extent(0), rows * cols};
}
template <class T>
MatrixBatch<T> transposed_batch(const MatrixBatch<T>& b) {
  return {transposed(b.first), b.count, b.stride};
}

template <class T, class S, class B>
struct BatchedMatMul {
  static constexpr int keeps_inputs = every_input;
  static constexpr bool keeps_result = false;

  template <class L, class R>
  auto forward(auto, const L& a, const R& b) {
    inner_extents_match<shape_of<L>::static_extent(2), shape_of<R>::static_extent(1)>::check(a.extent(2), b.extent(1),
                                                                                             a.shape(), b.shape());
    extents_match<shape_of<L>::static_extent(0), shape_of<R>::static_extent(0)>::check("batched_matmul: batch",
                                                                                       a.extent(0), b.extent(0));
    auto y = Tensor<T, S, B>::uninitialized(S(std::array<int, 3>{a.extent(0), a.extent(1), b.extent(2)}));
    B::batched_matmul(batch_of(a), batch_of(b), batch_of(y), false);
    return y;
  }
  template <class DY, class Y, class L, class R>
  void backward(const DY& dy, const Y&, const L& a, const R& b) {
    if (a.wants_gradient()) {
      const auto da = a.gradient();
      B::batched_matmul(batch_of(dy), transposed_batch(batch_of(b.value)), batch_of(da.tensor), da.add);
    }
    if (b.wants_gradient()) {
      const auto db = b.gradient();
      B::batched_matmul(transposed_batch(batch_of(a.value)), batch_of(dy), batch_of(db.tensor), db.add);
    }
  }
};

/// Rows in groups of equal size, as a batch of matrices.
template <class T, class S, class B>
MatrixBatch<T> groups_of(const Tensor<T, S, B>& x, int groups) {
  const long rows = x.extent(0) / groups, cols = x.extent(1);
  return {row_major(x.data(), rows, cols), groups, rows * cols};
}

template <class T, class B>
struct GroupedLinear {
  static constexpr int keeps_inputs = every_input;
  static constexpr bool keeps_result = false;
  int groups;

  template <class X, class W>
  auto forward(auto, const X& x, const W& w) {
    inner_extents_match<shape_of<X>::static_extent(1), shape_of<W>::static_extent(1)>::check(
        x.extent(1), w.extent(1), x.shape(), w.shape(), " transposed");
    check(groups >= 1 && x.extent(0) % groups == 0 && w.extent(0) % groups == 0, "grouped_linear: shapes ", x.shape(),
          " and ", w.shape(), " are not ", groups, " groups of equally many rows");
    auto y = Tensor<T, Shape<dyn, dyn>, B>::uninitialized({x.extent(0), w.extent(0) / groups});
    B::batched_matmul(groups_of(x, groups), transposed_batch(groups_of(w, groups)), groups_of(y, groups), false);
    return y;
  }
  template <class DY, class Y, class X, class W>
  void backward(const DY& dy, const Y&, const X& x, const W& w) {
    const auto upstream = groups_of(dy, groups);
    if (x.wants_gradient()) {
      const auto dx = x.gradient();
      B::batched_matmul(upstream, groups_of(w.value, groups), groups_of(dx.tensor, groups), dx.add);
    }
    if (w.wants_gradient()) {
      const auto dw = w.gradient();
      B::batched_matmul(transposed_batch(upstream), groups_of(x.value, groups), groups_of(dw.tensor, groups), dw.add);
    }
  }
};

}  // namespace detail

/// a [G, M, K] times b [G, K, N], matrix by matrix.
template <Operand L, Operand R>
[[nodiscard]] auto batched_matmul(const L& a, const R& b) {
  static_assert(shape_of<L>::rank == 3 && shape_of<R>::rank == 3,
                "vitral: batched_matmul: both operands need three extents");
  static_assert(sizeof(row_operand<L>) > 0 && sizeof(detail::promoted<L, R>) > 0);
  using S = Shape<extents_match<shape_of<L>::static_extent(0), shape_of<R>::static_extent(0)>::extent,
                  shape_of<L>::static_extent(1), shape_of<R>::static_extent(2)>;
  return apply(detail::BatchedMatMul<scalar_of<L>, S, backend_of<L>>{}, a, b);
}

/// x [G * M, K] times w^T, w [G * N, K], group by group: [G * M, N].
template <Operand X, Operand W>
[[nodiscard]] auto grouped_linear(const X& x, const W& w, int groups) {
  static_assert(shape_of<X>::rank == 2 && shape_of<W>::rank == 2,
                "vitral: grouped_linear: both operands need exactly two extents");
  return apply(detail::GroupedLinear<scalar_of<X>, backend_of<X>>{groups}, x, w);
}

}}  // namespace vitral
