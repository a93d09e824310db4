# build_flags.cmake: warnings and hardening for anel's own code; none reaches a user's program.
# Every target of this repository links anel_build_flags with PRIVATE and $<BUILD_INTERFACE:...>.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)

add_library(anel_build_flags INTERFACE)
target_compile_options(anel_build_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
    -Werror=unused-result  # A task that is created and not awaited never runs.
    $<$<BOOL:${ANEL_WERROR}>:-Werror>
    # g++ reports variables of a coroutine frame as uninitialised when they are not, and g++ 14 the
    # move of a temporary std::string in an initializer list as out of bounds.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-error=array-bounds>)

if(ANEL_HARDENING)
    set(anel_hardening
        -fstack-protector-strong -fstack-clash-protection -fcf-protection
        -ftrivial-auto-var-init=zero)
    set(anel_optimised $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
    foreach(flag IN LISTS anel_hardening)
        string(MAKE_C_IDENTIFIER "ANEL_ACCEPTS${flag}" accepted)
        check_cxx_compiler_flag(${flag} ${accepted})
        if(${accepted})
            target_compile_options(anel_build_flags INTERFACE $<${anel_optimised}:${flag}>)
        endif()
    endforeach()
    # -U first: some compilers define a lower level of their own and would warn. glibc needs -O.
    target_compile_options(anel_build_flags INTERFACE
        "$<${anel_optimised}:SHELL:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3>")
    target_compile_definitions(anel_build_flags INTERFACE $<${anel_optimised}:_GLIBCXX_ASSERTIONS>)

    # Options for the linker would travel from a static library to whatever links it, so they belong
    # to the directory, and only where anel is the project being built.
    if(PROJECT_IS_TOP_LEVEL)
        if(NOT DEFINED CMAKE_POSITION_INDEPENDENT_CODE)
            set(CMAKE_POSITION_INDEPENDENT_CODE ON)
        endif()
        check_pie_supported(LANGUAGES CXX)
        foreach(flag IN ITEMS -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
            string(MAKE_C_IDENTIFIER "ANEL_LINKER_ACCEPTS${flag}" accepted)
            check_linker_flag(CXX ${flag} ${accepted})
            if(${accepted})
                add_link_options($<${anel_optimised}:${flag}>)
            endif()
        endforeach()
    endif()
endif()
