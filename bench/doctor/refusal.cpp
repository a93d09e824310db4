// refusal.cpp: why this process gets no ring, from the error and from what else the system tells.
//
// Sources: io_uring_setup(2); kernel.io_uring_disabled in Documentation/admin-guide/sysctl/
// kernel.rst (Linux 6.6); moby/moby#46762, by which docker's default profile refuses io_uring since
// version 25, with EPERM; SELinux labels the ring's file since Linux 5.16 (commit 91a9ab7c942a).
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>

#include "doctor/system.hpp"

namespace anel_bench::doctor {
namespace {

constexpr unsigned cap_sys_admin = 21;  // capabilities(7)

constexpr const char* three_calls = "io_uring_setup, io_uring_enter and io_uring_register";

bool is_filtered() { return status_of("Seccomp") == "2"; }

std::string through_filter(const std::string& container) {
    const std::string profile = std::string("a profile.json that allows ") + three_calls;
    if (container == "docker" || container == "podman") {
        return container + " run --security-opt seccomp=profile.json ..., with " + profile;
    }
    if (container == "kubernetes") {
        return "securityContext: {seccompProfile: {type: Localhost, localhostProfile: "
               "profile.json}}, with " +
               profile;
    }
    return "SystemCallFilter=@aio in the systemd unit, or docker run --security-opt "
           "seccomp=profile.json ..., with " +
           profile;
}

refusal not_permitted(const std::string& container) {
    const auto disabled = sysctl("kernel.io_uring_disabled").value_or(0);
    if (disabled == 2) {
        return {"kernel.io_uring_disabled=2 refuses a ring to everyone",
                "sysctl kernel.io_uring_disabled=0"};
    }
    if (disabled == 1 && !has_capability(cap_sys_admin)) {
        return {"kernel.io_uring_disabled=1 leaves rings to CAP_SYS_ADMIN and to the group "
                "kernel.io_uring_group=" +
                    text_or_not_known(sysctl("kernel.io_uring_group")),
                "sysctl kernel.io_uring_disabled=0, or kernel.io_uring_group=GID of the server"};
    }
    if (is_filtered()) {
        return {"a seccomp filter refuses it, as docker's default profile does since version 25",
                through_filter(container)};
    }
    return {"neither kernel.io_uring_disabled nor a seccomp filter explains it: a security module?",
            "ausearch -m avc,seccomp -ts recent, or dmesg, names what refused it"};
}

refusal not_there(const std::string& container) {
    if (is_filtered()) {
        return {"a seccomp filter hides it, as podman's default profile does, or the kernel has "
                "none",
                through_filter(container)};
    }
    return {"the kernel has no io_uring: older than 5.1, built without CONFIG_IO_URING, or a "
            "sandbox such as gVisor",
            "run on Linux 5.11 or newer with CONFIG_IO_URING=y; 6.1 is best"};
}

}  // namespace

refusal explain_refusal(int error, const std::string& container) {
    switch (error) {
        case EPERM: return not_permitted(container);
        case ENOSYS: return not_there(container);
        case EACCES:
            return {line_of("/sys/fs/selinux/enforce") == "1" ? "SELinux refuses it"
                                                              : "a security module refuses it",
                    "ausearch -m avc -ts recent | audit2allow -M anel && semodule -i anel.pp"};
        case ENOMEM:
            return {"RLIMIT_MEMLOCK leaves no room for a ring, which counts for all of the user's "
                    "processes",
                    "ulimit -l 8192, or LimitMEMLOCK=8M in the systemd unit"};
        case EMFILE: return {"no descriptor is left", "ulimit -n 65536"};
        case ENFILE: return {"the system has no descriptor left", "sysctl fs.file-max=1000000"};
        default: return {std::strerror(error), "run on Linux 5.11 or newer"};
    }
}

}  // namespace anel_bench::doctor
