# tls.cmake: the component anel::tls, where there is OpenSSL. Nothing else needs that.
set_property(CACHE ANEL_BUILD_TLS PROPERTY STRINGS AUTO ON OFF)
if(ANEL_BUILD_TLS STREQUAL "AUTO")
    find_package(OpenSSL 3.0 QUIET)
    if(NOT OPENSSL_FOUND)
        message(NOTICE "anel: no OpenSSL 3 found; building without anel::tls.")
        return()
    endif()
elseif(ANEL_BUILD_TLS)
    find_package(OpenSSL 3.0 REQUIRED)
else()
    return()
endif()

file(GLOB anel_tls_sources CONFIGURE_DEPENDS net/tls/*.cpp)
file(GLOB_RECURSE anel_tls_headers CONFIGURE_DEPENDS net/tls/anel/*.hpp)
add_library(anel_tls ${anel_tls_sources})
add_library(anel::tls ALIAS anel_tls)
target_sources(anel_tls PUBLIC FILE_SET HEADERS BASE_DIRS net/tls FILES ${anel_tls_headers})
get_target_property(anel_standard_options anel COMPILE_OPTIONS)
if(anel_standard_options)
    target_compile_options(anel_tls PRIVATE ${anel_standard_options})
endif()
set_target_properties(anel_tls PROPERTIES
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON
    DEFINE_SYMBOL ""
    EXPORT_NAME tls
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # It takes the casts of OpenSSL's macros for ours. The options of a source come last.
    set_source_files_properties(${anel_tls_sources} PROPERTIES COMPILE_OPTIONS -Wno-old-style-cast)
    set_target_properties(anel_tls PROPERTIES UNITY_BUILD OFF)  # as the library itself
endif()
target_link_libraries(anel_tls
    PUBLIC anel
    PRIVATE OpenSSL::SSL $<BUILD_INTERFACE:anel_internal> $<BUILD_INTERFACE:anel_build_flags>)
