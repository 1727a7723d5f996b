# The Debian packages that Vitral uses, and a function that installs those that are missing. Sourced by bash scripts.

# To build and run the programs.
vitral_packages="g++ cmake ninja-build pkg-config libdnnl-dev libeigen3-dev nlohmann-json3-dev libcli11-dev zlib1g-dev
  libpng-dev libjpeg62-turbo-dev libwebp-dev libmatio-dev libzip-dev doctest-dev gnuplot-nox
  dataset-fashion-mnist"
# To run every test as well.
vitral_test_packages="clang clang-format clang-tidy doxygen libomp-14-dev libclang-rt-14-dev
  libbenchmark-dev"

# install_missing PACKAGE...
install_missing() {
  local package missing="" as_root=""
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is not Debian: nothing is installed. Needed are the counterparts of: $(echo $*)"
    return 0
  fi
  for package in "$@"; do
    case "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" in
      "install ok installed") ;;
      *) missing="$missing $package" ;;
    esac
  done
  test -n "$missing" || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Run as root, or install sudo, or install yourself:$missing" >&2; return 1; }
    as_root="sudo"
  fi
  echo "Installing:$missing"
  $as_root apt-get update -q </dev/null &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing </dev/null
}
