// standard_streams.hpp: standard input, output and error as streams of bytes.
//
//     auto out = co_await open_standard_output();
//     co_await out.send("ready\n");
//
// They are shared with whoever started the program, and so would O_NONBLOCK be: it is never
// set, and nothing has to be put back. A pipe or a device is asked by poll(2) first, and then read,
// or written to in pieces of at most PIPE_BUF bytes (4 KiB on Linux), which a pipe takes without
// waiting. A terminal is read alike; to be written to it is opened again, with O_NONBLOCK of its
// own. Where that may not be, behind su say, it is written to as a device, and the loop waits while
// it is stopped. A socket is sent to without waiting. A regular file cannot be polled: a helper
// thread reads it or writes to it.
//
// Knows: pipe_stream. Must not know: lines; standard_input reads those.
// SPDX-License-Identifier: MIT
#pragma once

#include <anel/pipe.hpp>
#include <anel/task.hpp>

namespace anel {

/// Standard input, to receive from. What a standard_input object has read beyond a line is not
/// here: use one of the two.
/// Returns  a stream whose close leaves descriptor 0 open.
/// Errors   `open standard input: …` EBADF when the program was started without, EMFILE;
///          EOPNOTSUPP on the simulated network. Its own: see pipe_stream; EIO of a terminal in
///          the background; with a regular file, EAGAIN when 256 calls wait for a helper thread.
/// Thread   where another process takes in between what poll(2) reported, the loop waits.
/// Cost     never waits. Two system calls. With a regular file each recv is a call on a helper
///          thread, which a cancel waits for: what it has read is delivered.
/// Source   fcntl(2) with F_DUPFD_CLOEXEC, poll(2), read(2).
task<pipe_stream> open_standard_input();

/// Standard output, to send to. What the program prints with std::cout is not held back for it:
/// flush that first.
/// Returns  a stream whose close, and shutdown_send(), leave descriptor 1 open.
/// Errors   `open standard output: …` as those of open_standard_input(). Its own: `write standard
///          output: …` EPIPE, and no SIGPIPE; ENOSPC.
/// Thread   where another process fills what poll(2) reported to have room, the loop waits.
/// Cost     never waits. Two system calls, some ten for a terminal. With a regular file a send is a
///          call on a helper thread, which a cancel waits for.
/// Source   fcntl(2) with F_DUPFD_CLOEXEC, poll(2), write(2).
task<pipe_stream> open_standard_output();

/// Standard error, to send to; as open_standard_output().
task<pipe_stream> open_standard_error();

}  // namespace anel
