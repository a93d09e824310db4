# gdb_script.cmake: writes share/gdb/anel-gdb.py as the section in which gdb looks for the scripts
# of a program, so that whatever is linked with the library brings it along.
# https://sourceware.org/gdb/current/onlinedocs/gdb.html/dotdebug_005fgdb_005fscripts-section.html
set(script ${PROJECT_SOURCE_DIR}/share/gdb/anel-gdb.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
file(READ ${script} text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n.ascii \"" text "${text}")
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/anel_gdb_script.hpp @ONLY NEWLINE_STYLE UNIX
    CONTENT [[
// anel_gdb_script.hpp: written by cmake/gdb_script.cmake.
asm(R"asm(
.pushsection .debug_gdb_scripts, "MS", %progbits, 1
.byte 4
.ascii "anel-gdb.py\n"
.ascii "@text@"
.byte 0
.popsection
)asm");
]])
