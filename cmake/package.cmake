# package.cmake: `cpack -G DEB` makes libanel-dev, against which a bare Debian can build.
set(CPACK_PACKAGE_NAME libanel-dev)
set(CPACK_PACKAGE_CONTACT "The anel authors <anel@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
# What a program that uses anel is linked with, and what find_package(anel) finds it with.
if(ANEL_HAVE_IO_URING)
    set(CPACK_DEBIAN_PACKAGE_DEPENDS "liburing-dev (>= 2.3), pkg-config")
endif()
include(CPack)
