# install.cmake: what `cmake --install` puts where, and the two ways to find it again
# (find_package and pkg-config).
include(CMakePackageConfigHelpers)

# Who links a static library links what it uses, too.
get_target_property(anel_type anel TYPE)
set(anel_needs_io_uring OFF)
if(anel_type STREQUAL "STATIC_LIBRARY" AND ANEL_HAVE_IO_URING)
    set(anel_needs_io_uring ON)
endif()

set(anel_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/anel)
install(TARGETS anel EXPORT anelTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES share/gdb/anel-gdb.py DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/anel/gdb)
install(PROGRAMS share/trace/anel-trace DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY share/trace/anel_trace DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/anel/trace
    FILES_MATCHING PATTERN "*.py")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/anel)
# For `import anel;`: its source, which a compiler that has modules makes its own form of.
install(FILES net/anel.cppm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/anel)
install(EXPORT anelTargets NAMESPACE anel:: DESTINATION ${anel_package_dir})

# A component of its own: a program without TLS needs no OpenSSL, also to be configured.
if(TARGET anel_tls)
    install(TARGETS anel_tls EXPORT anelTlsTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    install(EXPORT anelTlsTargets NAMESPACE anel:: DESTINATION ${anel_package_dir})
endif()

configure_package_config_file(cmake/anelConfig.cmake.in ${PROJECT_BINARY_DIR}/anelConfig.cmake
    INSTALL_DESTINATION ${anel_package_dir}
    PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/anelConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES
    ${PROJECT_BINARY_DIR}/anelConfig.cmake
    ${PROJECT_BINARY_DIR}/anelConfigVersion.cmake
    cmake/check_coroutines.cmake
    cmake/check_coroutines.cpp
    cmake/anel_simulation.cmake
    DESTINATION ${anel_package_dir})

# The prefix is told relative to the .pc file, so that an installed tree can be moved.
set(anel_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(anel_pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(anel_pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
    file(RELATIVE_PATH anel_pc_up /anchor/${anel_pc_dir} /anchor)
    string(REGEX REPLACE "/$" "" anel_pc_prefix "\${pcfiledir}/${anel_pc_up}")
    set(anel_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(anel_pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
else()
    set(anel_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
# Without asking: there is no other library that one could mean. A shared one names what it uses
# itself.
set(anel_pc_libs "")
set(anel_pc_requires "")
if(anel_type STREQUAL "STATIC_LIBRARY")
    set(anel_pc_libs "${CMAKE_THREAD_LIBS_INIT}")
endif()
if(anel_needs_io_uring)
    set(anel_pc_requires "liburing >= 2.3")
endif()
configure_file(cmake/anel.pc.in ${PROJECT_BINARY_DIR}/anel.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/anel.pc DESTINATION ${anel_pc_dir})
if(TARGET anel_tls)
    set(anel_pc_tls_requires "anel = ${PROJECT_VERSION}")
    if(anel_type STREQUAL "STATIC_LIBRARY")
        string(APPEND anel_pc_tls_requires ", libssl >= 3.0, libcrypto >= 3.0")
    endif()
    configure_file(cmake/anel-tls.pc.in ${PROJECT_BINARY_DIR}/anel-tls.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/anel-tls.pc DESTINATION ${anel_pc_dir})
endif()
