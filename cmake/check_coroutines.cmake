# check_coroutines.cmake: says at configure time when the compiler miscompiles coroutines.
# g++ 12.2, the default compiler of Debian 12, does so without a warning, and g++ 13 to 15 keep
# one of its faults. This runs in anel's own build and, installed beside anelConfig.cmake, in the
# project of everyone who uses anel.
# It never stops a build: anel itself, and careful code, stays within the forms that are right.

function(anel_check_coroutines)
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if(CMAKE_CROSSCOMPILING OR NOT "CXX" IN_LIST languages)
        return()  # The program cannot run here.
    endif()
    set(seen_before "${ANEL_COROUTINES_CHECKED}")
    if(NOT seen_before STREQUAL "${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION}")
        unset(ANEL_COROUTINES_COMPILED CACHE)
        unset(ANEL_COROUTINES_EXIT_CODE CACHE)
        unset(seen_before)
        message(CHECK_START "Checking that the compiler is right about coroutines")
        # The result is cached by try_run.
        try_run(ANEL_COROUTINES_EXIT_CODE ANEL_COROUTINES_COMPILED
            SOURCES "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/check_coroutines.cpp"
            CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
            COMPILE_OUTPUT_VARIABLE errors)
        set(ANEL_COROUTINES_CHECKED "${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION}"
            CACHE INTERNAL "The compiler that the result of anel's coroutine check is about")
        if(NOT ANEL_COROUTINES_COMPILED)
            message(CHECK_FAIL "it does not compile them")
            message(WARNING "anel needs C++20 coroutines, and ${CMAKE_CXX_COMPILER}"
                " failed to compile a small one:\n${errors}")
            return()
        elseif(ANEL_COROUTINES_EXIT_CODE STREQUAL "0")
            message(CHECK_PASS "yes")
            return()
        endif()
        message(CHECK_FAIL "no")
    endif()
    if(NOT ANEL_COROUTINES_COMPILED OR ANEL_COROUTINES_EXIT_CODE STREQUAL "0")
        return()
    endif()

    if(seen_before)
        message(STATUS "${CMAKE_CXX_COMPILER} miscompiles some coroutines: keep to the safe forms"
            " (docs/common_mistakes.md of anel)")
        return()
    endif()
    # Where a signal or a sanitizer ended the program, each fault may be the reason.
    set(bits 7)
    if(ANEL_COROUTINES_EXIT_CODE MATCHES "^1[1-7]$")
        math(EXPR bits "${ANEL_COROUTINES_EXIT_CODE} - 10")
    endif()
    foreach(bit IN ITEMS 1 2 4)
        math(EXPR has_${bit} "${bits} & ${bit}")
    endforeach()
    set(faults "")
    if(has_1)
        string(APPEND faults "
  * A coroutine that declares no variable and has a co_await in the condition of an if, while, for
    or switch never runs: whoever awaits it waits for ever.
      wrong   if (co_await ready()) ...
      right   bool ok = co_await ready(); if (ok) ...
              while (auto n = co_await conn.recv(buffer)) ...")
    endif()
    if(has_4)
        string(APPEND faults "
  * In the condition of a loop the right-hand side of && and ||, and the branch of ?: that was not
    taken, is awaited anyway.
      wrong   while (running && co_await next()) ...
      right   bool more = running && co_await next();")
    endif()
    if(has_2)
        string(APPEND faults "
  * Temporaries beside a co_await are destroyed twice: a braced struct that owns memory, and a
    lambda that captures by value.
      wrong   co_await f({text, 3});             co_await g([text] { ... });
      right   options o{text, 3};                auto call = [text] { ... };
              co_await f(std::move(o));          co_await g(std::move(call));
              co_await g([&] { ... });")
    endif()
    message(WARNING "${CMAKE_CXX_COMPILER} (${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION})"
        " miscompiles coroutines, without a warning of its own.\n"
        "anel is written so that it is right all the same; your coroutines need the same care:"
        "${faults}\n"
        "In short: name what you pass, name the result, then test it. All forms:"
        " docs/common_mistakes.md of anel. clang++ does not have these faults.")
endfunction()

anel_check_coroutines()
