# Helpers of Vitral's own build; nothing here reaches a project that uses the library.

# find_package unless the surrounding project brings the target already; what is found becomes visible to that project.
function(vitral_find package target)
  if(TARGET ${target})
    return()
  endif()
  find_package(${package} REQUIRED ${ARGN})
  get_target_property(aliased ${target} ALIASED_TARGET)
  if(NOT aliased)
    set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
  endif()
endfunction()

# The flags of tests, examples and benchmarks: warnings, this machine's vector units, sanitizers.
function(vitral_program_flags target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion)
  if(VITRAL_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(VITRAL_NATIVE)
    target_compile_options(${target} PRIVATE -march=native -mprefer-vector-width=512)
  endif()
  # No value changes: errno and floating-point traps are not looked at, and without them more loops become SIMD.
  target_compile_options(${target} PRIVATE -fno-math-errno -fno-trapping-math)
  if(VITRAL_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${VITRAL_SANITIZE} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${VITRAL_SANITIZE})
  endif()
endfunction()

# One program of one source file, NAME.cpp, in the build folder's bin/.
function(vitral_program name)
  add_executable(${name} ${name}.cpp)
  target_link_libraries(${name} PRIVATE vitral::tools ${ARGN})
  vitral_program_flags(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()
