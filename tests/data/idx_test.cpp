#include "temporary.hpp"

#include <vitral/data/idx.hpp>

using namespace vitral;
using testing::contains;
using testing::error_of;

namespace {

using Bytes = std::vector<std::uint8_t>;

void append_number(Bytes& bytes, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(number >> shift));
}

Bytes images(std::uint32_t count, std::uint32_t extent = 28) {
  Bytes bytes{0, 0, 8, 3};
  append_number(bytes, count);
  append_number(bytes, extent);
  append_number(bytes, extent);
  for (std::uint32_t i = 0; i < count * extent * extent; ++i) bytes.push_back(static_cast<std::uint8_t>(i % 249));
  return bytes;
}

Bytes labels(std::uint32_t count) {
  Bytes bytes{0, 0, 8, 1};
  append_number(bytes, count);
  for (std::uint32_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>((i + 7) % 10));
  return bytes;
}

void write_gzip(const std::filesystem::path& path, const Bytes& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size()));
  REQUIRE(gzclose(file) == Z_OK);
}

struct Files : testing::TemporaryFolder {
  std::filesystem::path images_path = path / "train-images-idx3-ubyte";
  std::filesystem::path labels_path = path / "train-labels-idx1-ubyte";
  void write(const Bytes& pixels, const Bytes& targets) const {
    testing::write_bytes(images_path, pixels);
    testing::write_bytes(labels_path, targets);
  }
  std::string error() const {
    return error_of([&] { FashionMnist data(path); });
  }
};

void check_content(const FashionMnist& data) {
  REQUIRE(data.size() == 4);
  CHECK(data.label(0) == 7);
  CHECK(data.label(3) == 0);
  CHECK(data.classes().size() == 10);
  CHECK(data.classes()[9] == "Ankle boot");
  const Image image = data.image(2);
  REQUIRE(image.rgb.size() == 28 * 28 * 3);
  CHECK(image.height == 28);
  CHECK(image.width == 28);
  for (std::size_t p = 0; p < 28 * 28; ++p)
    for (std::size_t c = 0; c < 3; ++c) REQUIRE(image.rgb[3 * p + c] == (2 * 28 * 28 + p) % 249);
}

}  // namespace

TEST_CASE("Fashion-MNIST reads plain IDX files as three equal channels") {
  const Files files;
  files.write(images(4), labels(4));
  check_content(FashionMnist(files.path));
}

TEST_CASE("Fashion-MNIST reads gzip-compressed IDX files, and the test split from its own") {
  const Files files;
  write_gzip(files.path / "t10k-images-idx3-ubyte.gz", images(4));
  write_gzip(files.path / "t10k-labels-idx1-ubyte.gz", labels(4));
  check_content(FashionMnist(files.path, Split::test));
  CHECK_THROWS_AS(FashionMnist(files.path, Split::train), Error);
}

TEST_CASE("a missing Fashion-MNIST file is named together with what to do") {
  const Files files;
  std::string message = files.error();
  CHECK(contains(message, files.images_path.string()));
  CHECK(contains(message, "apt-get install dataset-fashion-mnist"));
  CHECK(contains(message, "the data set's path"));
  testing::write_bytes(files.images_path, images(4));
  message = files.error();
  CHECK(contains(message, files.labels_path.string()));
}

TEST_CASE("truncated Fashion-MNIST data is an error, plain and compressed") {
  Files files;
  Bytes pixels = images(4);
  pixels.pop_back();
  files.write(pixels, labels(4));
  CHECK(contains(files.error(), files.images_path.string() + ": truncated, 3135 bytes"));
  files.write(images(4), {0, 0, 8, 1, 0, 0});
  CHECK(contains(files.error(), files.labels_path.string() + ": truncated, the header has 6 bytes"));

  files.write(images(4), labels(4));
  std::filesystem::remove(files.images_path);
  const std::filesystem::path compressed = files.images_path.string() + ".gz";
  write_gzip(compressed, images(4));
  CHECK(FashionMnist(files.path).size() == 4);
  std::filesystem::resize_file(compressed, std::filesystem::file_size(compressed) - 20);
  CHECK(contains(files.error(), compressed.string()));
  write_gzip(compressed, images(4));
  std::filesystem::resize_file(compressed, std::filesystem::file_size(compressed) - 4);  // a part of the checksum
  CHECK(contains(files.error(), compressed.string()));
}

TEST_CASE("every field of the IDX header is checked") {
  const Files files;
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    Bytes pixels = images(4);
    pixels[at] = value;
    files.write(pixels, labels(4));
    return files.error();
  };
  CHECK(contains(changed(0, 1), "not an IDX file"));
  CHECK(contains(changed(1, 1), "not an IDX file"));
  CHECK(contains(changed(2, 9), "element type 9, expected 8"));
  CHECK(contains(changed(3, 1), "1 dimensions, expected 3"));
  CHECK(contains(changed(7, 5), "truncated"));      // five images promised
  CHECK(contains(changed(7, 3), "more data"));      // three
  CHECK(contains(changed(7, 0), "extent 0 is 0"));  // none
  CHECK(contains(changed(4, 0x7f), "extent"));      // two milliards
  CHECK(contains(changed(11, 14), "more data"));    // 14 rows
  CHECK(contains(changed(15, 0xff), "truncated"));  // 255 columns
  files.write(images(4, 14), labels(4));
  CHECK(contains(files.error(), "images of 14 x 14 pixels, expected 28 x 28"));
}

TEST_CASE("Fashion-MNIST's labels must fit its images and its classes") {
  const Files files;
  files.write(images(4), labels(5));
  CHECK(contains(files.error(), "5 labels for the 4 images"));
  Bytes targets = labels(4);
  targets[4 + 4 + 2] = 10;
  files.write(images(4), targets);
  CHECK(contains(files.error(), "label 10 of image 2"));
}
