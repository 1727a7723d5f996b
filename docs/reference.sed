# What Doxygen reads of a header: without the inline namespace, and comments as plain text.
s/ inline namespace VITRAL_ABI {//
s,^}\(}*  // namespace vitral.*\)$,\1,
\,///[^<], {
  s/[\\@]/\\&/g
  s/[<>#]/\\&/g
}
