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

# The same for a package that the library can do without.
function(vitral_find_optional package target)
  if(TARGET ${target})
    return()
  endif()
  find_package(${package} QUIET)
  if(TARGET ${target})
    set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
  else()
    message(STATUS "${package} is not here: what needs it is left out")
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

# The program NAME of the file SOURCE, in the build folder's bin/, with further libraries.
function(vitral_program name source)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE vitral::tools ${ARGN})
  vitral_program_flags(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

include(CheckCXXSymbolExists)

# Compiles FILE, a .cu, into TARGET. (Not by CMake's own CUDA language: the flags of the C++ sources are not nvcc's.)
# Most of the time goes on the host's part.
set(VITRAL_CUDA_ARCHITECTURES usual CACHE STRING
    "Generations of GPUs, in the words of CMAKE_CUDA_ARCHITECTURES, or those that cmake/nvcc.sh calls usual")
set(VITRAL_CUDA_HOST_LEVEL -O1 CACHE STRING "Optimisation of the code that queues kernels")
function(vitral_cuda_part target file)
  # The two parts of a program exchange strings and vectors: both must have those of nvcc's host compiler.
  check_cxx_symbol_exists(__GLIBCXX__ string VITRAL_HAS_LIBSTDCXX)
  if(NOT VITRAL_HAS_LIBSTDCXX)
    message(FATAL_ERROR "VITRAL_CUDA is on, but ${CMAKE_CXX_COMPILER} does not use libstdc++, as nvcc's host compiler "
                        "does: leave out -stdlib=libc++, or turn VITRAL_CUDA off")
  endif()
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${file}.o")
  get_filename_component(folder "${object}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  add_custom_command(
    OUTPUT "${object}"
    COMMAND bash "${PROJECT_SOURCE_DIR}/cmake/nvcc.sh" "${CUDAToolkit_NVCC_EXECUTABLE}" "${VITRAL_CUDA_ARCHITECTURES}"
            ${VITRAL_CUDA_HOST_LEVEL} -Xcompiler -fopenmp $<$<TARGET_EXISTS:Matio::Matio>:-DVITRAL_HAS_MATIO>
            $<$<TARGET_EXISTS:Libzip::Libzip>:-DVITRAL_HAS_LIBZIP>
            "-I${PROJECT_SOURCE_DIR}/include" "-I${PROJECT_SOURCE_DIR}/examples"
            -MD -MF "${object}.d" -MT "${object}" -c "${CMAKE_CURRENT_SOURCE_DIR}/${file}" -o "${object}"
    DEPENDS "${file}" "${PROJECT_SOURCE_DIR}/cmake/nvcc.sh" DEPFILE "${object}.d"
    COMMENT "Compiling ${file} with nvcc" VERBATIM COMMAND_EXPAND_LISTS)
  target_sources(${target} PRIVATE "${object}")
  target_compile_definitions(${target} PRIVATE VITRAL_HAS_CUDA)
  target_link_libraries(${target} PRIVATE CUDA::cudart_static CUDA::cublasLt)
endfunction()
