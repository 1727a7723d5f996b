# Finds matio, which reads MATLAB's files, defines Matio::Matio. Nothing but the data set flowers102 needs it.
find_path(Matio_INCLUDE_DIR matio.h)
find_library(Matio_LIBRARY matio)
mark_as_advanced(Matio_INCLUDE_DIR Matio_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  Matio REQUIRED_VARS Matio_LIBRARY Matio_INCLUDE_DIR
  REASON_FAILURE_MESSAGE
  "matio is missing: install libmatio-dev (Debian, Ubuntu) or name its place in CMAKE_PREFIX_PATH")

if(Matio_FOUND AND NOT TARGET Matio::Matio)
  add_library(Matio::Matio UNKNOWN IMPORTED)
  set_target_properties(Matio::Matio PROPERTIES IMPORTED_LOCATION "${Matio_LIBRARY}"
                                                INTERFACE_INCLUDE_DIRECTORIES "${Matio_INCLUDE_DIR}"
                                                INTERFACE_COMPILE_DEFINITIONS VITRAL_HAS_MATIO)
endif()
