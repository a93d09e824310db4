# revision.cmake: writes which commit is being built into a header, when that has changed.
# Run at every build: cmake -D SOURCE=<folder> -D HEADER=<file> -P revision.cmake
find_package(Git QUIET)
set(revision "not a git checkout")
if(GIT_FOUND)
    execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12
        WORKING_DIRECTORY ${SOURCE}
        RESULT_VARIABLE failed OUTPUT_VARIABLE described ERROR_QUIET
        OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT failed)
        set(revision ${described})
    endif()
endif()
file(CONFIGURE OUTPUT ${HEADER} CONTENT "#define ANEL_BENCH_REVISION \"${revision}\"\n")
