# Headers, the targets vitral::vitral and vitral::tools, and the files that find_package(vitral) reads.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/vitral")
install(DIRECTORY include/vitral DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(TARGETS vitral EXPORT vitralTargets)
install(EXPORT vitralTargets NAMESPACE vitral:: DESTINATION "${package_dir}")
if(TARGET vitral_tools)
  install(TARGETS vitral_tools EXPORT vitralToolsTargets)
  install(EXPORT vitralToolsTargets NAMESPACE vitral:: DESTINATION "${package_dir}")
endif()

configure_package_config_file(cmake/vitralConfig.cmake.in "${PROJECT_BINARY_DIR}/vitralConfig.cmake"
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/vitralConfigVersion.cmake" COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/vitralConfig.cmake" "${PROJECT_BINARY_DIR}/vitralConfigVersion.cmake"
              cmake/FindOneDNN.cmake cmake/FindWebP.cmake cmake/FindMatio.cmake cmake/FindLibzip.cmake
        DESTINATION "${package_dir}")
