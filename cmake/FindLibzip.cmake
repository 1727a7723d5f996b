# Finds libzip, which reads the archives of torch.save, defines Libzip::Libzip. Nothing but read_torch needs it.
find_path(Libzip_INCLUDE_DIR zip.h)
find_library(Libzip_LIBRARY zip)
mark_as_advanced(Libzip_INCLUDE_DIR Libzip_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  Libzip REQUIRED_VARS Libzip_LIBRARY Libzip_INCLUDE_DIR
  REASON_FAILURE_MESSAGE
  "libzip is missing: install libzip-dev (Debian, Ubuntu) or name its place in CMAKE_PREFIX_PATH")

if(Libzip_FOUND AND NOT TARGET Libzip::Libzip)
  add_library(Libzip::Libzip UNKNOWN IMPORTED)
  set_target_properties(Libzip::Libzip PROPERTIES IMPORTED_LOCATION "${Libzip_LIBRARY}"
                                                  INTERFACE_INCLUDE_DIRECTORIES "${Libzip_INCLUDE_DIR}"
                                                  INTERFACE_COMPILE_DEFINITIONS VITRAL_HAS_LIBZIP)
endif()
