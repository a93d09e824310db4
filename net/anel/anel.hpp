// anel.hpp: everything public, in one include.
// SPDX-License-Identifier: MIT
#pragma once

// Tasks and waiting.
#include <anel/channel.hpp>
#include <anel/descriptor.hpp>
#include <anel/embedded_loop.hpp>
#include <anel/event.hpp>
#include <anel/file.hpp>
#include <anel/generator.hpp>
#include <anel/interval.hpp>
#include <anel/metrics.hpp>
#include <anel/mutex.hpp>
#include <anel/offload.hpp>
#include <anel/per_core.hpp>
#include <anel/post.hpp>
#include <anel/run.hpp>
#include <anel/signal.hpp>
#include <anel/sleep.hpp>
#include <anel/standard_input.hpp>
#include <anel/stop_token.hpp>
#include <anel/task.hpp>
#include <anel/task_group.hpp>
#include <anel/task_tree.hpp>
#include <anel/thread_channel.hpp>
#include <anel/timeout.hpp>
#include <anel/trace.hpp>
#include <anel/version.hpp>
#include <anel/when.hpp>

// The network.
#include <anel/any_stream.hpp>
#include <anel/buffer.hpp>
#include <anel/buffered_reader.hpp>
#include <anel/byte_stream.hpp>
#include <anel/datagram_batch.hpp>
#include <anel/detached_stream.hpp>
#include <anel/endpoint.hpp>
#include <anel/framing.hpp>
#include <anel/interface_name.hpp>
#include <anel/lingering_close.hpp>
#include <anel/memory_stream.hpp>
#include <anel/pipe.hpp>
#include <anel/process.hpp>
#include <anel/recv_buffer.hpp>
#include <anel/resolve.hpp>
#include <anel/serve.hpp>
#include <anel/standard_streams.hpp>
#include <anel/tcp.hpp>
#include <anel/tcp_options.hpp>
#include <anel/udp.hpp>
#include <anel/unique_fd.hpp>
#include <anel/unix.hpp>
