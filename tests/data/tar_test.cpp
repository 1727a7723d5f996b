#include "../images.hpp"
#include "temporary.hpp"

#include <vitral/data/tar.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>

using namespace vitral;
using testing::contains;
using testing::error_of;
using testing::slope;
using testing::TemporaryFolder;

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// An archive put together by hand, so that any field can be wrong.
struct Archive {
  Bytes bytes;

  Archive& add(const std::string& path, const Bytes& content, char kind = '0', const std::string& size = "",
               const std::string& link = "") {
    std::array<char, 512> header{};
    std::memcpy(header.data(), path.data(), std::min<std::size_t>(path.size(), 100));
    std::snprintf(&header[100], 8, "%07o", 0644u);
    std::snprintf(&header[124], 12, "%011o", static_cast<unsigned>(content.size()));
    if (!size.empty()) std::memcpy(&header[124], size.data(), std::min<std::size_t>(size.size(), 12));
    header[156] = kind;
    std::memcpy(&header[157], link.data(), std::min<std::size_t>(link.size(), 100));
    std::memcpy(&header[257], "ustar\00000", 8);
    unsigned sum = 8 * ' ';
    for (const char c : header) sum += static_cast<unsigned char>(c);
    std::snprintf(&header[148], 8, "%06o", sum);
    bytes.insert(bytes.end(), header.begin(), header.end());
    bytes.insert(bytes.end(), content.begin(), content.end());
    bytes.resize((bytes.size() + 511) / 512 * 512);
    return *this;
  }
  Archive& link(const std::string& path, const std::string& target, char kind) {
    return add(path, {}, kind, "", target);
  }
  Archive& end() {
    bytes.resize(bytes.size() + 1024);
    return *this;
  }
};

Bytes text(const std::string& s) { return {s.begin(), s.end()}; }

Bytes png(int height, int width) {
  const TemporaryFolder folder;
  testing::make_png(folder.path / "x.png", slope(height, width));
  return read_bytes(folder.path / "x.png");
}

std::string error_in(const Bytes& bytes) {
  const TemporaryFolder folder;
  testing::write_bytes(folder.path / "a.tar", bytes);
  return error_of([&] { TarImages data(folder.path / "a.tar"); });
}

}  // namespace

TEST_CASE("samples are the files that share a name up to its first dot, in whatever order they stand") {
  const TemporaryFolder folder;
  Archive a;
  a.add("./", {}, '5').add("./0001.json", text("{}")).add("./0001.png", png(4, 5)).add("./0001.cls", text("2\n"));
  a.add("./v1.0/0002.cls", text("0")).add("./v1.0/0002.mask.txt", text("?")).add("./v1.0/0002.PNG", png(6, 5)).end();
  testing::write_bytes(folder.path / "a.tar", a.bytes);
  const Dataset data = TarImages(folder.path / "a.tar");
  REQUIRE(data.size() == 2);
  CHECK(data.name() == "a");
  CHECK(data.image(0).height == 4);
  CHECK(data.image(1).rgb == slope(6, 5).rgb);
  CHECK(data.label(0) == 2);
  CHECK(data.label(1) == 0);
  CHECK(data.classes() == std::vector<std::string>{"0", "1", "2"});
  testing::write_bytes(folder.path / "classes.txt", text("ant\nbee\ncat"));
  CHECK(TarImages(folder.path / "a.tar").classes()[2] == "cat");
  testing::write_bytes(folder.path / "classes.txt", text("ant\n"));
  CHECK(contains(error_of([&] { TarImages bad(folder.path / "a.tar"); }), "1 names, but there are labels up to 2"));
}

TEST_CASE("a folder of archives is read in the order of their names, with its splits") {
  const TemporaryFolder folder;
  testing::write_bytes(folder.path / "train" / "b.tar", Archive().add("1.png", png(3, 3)).end().bytes);
  testing::write_bytes(folder.path / "train" / "a.tar", Archive().add("1.png", png(5, 3)).end().bytes);
  testing::write_bytes(folder.path / "val" / "a.tar", Archive().add("1.png", png(7, 3)).end().bytes);
  const TarImages data(folder.path);
  REQUIRE(data.size() == 2);
  CHECK(data.image(0).height == 5);
  CHECK(data.image(1).height == 3);
  CHECK(data.classes().empty());
  CHECK(data.label(0) == -1);
  CHECK(data.file(1) == folder.path / "train" / "b.tar" / "1.png");
  CHECK(TarImages(folder.path, Split::test).image(0).height == 7);
}

TEST_CASE("archives of GNU tar and of pax, with long and foreign names, are understood") {
  const TemporaryFolder folder;
  const std::string name = std::string(120, 'n') + "é";
  testing::make_png(folder.path / "in" / std::string(150, 'd') / (name + ".png"), slope(4, 4));
  testing::write_bytes(folder.path / "in" / std::string(150, 'd') / (name + ".cls"), text("7"));
  for (const char* format : {"gnu", "pax", "oldgnu"}) {
    const std::string command =
        "cd '" + folder.path.string() + "' && tar --format=" + format + " -cf " + format + ".tar in";
    REQUIRE(std::system(command.c_str()) == 0);
    const TarImages data(folder.path / (std::string(format) + ".tar"));
    REQUIRE(data.size() == 1);
    CHECK(data.label(0) == 7);
    CHECK(data.image(0).rgb == slope(4, 4).rgb);
  }
}

TEST_CASE("an image in an archive that cannot be decoded is an error that names both") {
  const TemporaryFolder folder;
  testing::write_bytes(folder.path / "a.tar", Archive().add("dir/1.png", text("no image")).end().bytes);
  const TarImages data(folder.path / "a.tar");
  const std::string message = error_of([&] { (void)data.image(0); });
  CHECK(contains(message, "a.tar: dir/1.png: neither a PNG"));
}

TEST_CASE("damaged archives are errors") {
  Bytes good = Archive().add("1.png", png(3, 3)).add("2.png", png(3, 3)).end().bytes;
  const auto cut = [&](std::size_t length) { return Bytes(good.begin(), good.begin() + static_cast<long>(length)); };
  CHECK(contains(error_in({}), "truncated, ends without the zeros"));
  CHECK(contains(error_in(Archive().end().bytes), "no entry ends in"));
  CHECK(contains(error_in(cut(good.size() - 1024)), "truncated, ends without the zeros"));
  CHECK(contains(error_in(cut(300)), "truncated, ends within a header at byte 0"));
  CHECK(contains(error_in(cut(520)), "truncated, the header at byte 0 announces"));
  CHECK(contains(error_in(text(std::string(2000, 'x'))), "no tar header at byte 0; expected a tar archive"));
  Bytes changed = good;
  changed[3] ^= 1;
  CHECK(contains(error_in(changed), "no tar header at byte 0"));
  CHECK(contains(error_in(Archive().add("1.png", {}, '0', "99999999999").bytes), "impossible size"));
  CHECK(contains(error_in(Archive().add("1.png", {}, '0', "77777777777").bytes), "truncated"));
  CHECK(contains(error_in(Archive().add("1.png", {}, '0', std::string(12, '\xff')).bytes), "impossible size"));
  CHECK(contains(error_in(Archive().add("x", text("12 path"), 'x').bytes), "damaged pax records"));
  CHECK(
      contains(error_in(Archive().add("x", text("99999999999999999999 path=a\n"), 'x').bytes), "damaged pax records"));
  CHECK(contains(error_in(Archive().add("x", text("3 \n"), 'x').bytes), "damaged pax records"));
  CHECK(contains(error_in(Archive().add("x", text("16 size=badbad\n\n"), 'x').bytes), "damaged pax records"));
  CHECK(
      contains(error_in(Archive().add("x", text(std::string("11 path=a\0\n", 11)), 'x').bytes), "damaged pax records"));
  CHECK(contains(error_in(Archive().add("1.png", png(2, 2)).add("1.cls", text("cat")).end().bytes),
                 "label \"cat\", expected a number"));
  CHECK(contains(error_in(Archive().add("1.png", png(2, 2)).add("1.cls", text("-1")).end().bytes), "label \"-1\""));
  const Bytes some = Archive().add("1.png", png(2, 2)).add("1.cls", text("1")).add("2.png", png(2, 2)).end().bytes;
  CHECK(contains(error_in(some), "2.png has no label"));
}

TEST_CASE("members in any order, hidden ones among them, archive after archive in one file, give the same samples") {
  const TemporaryFolder folder;
  Archive a, b;
  a.add("2.png", png(2, 2)).add("1.png", png(1, 1)).add("._1.png", text("Mac")).add("__MACOSX/3.png", text("Mac"));
  a.add("._1.cls", text("Mac")).add(".git/4.png", text("?")).add("1.cls", text("0")).add("2.CLS", text("1")).end();
  b.add("3.cls", text("2")).add("3.Jpeg", png(3, 3)).end();
  a.bytes.insert(a.bytes.end(), b.bytes.begin(), b.bytes.end());
  testing::write_bytes(folder.path / "a.tar", a.bytes);
  const TarImages data(folder.path / "a.tar");
  REQUIRE(data.size() == 3);
  for (const int i : {0, 1, 2}) CHECK(data.label(i) == std::array{1, 0, 2}[static_cast<std::size_t>(i)]);
  CHECK(data.image(0).height == 2);
  CHECK(data.image(1).height == 1);
  CHECK(data.image(2).height == 3);
}

TEST_CASE("a sample with several images is an error, unless the ending of the one to take is known") {
  const auto both = Archive().add("1.depth.png", png(2, 2)).add("1.png", png(3, 3)).add("1.cls", text("0")).end().bytes;
  CHECK(contains(error_in(both), "a.tar: 1.png and 1.depth.png have one key"));
  CHECK(contains(error_in(both), "TarImages' ending depth.png or png"));
  const TemporaryFolder folder;
  testing::write_bytes(folder.path / "a.tar", both);
  const auto height = [&](const char* ending) {
    return TarImages(folder.path / "a.tar", Split::train, 0, ending).image(0).height;
  };
  CHECK(height("png") == 3);
  CHECK(height(".PNG") == 3);
  CHECK(height("depth.png") == 2);
  CHECK(contains(error_of([&] { (void)height("jpg"); }), "1.png: its sample has no image that ends in .jpg"));
  CHECK(contains(error_in(Archive().add("cam.0.jpg", png(1, 1)).add("cam.1.jpg", png(1, 1)).end().bytes),
                 "cam.1.jpg and cam.0.jpg have one key, which ends at the first dot"));
  CHECK(contains(error_in(Archive().add("1.png", png(1, 1)).add("1.png", png(1, 1)).end().bytes),
                 "stands in the archive twice"));
  CHECK(contains(error_in(Archive().add("1.cls", text("1")).add("1.CLS", text("2")).end().bytes),
                 "so are labels of one"));
  CHECK(contains(error_in(Archive().add("1.gif", text("?")).add("1.cls", text("2")).end().bytes),
                 "1.cls: a label without an image"));
}

TEST_CASE("links are what they stand for, or an error") {
  const TemporaryFolder folder;
  const std::string far(120, 'f');
  testing::make_png(folder.path / "in" / "a" / "1.png", slope(4, 4));
  testing::make_png(folder.path / "in" / far / "2.png", slope(5, 4));
  testing::write_bytes(folder.path / "in" / "a" / "1.cls", text("7"));
  fs::create_hard_link(folder.path / "in" / far / "2.png", folder.path / "in" / (far + ".png"));
  fs::create_symlink("../a/1.png", folder.path / "in" / far / "3.png");
  fs::create_symlink("../a/1.cls", folder.path / "in" / far / "3.cls");
  for (const std::string& name : {far + "/2.cls", far + ".cls"})
    testing::write_bytes(folder.path / "in" / name, text("3"));
  for (const char* format : {"gnu", "pax"}) {
    const std::string command =
        "cd '" + folder.path.string() + "' && tar --sort=name --format=" + format + " -cf x.tar in";
    REQUIRE(std::system(command.c_str()) == 0);
    const TarImages data(folder.path / "x.tar");
    REQUIRE(data.size() == 4);
    std::vector<std::pair<int, int>> found;  // height and label
    for (long i = 0; i < 4; ++i) found.emplace_back(data.image(i).height, data.label(i));
    std::sort(found.begin(), found.end());
    CHECK(found == std::vector<std::pair<int, int>>{{4, 7}, {4, 7}, {5, 3}, {5, 3}});
  }
  CHECK(contains(error_in(Archive().add("1.png", png(2, 2)).link("2.png", "3.png", '1').end().bytes),
                 "2.png is a link to 3.png, which is no file of the archive"));
}

TEST_CASE("what is not read is refused by name") {
  const TemporaryFolder folder;
  CHECK(contains(error_in(Archive().add("1.png", png(2, 2), 'S').end().bytes), "1.png is a sparse file"));
  CHECK(contains(error_in(Archive().add("x", text("22 GNU.sparse.major=1\n"), 'x').add("1.png", png(2, 2)).end().bytes),
                 "1.png is a sparse file"));
  CHECK(contains(error_in({0x1f, 0x8b, 8, 0, 0, 0, 0}), "a.tar: is compressed"));
  testing::write_bytes(folder.path / "a.tar", Archive().add("1.png", png(2, 2)).end().bytes);
  CHECK(TarImages(folder.path).size() == 1);
  testing::write_bytes(folder.path / "._a.tar", {1, 2, 3});
  testing::write_bytes(folder.path / "B.TAR", Archive().add("1.png", png(2, 2)).end().bytes);
  CHECK(TarImages(folder.path).size() == 2);
  testing::write_bytes(folder.path / "c.tar.gz", {0x1f, 0x8b, 8, 0, 0, 0, 0});
  CHECK(contains(error_of([&] { TarImages bad(folder.path); }),
                 "unpack it once (gunzip " + (folder.path / "c.tar.gz").string()));
  const Bytes binary = Archive().add("1.png", png(2, 2)).add("1.cls", Bytes{'a', 0, 'b'}).end().bytes;
  CHECK(contains(error_in(binary), "label \"a?b\", expected a number"));  // no NUL cuts the message short
}
