//! What a program of the standard library does, each as a command of its own: built for
//! `wasm32-wasip2`, it calls WASI preview 2 for all of it. It prints what it finds.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, process, thread};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["hello"] => say("hello")?,
        ["show", ref rest @ ..] => {
            println!("{rest:?} {:?} {:?}", env::var("A"), env::var("PWD"));
        }
        ["number"] => number_lines()?,
        ["files"] => files()?,
        ["directories"] => directories()?,
        ["devices"] => devices()?,
        ["clocks"] => clocks(),
        ["now"] => println!("{:?} {}", SystemTime::now(), random()),
        ["stream"] => stream()?,
        ["datagram"] => datagram()?,
        ["connect", to] => println!(
            "{:?}",
            TcpStream::connect(to).map(drop).map_err(|e| e.kind())
        ),
        ["serve"] => serve()?,
        ["resolve", name] => {
            let found = (name, 80)
                .to_socket_addrs()
                .map(Iterator::collect::<Vec<_>>);
            println!("{:?}", found.map_err(|_| "failed"));
        }
        ["yes"] => loop {
            io::stdout().write_all(b"y\n")?;
        },
        ["many", bytes] => io::stdout().write_all(&vec![b'x'; bytes.parse().unwrap()])?,
        ["spin"] => loop {
            black_box(());
        },
        ["sleep"] => thread::sleep(Duration::from_secs(1_000_000)),
        ["allocate"] => allocate(),
        ["recurse"] => println!("{}", recurse(0)),
        ["open", path] => open_many(path),
        ["exit", code] => process::exit(code.parse().unwrap()),
        ["fail"] => return Err(io::Error::other("as it was told to")),
        ["panic"] => panic!("as it was told to"),
        _ => process::exit(2),
    }
    Ok(())
}

fn say(text: &str) -> io::Result<()> {
    print!("{text}");
    io::stdout().flush()
}

fn number_lines() -> io::Result<()> {
    let mut count = 0;
    for line in io::stdin().lock().lines() {
        count += 1;
        println!("{count} {}", line?);
    }
    eprintln!("{count} lines");
    Ok(())
}

fn files() -> io::Result<()> {
    fs::write("f", "hello world")?;
    let mut file = fs::OpenOptions::new().read(true).write(true).open("f")?;
    file.seek(SeekFrom::Start(6))?;
    file.write_all(b"there")?;
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    println!("{text}");
    file.set_len(5)?;
    fs::OpenOptions::new()
        .append(true)
        .open("f")?
        .write_all(b"!")?;
    println!("{}", fs::read_to_string("f")?);
    let metadata = fs::metadata("f")?;
    println!("{} {}", metadata.len(), metadata.is_file());
    fs::remove_file("f")?;
    file.seek(SeekFrom::End(0))?;
    println!("{} without a name", file.stream_position()?);
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    fs::write("/tmp/big", &big)?;
    println!("{}", fs::read("/tmp/big")? == big);
    println!("{:?}", fs::read("/nowhere").map_err(|e| e.kind()));
    println!("{:?}", fs::read("/tmp").map_err(|e| e.kind()));
    println!(
        "{:?}",
        fs::File::create_new("/tmp/big")
            .map(drop)
            .map_err(|e| e.kind())
    );
    Ok(())
}

fn directories() -> io::Result<()> {
    fs::create_dir_all("/tmp/a/b")?;
    fs::write("/tmp/a/one", "1")?;
    fs::rename("/tmp/a/one", "/tmp/a/two")?;
    fs::hard_link("/tmp/a/two", "/tmp/a/three")?;
    let entries = fs::read_dir("/tmp/a")?;
    let mut names = entries
        .map(|entry| {
            let entry = entry?;
            let directory = entry.file_type()?.is_dir();
            Ok((entry.file_name().into_string().unwrap(), directory))
        })
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    println!("{names:?}");
    println!(
        "{:?}",
        fs::remove_dir("/tmp/a").map_err(|e| e.raw_os_error())
    );
    println!("{:?}", fs::read_to_string("/tmp/../../../tmp/a/three"));
    fs::remove_dir_all("/tmp/a")?;
    println!("{}", fs::exists("/tmp/a")?);
    for number in 0..300 {
        fs::write(format!("/tmp/{number:03}"), "")?;
    }
    let mut names = fs::read_dir("/tmp")?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    names.dedup();
    println!("{}", names.len());
    Ok(())
}

fn devices() -> io::Result<()> {
    fs::write("/dev/null", "gone")?;
    let mut zeros = [1; 4];
    fs::File::open("/dev/zero")?.read_exact(&mut zeros)?;
    println!("{zeros:?} {}", fs::read("/dev/null")?.len());
    println!(
        "{:?}",
        fs::write("/dev/full", "x").map_err(|e| e.raw_os_error())
    );
    fs::write("/dev/stdout", "through a path\n")
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn clocks() {
    let (began, asleep) = (Instant::now(), Duration::from_millis(20));
    thread::sleep(asleep);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let later = now.is_ok_and(|now| now.as_secs() > 1_700_000_000);
    println!(
        "{} {later} {}",
        began.elapsed() >= asleep,
        random() != random()
    );
}

fn stream() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, peer) = listener.accept()?;
    println!("{}", peer == client.local_addr()?);
    client.write_all(b"ping")?;
    client.shutdown(Shutdown::Write)?;
    let (mut request, mut answer) = (String::new(), String::new());
    server.read_to_string(&mut request)?;
    server.write_all(b"pong")?;
    drop(server);
    client.read_to_string(&mut answer)?;
    println!("{request} {answer}");
    Ok(())
}

fn datagram() -> io::Result<()> {
    let one = UdpSocket::bind("127.0.0.1:0")?;
    let two = UdpSocket::bind("127.0.0.1:0")?;
    one.send_to(b"datagram", two.local_addr()?)?;
    let mut buffer = [0; 64];
    let (count, from) = two.recv_from(&mut buffer)?;
    println!(
        "{:?} {}",
        str::from_utf8(&buffer[..count]),
        from == one.local_addr()?
    );
    Ok(())
}

fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:8000")?;
    println!("listening");
    let (mut client, _) = listener.accept()?;
    client.write_all(b"served")
}

fn allocate() {
    let mut held = Vec::new();
    loop {
        held.push(vec![1_u8; 1 << 20]);
    }
}

#[expect(unconditional_recursion, reason = "it is to use up the stack")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth + 1) + frame[(depth % 64) as usize]
}

fn open_many(path: &str) {
    let mut held = Vec::new();
    let error = loop {
        match fs::File::open(path) {
            Ok(file) => held.push(file),
            Err(error) => break error,
        }
    };
    println!("{} {:?}", held.len(), error.kind());
}
