// names.cpp: the name service of a simulated world: what it answers, and when it does not.
// SPDX-License-Identifier: MIT
#include "net/sim/backend.hpp"
#include "net/sim/network.hpp"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace anel::sim {

namespace {

// fe80::1%eth0
std::optional<endpoint> zoned_literal(std::string_view host) noexcept {
    const std::size_t percent = std::min(host.find('%'), host.size());
    const std::string_view zone = host.substr(percent);
    const std::uint32_t scope = zone == "%lo" ? index_of_lo : zone == "%eth0" ? index_of_eth0 : 0;
    const auto plain = endpoint::parse_host(host.substr(0, percent), 0);
    if (scope == 0 || !plain || !is_link_local(pack(*plain))) return std::nullopt;
    return endpoint::ipv6(plain->address_bytes(), 0, scope);
}

}  // namespace

// An answer gives at most name_lookup::capacity addresses, as the real one does.
void machine_backend::answer(operation& op) {
    auto& question = *static_cast<name_lookup*>(op.data);
    const auto failed = [&](std::int32_t error) {
        question.name_error = error;
        complete(op, -EIO);
    };
    if (core_.happens(fault::lookup_failed)) return failed(EAI_AGAIN);
    if (!question.host) return failed(EAI_NONAME);
    if (const auto zoned = zoned_literal(question.host)) {
        question.addresses[0] = to_socket_address(*zoned);
        question.count = 1;
        return complete(op, 0);
    }
    const std::vector<address>* found = network_.addresses_of(question.host);
    if (!found || found->empty()) return failed(EAI_NONAME);
    std::vector<address> answers = *found;
    if (answers.size() > 1 && core_.happens(fault::lookup_changed)) {
        for (std::size_t i = answers.size(); i > 1; --i) {
            std::swap(answers[i - 1], answers[core_.faults.below(i)]);
        }
        answers.resize(core_.faults.between(1, answers.size()));
    }
    question.count = 0;
    for (const address& each : answers) {
        if (question.count == name_lookup::capacity) break;
        question.addresses[question.count++] =
            to_socket_address(unpack(as_seen(each.family, each)));
    }
    complete(op, 0);
}

const std::vector<address>* network::addresses_of(const std::string& name) const {
    // A name may end with a dot, which says that it is complete; case says nothing.
    std::string plain = name;
    if (plain.ends_with('.')) plain.pop_back();
    for (char& letter : plain) {
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
    const auto found = names_.find(plain);
    return found == names_.end() ? nullptr : &found->second;
}

void network::set_name(std::string_view name, std::vector<address> addresses) {
    names_[std::string(name)] = std::move(addresses);
}

}  // namespace anel::sim
