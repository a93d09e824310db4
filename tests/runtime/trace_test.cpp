// trace_test.cpp: the record of a run: what happened, in order, task by task.
// SPDX-License-Identifier: MIT
#include "runtime/core/recorder.hpp"
#include "tests/support/over_backends.hpp"

#include <anel/error.hpp>
#include <anel/event.hpp>
#include <anel/per_core.hpp>
#include <anel/run.hpp>
#include <anel/sleep.hpp>
#include <anel/trace.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>

#include <unistd.h>

namespace anel::test {
using namespace detail;
namespace {

using namespace std::chrono_literals;

std::string contents_of(const std::string& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
}

class traced : public testing::TestWithParam<backend_kind> {
protected:
    ~traced() override { std::remove(path_.c_str()); }
    run_options options() const {
        run_options made;
        made.backend.kind = GetParam();
        made.signals = false;  // whose task is one more
        made.trace = path_;
        return made;
    }
    /// The record of a run of `program`, a record a line.
    std::string record_of(task<> program) {
        try {
            run(std::move(program), options());
        } catch (const std::exception&) {}
        return contents_of(path_);
    }

    std::string path_ = testing::TempDir() + "anel_trace_" + std::to_string(::getpid()) + ".json";
};
ANEL_OVER_KERNELS(traced);

/// Whether `pieces` stand in `text` in this order.
testing::AssertionResult in_order(const std::string& text,
                                  std::initializer_list<const char*> pieces) {
    std::size_t at = 0;
    for (const char* piece : pieces) {
        at = text.find(piece, at);
        if (at == text.npos)
            return testing::AssertionFailure() << piece << " is missing in\n" << text;
    }
    return testing::AssertionSuccess();
}

TEST_P(traced, tells_of_tasks_grants_marks_and_ends) {
    const auto program = []() -> task<> {
        event go_on;
        co_await with_task_group([&](task_group& group) -> task<> {
            const auto waits = [](event& what) -> task<> {
                co_await what.wait();
                co_await trace_mark("say \"go\"");
            };
            group.spawn_named("waiter", waits, std::ref(go_on));
            co_await sleep_for(1ms);
            go_on.set();
        });
    };
    EXPECT_TRUE(in_order(record_of(program()),
                         {R"("kind": "resume", "task": 1)",
                          R"("kind": "begin", "task": 2, "by": 1, "name": "waiter")",
                          R"("kind": "suspend", "task": 1, "place": "trace_test.cpp:)",
                          R"("wait": "sleep"})", R"("kind": "resume", "task": 2)",
                          R"("kind": "suspend", "task": 2, "place": "trace_test.cpp:)",
                          R"("wait": "event"})", R"("kind": "enter", "until": )",
                          R"("kind": "leave", "done": 0)", R"("timer", "task": 1, "late": )",
                          R"("kind": "resume", "task": 1, "place": "trace_test.cpp:)",
                          R"("kind": "grant", "task": 2, "by": 1)", R"("wait": "join"})",
                          R"("kind": "resume", "task": 2, "place": "trace_test.cpp:)",
                          R"("kind": "mark", "task": 2, "text": "say \"go\"")",
                          R"("kind": "end", "task": 2, "how": "ok")"}));
}

TEST_P(traced, tells_an_error_from_a_cancel) {
    const auto program = []() -> task<> {
        co_await with_task_group([](task_group& group) -> task<> {
            group.spawn([]() -> task<> { co_await sleep_for(1h); });
            group.spawn([]() -> task<> {
                co_await yield();
                throw std::runtime_error("no");
            });
            co_return;
        });
    };
    EXPECT_TRUE(in_order(record_of(program()),
                         {R"("kind": "cancel")", R"("kind": "end", "task": 3, "how": "error")",
                          R"("end", "task": 2, "how": "cancelled")"}));
}

TEST_P(traced, keeps_the_latest_events) {
    const auto program = []() -> task<> {
        co_await trace_mark("early");
        for (std::size_t i = 0; i < recorder::capacity; ++i) co_await yield();
        co_await trace_mark("late");
    };
    const std::string text = record_of(program());
    EXPECT_EQ(text.find("early"), text.npos);
    EXPECT_NE(text.find("late"), text.npos);
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    EXPECT_EQ(lines, recorder::capacity + 2);
    EXPECT_EQ(text.find("\"overwritten\": 0,"), text.npos);
}

TEST_P(traced, is_written_when_the_program_says_so) {
    std::string then;
    const auto program = [&]() -> task<> {
        co_await trace_mark("first");
        co_await write_trace();
        then = contents_of(path_);
        co_await trace_mark("second");
    };
    const std::string at_the_end = record_of(program());
    EXPECT_NE(then.find("first"), then.npos);
    EXPECT_EQ(then.find("second"), then.npos);
    EXPECT_NE(at_the_end.find("second"), at_the_end.npos);
}

TEST_P(traced, keeps_a_name_that_is_gone_by_then) {
    const auto program = []() -> task<> {
        co_await with_task_group([](task_group& group) -> task<> {
            const std::string name = "a name that is longer than what a string holds in itself";
            group.spawn_named(name.c_str(), []() -> task<> { co_await yield(); });
            while (group.size() > 0) co_await yield();
        });
    };
    const std::string text = record_of(program());
    EXPECT_NE(text.find(R"("name": "a name that is longer than what a string holds in itself")"),
              text.npos)
        << text;
}

TEST_P(traced, tells_the_error_of_the_program_and_not_that_of_the_record) {
    const std::string folder = path_ + ".d";
    const auto program = [&](bool fails) -> task<> {
        std::filesystem::remove_all(folder);
        if (fails) throw std::runtime_error("the program's own");
        co_return;
    };
    run_options gone = options();
    gone.trace = folder + "/run.json";
    std::filesystem::create_directory(folder);
    std::string thrown;
    try {
        run(program(true), gone);
    } catch (const std::exception& error) {
        thrown = error.what();
    }
    EXPECT_EQ(thrown, "the program's own");
    std::filesystem::create_directory(folder);
    EXPECT_THROW(run(program(false), gone), io_error);
}

TEST_P(traced, records_no_loop_that_nobody_asked_to_record) {
    per_core_options options;
    options.run.backend.kind = GetParam();
    std::atomic<int> recorded{0};
    const auto program = [&](unsigned) -> task<> {
        frame& self = co_await this_frame();
        if (self.scope->owner().record()) recorded += 1;
    };
    run_per_core(2, program, options);
    EXPECT_EQ(recorded, 0);
    options.run.trace = path_;
    run_per_core(2, program, options);
    EXPECT_EQ(recorded, 2);
    const std::string second = path_.substr(0, path_.rfind('.')) + ".2.json";
    EXPECT_NE(contents_of(second).find("\"anel_record\": 1"), std::string::npos);
    std::remove(second.c_str());
}

TEST_P(traced, needs_a_file_that_can_be_written) {
    bool began = false;
    const auto program = [&]() -> task<> {
        began = true;
        co_return;
    };
    run_options nowhere = options();
    nowhere.trace = "/nowhere/at/all.json";
    EXPECT_THROW(run(program(), nowhere), io_error);
    EXPECT_FALSE(began);
}

}  // namespace
}  // namespace anel::test
