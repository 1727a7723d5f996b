// A small GPT learns a song that repeats itself, and goes on with it.
#include <vitral/data/batches.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

#include <iostream>

using namespace vitral;

// data
const std::string letters = " abcdefghijklmnopqrstuvwxyz";

std::string song(std::size_t length) {
  std::string text;
  while (text.size() < length) text += "row row row your boat gently down the stream ";
  return text.substr(0, length);
}

// The numbers of 16 letters of the text from each of `count` places on, of which the first is `first`.
Tensor<int, Shape<dyn, 16>> windows(const std::string& text, int count, int first) {
  Tensor<int, Shape<dyn, 16>> x({count});
  for (int i = 0; i < count; ++i)
    for (int t = 0; t < 16; ++t)
      x(i, t) = static_cast<int>(letters.find(text[static_cast<std::size_t>(first + i + t)]));
  return x;
}
// end of data

using Block = TransformerBlock<32, float, Cpu, Causal::yes>;

struct Tokens {
  Embedding<27, 32> letter{Seed{1}};
  Embedding<16, 32> place{Seed{2}};
  VITRAL_MEMBERS(letter, place)
  auto operator()(const auto& ids) const { return eval(letter(ids) + place.weight); }
};

int main() {
  const std::string text = song(600);
  const Sequential net(Tokens(), Block(4, Seed{3}), Block(4, Seed{4}), LayerNorm<32>(), Linear<32, 27>(Seed{5}));
  Trainer(Supervised(net), AdamW{.lr = 3e-3}, Schedule{.epochs = 20})
      .fit(Batches(windows(text, 512, 0), windows(text, 512, 1), {.batch = 32}));
  std::string sung = text.substr(0, 16);
  for (int i = 0; i < 100; ++i) sung += letters[static_cast<std::size_t>(argmax<-1>(net(windows(sung, 1, i)))(0, 15))];
  std::cout << "gpt: " << sung << '\n';
  return sung == text.substr(0, sung.size()) ? 0 : 1;
}
