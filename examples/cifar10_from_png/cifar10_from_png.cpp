// Turns one PNG strip (1024 x N RGB pixels, each row one 32 x 32 image) and a slice of a JSON array of labels into
// CIFAR-10's standard binary records: the label, then 1024 red, 1024 green and 1024 blue bytes. Needs libpng only.
// Usage: cifar10_from_png STRIP.png LABELS.json FIRST_LABEL OUT.bin
#include <png.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

[[noreturn]] void stop(const std::string& message) {
  std::fprintf(stderr, "cifar10_from_png: %s\n", message.c_str());
  std::exit(1);
}

// The file is one flat array of numbers from 0 to 9, so every digit is a label.
std::vector<unsigned char> read_labels(const char* path) {
  std::ifstream file(path);
  if (!file) stop(std::string(path) + ": cannot open");
  std::vector<unsigned char> labels;
  bool in_number = false;
  for (std::istreambuf_iterator<char> at(file), end; at != end; ++at) {
    const bool digit = std::isdigit(static_cast<unsigned char>(*at)) != 0;
    if (digit && in_number) stop(std::string(path) + ": a label above 9");
    if (!digit && std::string("[], \n\r\t").find(*at) == std::string::npos)
      stop(std::string(path) + ": expected one array of labels");
    if (digit) labels.push_back(static_cast<unsigned char>(*at - '0'));
    in_number = digit;
  }
  return labels;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) stop("usage: cifar10_from_png STRIP.png LABELS.json FIRST_LABEL OUT.bin");
  const std::vector<unsigned char> labels = read_labels(argv[2]);
  char* end = nullptr;
  const std::size_t first = std::strtoul(argv[3], &end, 10);
  if (*argv[3] < '0' || *argv[3] > '9' || *end != '\0')
    stop(std::string(argv[3]) + ": expected the first label's number");

  png_image strip{};
  strip.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&strip, argv[1])) stop(std::string(argv[1]) + ": " + strip.message);
  strip.format = PNG_FORMAT_RGB;
  if (strip.width != 1024) stop(std::string(argv[1]) + ": expected rows of 1024 pixels");
  std::vector<unsigned char> pixels(PNG_IMAGE_SIZE(strip));
  if (!png_image_finish_read(&strip, nullptr, pixels.data(), 0, nullptr))
    stop(std::string(argv[1]) + ": " + strip.message);
  if (first > labels.size() || strip.height > labels.size() - first)
    stop(std::string(argv[2]) + ": fewer labels than images");

  std::FILE* out = std::fopen(argv[4], "wb");
  if (out == nullptr) stop(std::string(argv[4]) + ": cannot write");
  std::array<unsigned char, 3073> record;
  for (std::size_t i = 0; i < strip.height; ++i) {
    record[0] = labels[first + i];
    for (std::size_t p = 0; p < 1024; ++p)
      for (std::size_t c = 0; c < 3; ++c) record[1 + c * 1024 + p] = pixels[(i * 1024 + p) * 3 + c];
    if (std::fwrite(record.data(), 1, record.size(), out) != record.size()) stop(std::string(argv[4]) + ": disk full?");
  }
  if (std::fclose(out) != 0) stop(std::string(argv[4]) + ": disk full?");
}
