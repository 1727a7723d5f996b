# Finds oneDNN 2.6 or newer, defines OneDNN::OneDNN and OneDNN_VERSION. oneDNN's own package file is not used: Debian's
# asks for an OpenCL that its CPU engine never touches.
if(TARGET DNNL::dnnl AND NOT OneDNN_LIBRARY)
  # The surrounding project builds or found oneDNN itself.
  set(OneDNN_FOUND TRUE)
  if(NOT TARGET OneDNN::OneDNN)
    add_library(OneDNN::OneDNN INTERFACE IMPORTED)
    set_target_properties(OneDNN::OneDNN PROPERTIES INTERFACE_LINK_LIBRARIES DNNL::dnnl)
  endif()
  return()
endif()

find_path(OneDNN_INCLUDE_DIR oneapi/dnnl/dnnl.h)
find_library(OneDNN_LIBRARY dnnl)
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)

if(OneDNN_INCLUDE_DIR AND EXISTS "${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h")
  file(STRINGS "${OneDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h" onednn_lines
       REGEX "#define DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
  string(REGEX REPLACE "[^0-9]+" "." OneDNN_VERSION "${onednn_lines}")
  string(REGEX REPLACE "^\\." "" OneDNN_VERSION "${OneDNN_VERSION}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR VERSION_VAR OneDNN_VERSION
  REASON_FAILURE_MESSAGE
  "oneDNN is missing: install libdnnl-dev (Debian, Ubuntu) or name its place in CMAKE_PREFIX_PATH")

if(OneDNN_FOUND AND NOT TARGET OneDNN::OneDNN)
  add_library(OneDNN::OneDNN UNKNOWN IMPORTED)
  set_target_properties(OneDNN::OneDNN PROPERTIES IMPORTED_LOCATION "${OneDNN_LIBRARY}"
                                                  INTERFACE_INCLUDE_DIRECTORIES "${OneDNN_INCLUDE_DIR}")
endif()
