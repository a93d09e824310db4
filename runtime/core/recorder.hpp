// recorder.hpp: what happened in a loop, one after the other: a ring of records of one size.
//
// Adding allocates nothing. When the ring is full the oldest is overwritten. Texts are pointers to
// what lives as long as the program: names of calls, of files, of marks.
// Knows: tasks by number, operations by address. Must not know: who reads it.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/operation.hpp>
#include <anel/time.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace anel::detail {

enum class happening : std::uint8_t {
    begin,     ///< number: the task that spawned it
    end,       ///< text: ok, error or cancelled
    resume,    ///< file, line: where it goes on; text: the task's name
    suspend,   ///< file, line: where it waits; text: what for; op
    submit,    ///< op, text: the call, fd, number: bytes
    at_once,   ///< the same for an operation that was done when submit returned: result
    enter,     ///< number: until when the loop sleeps, in ns; 0: not at all
    leave,     ///< number: how many operations are done
    complete,  ///< op, text, fd, result
    timer,     ///< number: ns too late, the first of those that fired together
    cancel,    ///< everything below the task's scope
    grant,     ///< number: the task that let this one go on
    wake,      ///< calls of other threads were taken
    mark,      ///< text: the program's own
};

struct happened {
    time_point at;
    const void* op = nullptr;
    const char* text = nullptr;
    union {
        std::uint64_t number = 0;
        const char* file;
    };
    std::uint32_t task = 0;
    std::uint32_t line : 24 = 0;
    std::uint32_t what : 8 = 0;
    std::int32_t fd = -1;
    std::int32_t result = 0;
};
static_assert(sizeof(happened) <= 48);

class recorder {
public:
    static constexpr std::size_t capacity = 65'536;

    /// To be written to the file `path`.
    explicit recorder(std::string path)
        : ring_(std::make_unique_for_overwrite<happened[]>(capacity)), path_(std::move(path)) {}
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    happened& add(happening what, time_point at, std::uint32_t task) noexcept {
        happened& one = ring_[count_ % capacity];
        count_ += 1;
        one = happened{};
        one.at = at;
        one.task = task;
        one.what = static_cast<std::uint8_t>(what);
        return one;
    }
    /// A name, kept as long as the record. Cost: a search; an allocation for a new one.
    const char* keep(const char* name) {
        return name ? names_.insert(name).first->c_str() : nullptr;
    }
    /// The next task that ends does so by an error, or because it was cancelled.
    void ends_by(const char* how) noexcept { how_it_ends_ = how; }
    const char* take_end() noexcept { return std::exchange(how_it_ends_, "ok"); }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t overwritten() const noexcept {
        return count_ > capacity ? count_ - capacity : 0;
    }
    /// Appends the records as JSON, one a line, each behind a comma but for the first.
    void append_events(std::string& text, unsigned loop) const;

private:
    std::unique_ptr<happened[]> ring_;
    std::string path_;
    std::uint64_t count_ = 0;
    const char* how_it_ends_ = "ok";
    std::set<std::string, std::less<>> names_;
};

/// Appends `text` as a JSON string.
void append_json(std::string& to, std::string_view text);

}  // namespace anel::detail
