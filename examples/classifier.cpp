// A classifier of images: a network of two layers learns the classes of Fashion-MNIST, and says how often it is right.
//
//   classifier [DIRECTORY OF FASHION-MNIST]
#include <vitral/data.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

#include <cstdio>

using namespace vitral;

// A module is a plain struct: VITRAL_MEMBERS names what is trained and saved, the call operator computes.
struct Net {
  Linear<784, 256> hidden;
  Linear<256, 10> out;
  VITRAL_MEMBERS(hidden, out)

  auto operator()(const Operand auto& x) const { return out(relu(hidden(x))); }
};

// The pixels [images, 784], from 0 to 1, and the classes [images] of a data set's first images. (They are gray: red is
// enough.)
struct Arrays {
  Tensor<float, Shape<dyn, 784>> x;
  Tensor<int, Shape<dyn>> y;

  Arrays(const Dataset& data, int images) : x({images}), y({images}) {
    for (int i = 0; i < images; ++i) {
      const Image image = data.image(i);
      for (int p = 0; p < 784; ++p) x(i, p) = static_cast<float>(image.rgb[static_cast<std::size_t>(3 * p)]) / 255;
      y(i) = data.label(i);
    }
  }
};

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
  const Arrays train(FashionMnist(folder, Split::train), 20000), test(FashionMnist(folder, Split::test), 5000);

  const Net net;
  auto trainer = Trainer(Supervised(net, cross_entropy), AdamW{.lr = 1e-3}, Schedule{.epochs = 5});
  const auto losses = trainer.fit(Batches(train.x, train.y, {.batch = 128}));  // the mean loss of each epoch
  std::printf("the loss fell from %.3f to %.3f\n", losses.front(), losses.back());

  // The trainer has trained `net` itself, which shares its parameters with the task.
  std::printf("right on %.1f %% of the test images\n", 100 * static_cast<double>(accuracy(net(test.x), test.y).item()));
}
