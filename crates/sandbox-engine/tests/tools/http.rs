//! A small HTTP server for tests: files of a directory, and git's own CGI behind a password.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What is served.
#[derive(Debug, Clone)]
pub(crate) enum Serve {
    /// Files, by their path.
    Files(HashMap<String, Vec<u8>>),
    /// Repositories below a directory, to whoever gives this `Authorization`.
    Git {
        root: PathBuf,
        authorization: String,
    },
    /// A redirect of everything to another server.
    Redirect(String),
}

/// A server that ends with the test.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Every `Authorization` that was sent to it.
    pub(crate) authorizations: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Server {
    pub(crate) async fn start(serve: impl FnOnce(SocketAddr) -> Serve) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = serve(address);
        let authorizations = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&authorizations);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (serve, seen) = (serve.clone(), Arc::clone(&seen));
                tokio::spawn(async move { answer(connection, &serve, &seen).await });
            }
        });
        Self {
            address,
            authorizations,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn answer(connection: TcpStream, serve: &Serve, seen: &Mutex<Vec<String>>) {
    let mut connection = BufReader::new(connection);
    let Some(request) = read(&mut connection).await else {
        return;
    };
    let authorization = request.headers.get("authorization").cloned();
    seen.lock().unwrap().extend(authorization.clone());
    let response = match serve {
        Serve::Files(files) => match files.get(&request.path) {
            Some(body) => {
                let kind = match request.path.ends_with('/') {
                    true => "text/html",
                    false => "application/octet-stream",
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
                );
                [head.as_bytes(), b"Connection: close\r\n\r\n", body].concat()
            }
            None => empty("404 Not Found", ""),
        },
        Serve::Redirect(to) => {
            let target = format!("{to}{}?{}", request.path, request.query);
            empty("302 Found", &format!("Location: {target}\r\n"))
        }
        Serve::Git {
            authorization: wanted,
            ..
        } if authorization.as_ref() != Some(wanted) => empty(
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"git\"\r\n",
        ),
        Serve::Git { root, .. } => cgi(root, &request).await,
    };
    let _ = connection.write_all(&response).await;
    let _ = connection.shutdown().await;
}

fn empty(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n")
        .into_bytes()
}

async fn read(connection: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    connection.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Request {
        path: path.to_owned(),
        query: query.to_owned(),
        method,
        headers,
        body,
    })
}

/// Runs `git http-backend` as a web server would.
async fn cgi(root: &std::path::Path, request: &Request) -> Vec<u8> {
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let mut child = tokio::process::Command::new("git")
        .args(["-c", "http.receivepack=true", "http-backend"])
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("REMOTE_USER", "tester")
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&request.body).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap().stdout;
    let end = output
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(output[..end].to_vec()).unwrap();
    let body = &output[end + 4..];
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    let length = body.len();
    let first = format!(
        "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [first.as_bytes(), body].concat()
}
