// trace_file.cpp: the head of a record, and writing it.
// SPDX-License-Identifier: MIT
#include "runtime/start/trace_file.hpp"

#include "runtime/core/recorder.hpp"
#include "runtime/system/system.hpp"

#include <anel/error.hpp>
#include <anel/trace.hpp>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

namespace anel {
namespace detail {

std::string trace_path(const std::string& asked_for) {
    // Whoever starts a program with rights of its own must not have it write where they may not.
    const char* said = asked_for.empty() ? environment("ANEL_TRACE") : nullptr;
    const std::string path = said ? said : asked_for;
    std::error_code ignored;
    const auto whole = std::filesystem::absolute(path, ignored);  // it may go elsewhere meanwhile
    return path.empty() || ignored ? path : whole.string();
}

std::string trace_path_of(const std::string& path, unsigned loop) {
    if (loop == 0 || path.empty()) return path;
    const std::size_t name = path.find_last_of('/') + 1;  // npos + 1 is 0
    const std::size_t dot = path.find_last_of('.');
    const std::size_t at = dot == path.npos || dot <= name ? path.size() : dot;
    return path.substr(0, at) + "." + std::to_string(loop + 1) + path.substr(at);
}

void write_record(const loop& of) {
    const recorder& record = *of.record();
    std::string text = "{\"anel_record\": 1, \"program\": ";
    append_json(text, program_name());
    text += ", \"loops\": [{\"backend\": ";
    append_json(text, name_of(of.backend().kind()));
    text += ", \"name\": \"\"}], \"virtual\": false, \"overwritten\": ";
    text.append(std::to_string(record.overwritten())).append(", \"events\": [\n");
    record.append_events(text, 0);
    text += "\n]}\n";

    // Under another name first, so that nobody reads half of it.
    const std::string part = record.path() + "." + std::to_string(process_id()) + ".part";
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(part.c_str(), "we"),
                                                         &std::fclose);
    bool written = file && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
    written = written && std::fclose(file.release()) == 0;
    if (!written || std::rename(part.c_str(), record.path().c_str()) != 0) {
        const int error = errno;
        std::remove(part.c_str());
        throw_errno(error, "trace", record.path());
    }
}

}  // namespace detail

bool write_trace::start(detail::cancel_scope& scope, detail::frame&) {
    if (scope.owner().record()) detail::write_record(scope.owner());
    return false;
}

}  // namespace anel
