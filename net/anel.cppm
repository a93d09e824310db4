// anel.cppm: `import anel;` in place of `#include <anel/anel.hpp>`: the same names, no others.
//
// The headers stay the source of truth; what is public there is named here once more.
// SPDX-License-Identifier: MIT
module;
#include <anel/anel.hpp>
#include <anel/hostname.hpp>
#include <anel/sim.hpp>
#include <anel/sim_explore.hpp>
export module anel;

export namespace anel {

// Tasks and waiting.
using anel::any_of;
using anel::any_of_list;
using anel::async_generator;
using anel::awaitable;
using anel::awaited_t;
using anel::channel;
using anel::current_time;
using anel::descriptor;
using anel::embedded_loop;
using anel::event;
using anel::interval;
using anel::missed_ticks;
using anel::readable_file;
using anel::get_poster;
using anel::mutex;
using anel::offload;
using anel::per_core_options;
using anel::poster;
using anel::run;
using anel::run_options;
using anel::run_per_core;
using anel::semaphore;
using anel::shielded;
using anel::signal_received;
using anel::sleep_for;
using anel::sleep_until;
using anel::standard_input;
using anel::stop_request;
using anel::task;
using anel::task_cancelled;
using anel::task_group;
using anel::thread_channel;
using anel::when_all;
using anel::when_any;
using anel::when_stopped;
using anel::with_task_group;
using anel::with_timeout;
using anel::yield;
#ifdef __cpp_lib_jthread
using anel::with_stop_token;
#endif

// Time, errors, and what does the waiting.
using anel::after;
using anel::anel_category;
using anel::as_result;
using anel::backend_kind;
using anel::backend_options;
using anel::backend_report;
using anel::current_backend;
using anel::current_metrics;
using anel::current_tasks;
using anel::deadlock_action;
using anel::duration;
using anel::errc;
using anel::errno_name;
using anel::error_text;
using anel::io_error;
using anel::make_error_code;
using anel::metrics;
using anel::metrics_source;
using anel::name_category;
using anel::name_of;
using anel::never;
using anel::openmetrics;
using anel::result;
using anel::saturate;
using anel::stall;
using anel::time_point;
using anel::trace_mark;
using anel::write_trace;
using anel::operator<<;

// The network.
using anel::address_family;
using anel::any_stream;
using anel::attach;
using anel::batched_datagram;
using anel::buffered_reader;
using anel::byte_stream;
using anel::check_hostname;
using anel::child_process;
using anel::child_stream;
using anel::connect;
using anel::connect_options;
using anel::const_buffer;
using anel::datagram;
using anel::datagram_batch;
using anel::datagram_message;
using anel::detach;
using anel::detached_stream;
using anel::ecn_codepoint;
using anel::endpoint;
using anel::endpoint_error;
using anel::exit_status;
using anel::hostname_error;
using anel::hostname_size_max;
using anel::interface_name;
using anel::keep_alive_times;
using anel::label_size_max;
using anel::lingering_close;
using anel::listen_options;
using anel::memory_stream;
using anel::memory_stream_pair;
using anel::mutable_buffer;
using anel::open_standard_error;
using anel::open_standard_input;
using anel::open_standard_output;
using anel::peer_credentials;
using anel::pipe;
using anel::pipe_stream;
using anel::read_frame;
using anel::receive_time;
using anel::recv_buffer;
using anel::resolve;
using anel::serve;
using anel::serve_options;
using anel::socket_handle;
using anel::spawn_options;
using anel::spawn_process;
using anel::stream_info;
using anel::tcp_listener;
using anel::tcp_stream;
using anel::udp_options;
using anel::udp_socket;
using anel::connect_seqpacket;
using anel::message_socket;
using anel::passed_descriptors_max;
using anel::recv_descriptors;
using anel::send_descriptors;
using anel::unique_fd;
using anel::unix_datagram_socket;
using anel::unix_message;
using anel::unix_options;
using anel::unix_seqpacket_listener;
using anel::unix_seqpacket_socket;
using anel::write_frame;

// The simulated network.
namespace sim {
using sim::explore;
using sim::failure;
using sim::fault;
using sim::fault_count;
using sim::fault_rates;
using sim::name_of;
using sim::scenario;
using sim::statistics;
using sim::trace_record;
using sim::world;
using sim::world_options;
}  // namespace sim

}  // namespace anel
