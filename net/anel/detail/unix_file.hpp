// unix_file.hpp: the file that a bound unix socket has, from its making to its removal.
//
// Knows: that a file has an identity besides its path. Must not know: what kind of socket it is.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/detail/loop.hpp>

namespace anel::detail {

/// The file of a unix socket: removed with it, unless somebody else's stands there meanwhile.
class unix_file {
public:
    unix_file(loop& owner, const socket_address& address) noexcept;
    unix_file(const unix_file&) = delete;
    unix_file& operator=(const unix_file&) = delete;
    ~unix_file();
    /// The file that is there now is the one: it is removed at the end.
    void own() noexcept {
        remember();
        path_.changed = 0;  // a chmod of it is its owner's affair
        owned_ = true;
    }
    /// The same, but it is left there unless it is removed by name.
    void remember() noexcept;
    /// Removes the one that is known, and no other.
    void remove() noexcept;
    /// It stays there.
    void leave() noexcept { owned_ = false; }

private:
    loop_ref owner_;
    socket_path path_;
    bool owned_ = false;
};

}  // namespace anel::detail
