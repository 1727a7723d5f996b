# Checks of the sources, of the compilers' messages and of the package, rather than of values.

# What a compiler run by hand needs: the library's flags, its own folder as -I and the dependencies' as system folders.
find_package(CLI11 REQUIRED)
set(folders "")
foreach(target IN ITEMS CLI11::CLI11 Eigen3::Eigen OneDNN::OneDNN OpenMP::OpenMP_CXX nlohmann_json::nlohmann_json
                        ZLIB::ZLIB PNG::PNG JPEG::JPEG WebP::WebP)
  list(APPEND folders "$<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>")
endforeach()
set(folders "$<REMOVE_DUPLICATES:$<FILTER:$<GENEX_EVAL:${folders}>,EXCLUDE,^/usr/include$>>")
set(flags_file "${CMAKE_CURRENT_BINARY_DIR}/compile_flags.txt")
file(GENERATE OUTPUT "${flags_file}" CONTENT "-std=c++20
-fopenmp
\"-I${PROJECT_SOURCE_DIR}/include\"
$<$<BOOL:${folders}>:-isystem
\"$<JOIN:${folders},\"
-isystem
\">\">
")

find_program(VITRAL_GCC NAMES g++)
find_program(VITRAL_CLANG NAMES clang++)
find_program(VITRAL_NVCC NAMES nvcc HINTS "$ENV{CUDACXX}" "$ENV{CUDA_HOME}/bin" /usr/local/cuda/bin)
set(compilers "")
foreach(compiler IN ITEMS gcc clang)
  string(TOUPPER "VITRAL_${compiler}" variable)
  if(${variable})
    list(APPEND compilers ${compiler})
    set(${compiler}_path "${${variable}}")
  else()
    message(STATUS "${compiler} is not here: the checks that compile with it are left out")
  endif()
endforeach()

# For checks that one compiler makes: clang++, the faster one, where it is here.
list(GET compilers -1 checker)

# The order of the folders, and what each may include.
vitral_test(layers COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/layers/check.sh" "${PROJECT_SOURCE_DIR}/include")
vitral_test(layers.finds_violations COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/layers/finds_violations.sh")

# The form of the sources, and no line too long.
vitral_test(format COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/format/check.sh" "${PROJECT_SOURCE_DIR}")
vitral_test(format.finds_violations COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/format/finds_violations.sh")

# The code in the README is code that compiles.
vitral_test(docs COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/docs/check.sh")
vitral_test(docs.operations COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/docs/operations.sh")

# Lessons stay short, need Vitral alone, and compile.
vitral_test(docs.lessons COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/docs/lessons.sh" "${${checker}_path}"
            "${flags_file}")

# What CONTRIBUTING.md adds to the library, as diffs, applies and compiles.
vitral_test(docs.contributing COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/docs/contributing.sh" "${${checker}_path}"
            "${flags_file}")

# The reference that Doxygen writes has a comment for every public type and function.
vitral_test(docs.reference COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/docs/reference.sh"
            "${PROJECT_BINARY_DIR}/Doxyfile")

# Every header compiles alone, without a warning: g++ sees them all in two_files below.
vitral_test(headers PROCESSORS 2 COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/headers/check.sh" "${${checker}_path}"
            "${flags_file}" "${PROJECT_SOURCE_DIR}/include")

# Whatever bytes a reader is given, it reads them or throws an Error that a person can read: seconds of each format.
vitral_test(fuzz COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/run.sh" "${${checker}_path}" "${flags_file}" 8)

# What must not compile does not, with the message that a user needs.
file(GLOB cases CONFIGURE_DEPENDS "compile_fail/*.cpp")
foreach(case IN LISTS cases)
  get_filename_component(name "${case}" NAME_WE)
  foreach(compiler IN LISTS compilers)
    vitral_test(compile_fail.${name}.${compiler} COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/check.sh"
                "${${compiler}_path}" "${flags_file}" "${case}")
  endforeach()
endforeach()

# Loops that g++ gives up SIMD for when too much is optional in them.
if(VITRAL_GCC AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  vitral_test(simd.epilogue COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/simd/check.sh" "${gcc_path}" "${flags_file}"
              "${CMAKE_CURRENT_SOURCE_DIR}/simd/epilogue.cpp" backend/cpu/matmul.hpp 12)
endif()

# The time that including the library costs; the figure is printed and kept in compile_time.txt.
foreach(compiler IN LISTS compilers)
  vitral_test(compile_time.${compiler} COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/compile_time/check.sh"
              "${${compiler}_path}" "${flags_file}" "${CMAKE_CURRENT_SOURCE_DIR}/compile_time/two_matrices.cpp"
              "${PROJECT_BINARY_DIR}/compile_time.${compiler}.txt")
  set_tests_properties(compile_time.${compiler} PROPERTIES RUN_SERIAL TRUE)
endforeach()

# clang-tidy reads every header once: bugs and waste that the compilers do not warn of.
vitral_test(tidy COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/tidy/check.sh" "${flags_file}"
            "${CMAKE_CURRENT_BINARY_DIR}/link/everything.hpp")

# Two source files that include everything link into one program, beside one with other checks.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include"
     "${PROJECT_SOURCE_DIR}/include/vitral/*.hpp")
list(FILTER headers EXCLUDE REGEX "/cuda/")
list(TRANSFORM headers REPLACE "(.+)" "#include <\\1>\n")
string(JOIN "" everything ${headers})
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/link/everything.hpp" CONTENT "${everything}" @ONLY)
add_executable(two_files link/one.cpp link/two.cpp link/checked.cpp)
target_include_directories(two_files PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/link")
target_link_libraries(two_files PRIVATE vitral::tools)
vitral_program_flags(two_files)
target_compile_options(two_files PRIVATE -O0)  # nothing is inlined away: every function that is not `inline` clashes
vitral_test(two_files COMMAND two_files)

# Programs of two compilers: nothing of ours is in both parts, so that the linker replaces none of it.
vitral_test(merged.finds COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/link/finds_merged.sh" "${CMAKE_CXX_COMPILER}")
if(VITRAL_BUILD_EXAMPLES)
  add_subdirectory(golden)
endif()
if(VITRAL_BUILD_EXAMPLES AND VITRAL_CUDA)
  set(merged "${CMAKE_CURRENT_SOURCE_DIR}/link/merged.sh")
  vitral_test(merged.pretrain COMMAND bash "${merged}" "${PROJECT_BINARY_DIR}/examples/pretrain/cuda.cu.o"
              $<TARGET_OBJECTS:pretrain>)
  foreach(program IN ITEMS evaluate embed propagate)
    vitral_test(merged.${program} COMMAND bash "${merged}" "${PROJECT_BINARY_DIR}/examples/common/on_cuda.cu.o"
                $<TARGET_OBJECTS:${program}>)
  endforeach()
  vitral_test(merged.finetune COMMAND bash "${merged}" "${PROJECT_BINARY_DIR}/examples/finetune/cuda.cu.o"
              $<TARGET_OBJECTS:finetune>)
  if(VITRAL_CUDA_GOLDEN)
    vitral_test(merged.check_golden COMMAND bash "${merged}" "${CMAKE_CURRENT_BINARY_DIR}/golden/check_golden_cuda.cu.o"
                $<TARGET_OBJECTS:check_golden>)
  endif()
endif()

# Projects outside the tree, in the three ways that CMake offers.
foreach(way IN ITEMS find_package add_subdirectory fetch_content)
  vitral_test(consumer.${way} COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/consumer/check.sh" "${CMAKE_COMMAND}" ${way}
              "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}" "${CMAKE_CURRENT_BINARY_DIR}/consumer"
              "${CMAKE_CXX_COMPILER}" "${CMAKE_GENERATOR}")
endforeach()

# Eight programs of strangers, built with what the first of these installed, beside their twins in PyTorch. By the
# compiler that takes a third of the time for them, and whose programs learn as fast without optimisation.
vitral_test(consumer.outside COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/consumer/outside/check.sh" "${CMAKE_COMMAND}"
            "${CMAKE_CURRENT_BINARY_DIR}/consumer/find_package/prefix" "${CMAKE_CURRENT_BINARY_DIR}/consumer/outside"
            "${${checker}_path}" "${CMAKE_GENERATOR}")
set_tests_properties("${name_prefix}consumer.find_package" PROPERTIES FIXTURES_SETUP installed_package)
set_tests_properties("${name_prefix}consumer.outside" PROPERTIES FIXTURES_REQUIRED installed_package)

# CUDA, under nvcc where there is one: compiled for the generations that programs have code for, and one source for all
# that nvcc knows; run where there is a device.
set(cuda_default OFF)
if(VITRAL_NVCC)
  set(cuda_default ON)
endif()
option(VITRAL_CUDA_TESTS "Compile the CUDA tests with nvcc" ${cuda_default})
set(nvcc none)  # a test's command cannot hold an empty word
if(VITRAL_CUDA_TESTS)
  set(nvcc "${VITRAL_NVCC}")
endif()
foreach(source IN ITEMS expressions conformance attention augment lanes products training)
  set(architectures usual)
  if(source STREQUAL attention)
    set(architectures all)
  endif()
  vitral_test(cuda.${source} COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/cuda/check.sh" "${nvcc}" "${PROJECT_SOURCE_DIR}"
              "${CMAKE_CURRENT_SOURCE_DIR}/cuda/${source}_test.cu" "${CMAKE_CURRENT_BINARY_DIR}" ${architectures})
endforeach()

foreach(source IN ITEMS step attention)
  vitral_test(cuda.benchmark_${source} COMMAND bash "${CMAKE_CURRENT_SOURCE_DIR}/cuda/check.sh" "${nvcc}"
              "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/benchmarks/cuda/${source}.cu" "${CMAKE_CURRENT_BINARY_DIR}"
              usual compile)
endforeach()

# The same on a device of fibres (cuda/on_host), which every machine has: the kernels, compiled for the host.
function(vitral_on_host name)
  add_executable(${name})
  vitral_sources_on_host(${name} ${ARGN})
endfunction()
function(vitral_sources_on_host name)
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX)
  target_sources(${name} PRIVATE ${ARGN})
  target_include_directories(${name} BEFORE PRIVATE cuda/on_host)
  target_link_libraries(${name} PRIVATE vitral::tools doctest::doctest)
  vitral_program_flags(${name})
  target_compile_options(${name} PRIVATE -O1 -Wno-unknown-pragmas -fno-strict-aliasing)
endfunction()
foreach(source IN ITEMS expressions conformance attention augment lanes products training)
  vitral_on_host(cuda_on_host_${source} cuda/${source}_test.cu)
  vitral_test(cuda_on_host.${source} COMMAND cuda_on_host_${source})
endforeach()
vitral_on_host(cuda_on_host_streams cuda/on_host/streams.cpp)
vitral_test(cuda_on_host.streams COMMAND cuda_on_host_streams)

# The programs: golden files of the oracle, and scripts that use them as a person would.
file(GLOB golden CONFIGURE_DEPENDS "golden/*.safetensors")
if(TARGET check_golden AND golden)
  vitral_on_host(check_golden_on_host golden/check_golden.cpp golden/check_golden_cuda.cu cuda/golden_without_cpu.cpp)
  target_include_directories(check_golden_on_host PRIVATE "${PROJECT_SOURCE_DIR}/examples")
  target_link_libraries(check_golden_on_host PRIVATE CLI11::CLI11)
  target_compile_options(check_golden_on_host PRIVATE -O0)
  target_compile_definitions(check_golden_on_host PRIVATE VITRAL_HAS_CUDA)
  foreach(scalar IN ITEMS f64 f32 bf16)
    vitral_test(golden.${scalar} COMMAND check_golden --scalar ${scalar} ${golden})
    if(VITRAL_CUDA AND VITRAL_CUDA_GOLDEN)
      vitral_test(golden.cuda.${scalar} COMMAND check_golden --device cuda --scalar ${scalar} ${golden})
      set_tests_properties(golden.cuda.${scalar} PROPERTIES SKIP_REGULAR_EXPRESSION "there is no CUDA device")
    endif()
    vitral_test(golden.cuda_on_host.${scalar} COMMAND check_golden_on_host --device cuda --scalar ${scalar} ${golden})
  endforeach()
endif()
if(TARGET pretrain)
  # Programs on the device of fibres, in bin/on_host: their own objects, beside the GPU part as the host compiles it.
  add_library(on_cuda_on_host STATIC)
  vitral_sources_on_host(on_cuda_on_host "${PROJECT_SOURCE_DIR}/examples/common/on_cuda.cu"
                         "${PROJECT_SOURCE_DIR}/examples/finetune/cuda.cu")
  target_include_directories(on_cuda_on_host PRIVATE "${PROJECT_SOURCE_DIR}/examples")
  target_link_libraries(on_cuda_on_host PRIVATE CLI11::CLI11)
  foreach(program IN ITEMS evaluate embed propagate finetune)
    add_executable(${program}_on_host $<TARGET_OBJECTS:${program}>)
    target_link_libraries(${program}_on_host PRIVATE on_cuda_on_host vitral::tools CLI11::CLI11)
    vitral_program_flags(${program}_on_host)
    set_target_properties(${program}_on_host PROPERTIES OUTPUT_NAME ${program} LINKER_LANGUAGE CXX
                          RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/on_host")
  endforeach()
  file(GLOB scripts CONFIGURE_DEPENDS "programs/*.sh")
  foreach(script IN LISTS scripts)
    get_filename_component(name "${script}" NAME_WE)
    set(slow "")
    if(name MATCHES "_slow$")
      set(slow SLOW)
    endif()
    vitral_test(programs.${name} ${slow} COMMAND bash "${script}" "${PROJECT_BINARY_DIR}/bin")
  endforeach()
endif()
