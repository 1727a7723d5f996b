#!/bin/bash
# finds_merged.sh CXX: merged.sh refuses what two compilers must not share, and accepts the rest.
set -eu
cxx=$1 check=$(cd "$(dirname "$0")" && pwd)/merged.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

try() {  # try ACCEPTED|REFUSED SOURCE
  printf '#include <%s>\n' string system_error vector >"$folder/a.cpp"
  printf 'int use(std::vector<std::string> v) { return v.size(); }\n%s\n' "$2" >>"$folder/a.cpp"
  for object in one two; do "$cxx" -std=c++20 -O0 -DNAMESPACE=$object -c "$folder/a.cpp" -o "$folder/$object.o"; done
  if bash "$check" "$folder/one.o" "$folder/two.o" >"$folder/log"; then result=accepted; else result=refused; fi
  test $result = "$1" || { echo "'$2' was $result:"; cat "$folder/log"; exit 1; }
}
try accepted \
  'inline namespace NAMESPACE { struct Ours { std::string name; }; } int f(std::vector<Ours> v) { return v.size(); }'
try accepted 'namespace { struct Ours { std::string name; }; } int f(std::vector<Ours> v) { return v.size(); }'
try accepted 'std::string f(const std::error_code& e) { return e.message(); }'
try accepted 'namespace nlohmann { template <class T> struct X { template <class U> U get_impl() const { return {}; }
  template <class U> auto get() const -> decltype(std::declval<const X&>().template get_impl<U>()) { return {}; } }; }
  int f(nlohmann::X<int> x) { return x.get<int>(); }'
try refused 'struct Ours { std::string name; }; int f(std::vector<Ours> v) { return v.size(); }'
try refused 'namespace vitral { inline int ours() { return 1; } } int f() { return vitral::ours(); }'
try refused 'inline int ours() { return 1; } int f() { return ours(); }'
try refused 'inline std::string ours() { return {}; } int f() { return int(ours().size()); }'
try refused 'namespace nlohmann { template <class T> auto get(T x) -> decltype(x.template impl<int>()) { return {}; } }
  struct Ours { template <class U> U impl() { return {}; } }; int f() { return nlohmann::get(Ours()); }'
try refused 'inline int ours = use({}); int f() { return ours; }'
try refused 'struct Ours { virtual ~Ours() {} }; int f() { Ours a; return 0; }'
try refused 'enum Ours { a }; template <class T> struct X { T t; ~X() {} }; int f() { X<Ours> x{}; return x.t; }'
echo "whatever would be merged is found"
