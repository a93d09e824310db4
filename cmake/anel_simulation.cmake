# anel_simulation.cmake: anel_add_simulation(<target> [SEEDS n [FIXED]] [NAME test]
# [TIMEOUT seconds] [LABELS ...] [ARGUMENTS ...]): a test that runs the scenarios of <target>, a
# program whose main() is anel::sim::explore, with n seeds each. ANEL_SIM_SEEDS, when set, replaces
# n unless it is FIXED: for a long run.
function(anel_add_simulation target)
    cmake_parse_arguments(PARSE_ARGV 1 simulation "FIXED" "SEEDS;NAME;TIMEOUT" "ARGUMENTS;LABELS")
    if(NOT simulation_SEEDS)
        set(simulation_SEEDS 200)
    endif()
    if(NOT simulation_FIXED AND NOT "${ANEL_SIM_SEEDS}" STREQUAL "")
        set(simulation_SEEDS ${ANEL_SIM_SEEDS})
    endif()
    if(NOT simulation_NAME)
        set(simulation_NAME simulation.${target})
    endif()
    if(NOT simulation_TIMEOUT)
        set(simulation_TIMEOUT 300)
    endif()
    add_test(NAME ${simulation_NAME}
        COMMAND ${target} --seeds=${simulation_SEEDS} ${simulation_ARGUMENTS})
    set_tests_properties(${simulation_NAME} PROPERTIES TIMEOUT ${simulation_TIMEOUT})
    if(simulation_LABELS)
        set_tests_properties(${simulation_NAME} PROPERTIES LABELS "${simulation_LABELS}")
    endif()
endfunction()
