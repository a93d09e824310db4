// tokio_server.rs: the server with Rust's tokio: a task per connection, on one thread and mio's epoll.
//
// SPDX-License-Identifier: MIT
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

#[derive(Clone)]
struct Options {
    address: String,
    buffer: usize,
    times: usize,
    work: Duration,
    udp: bool,
}

fn options() -> Options {
    let mut given = Options {
        address: "127.0.0.1:7777".into(),
        buffer: 4096,
        times: 1,
        work: Duration::ZERO,
        udp: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().unwrap_or_default();
            text.parse().unwrap_or_else(|_| panic!("{argument} takes a number, not \"{text}\""))
        };
        match argument.as_str() {
            "--buffer" => given.buffer = number(),
            "--times" => given.times = number(),
            "--work" => given.work = Duration::from_micros(number() as u64),
            "--udp" => given.udp = true,
            _ => given.address = argument,
        }
    }
    given.buffer = given.buffer.min(((1 << 20) / given.times).max(1));
    given
}

fn announce(address: SocketAddr) {
    let versions = env!("BENCH_TOKIO_VERSIONS");
    println!("listening on {address} (tokio) {versions}, current_thread, spawn()");
}

async fn session(mut stream: TcpStream, given: Options) -> io::Result<()> {
    let times = given.times;
    let mut buffer = vec![0; given.buffer];
    let mut answer = Vec::new();
    loop {
        let received = stream.read(&mut buffer).await?;
        if received == 0 {
            return Ok(());
        }
        if !given.work.is_zero() {
            let begins = Instant::now();
            while begins.elapsed() < given.work {}
        }
        if times == 1 {
            stream.write_all(&buffer[..received]).await?;
            continue;
        }
        answer.clear();
        for byte in &buffer[..received] {
            answer.resize(answer.len() + times, *byte);
        }
        stream.write_all(&answer).await?;
    }
}

async fn serve_streams(given: Options) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(given.address.parse().expect("an IPv4 ADDRESS:PORT"))?;
    let listener: TcpListener = socket.listen(4096)?;
    announce(listener.local_addr()?);
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true)?;
            tokio::spawn(session(stream, given.clone()));
        }
    }
}

async fn serve_datagrams(given: Options) -> io::Result<()> {
    let socket = UdpSocket::bind(given.address.parse::<SocketAddr>().expect("ADDRESS:PORT")).await?;
    announce(socket.local_addr()?);
    let mut buffer = vec![0; 65536];
    loop {
        let (size, from) = socket.recv_from(&mut buffer).await?;
        let _ = socket.send_to(&buffer[..size], from).await;  // the peer may have gone
    }
}

// SIGTERM ends the program with exit code 0, as it does in the other servers.
extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn _exit(code: i32) -> !;
}
extern "C" fn stop(_: i32) {
    unsafe { _exit(0) }
}

fn main() -> io::Result<()> {
    unsafe {
        signal(15, stop);
        signal(2, stop);
    }
    let given = options();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        if given.udp { serve_datagrams(given).await } else { serve_streams(given).await }
    })
}
