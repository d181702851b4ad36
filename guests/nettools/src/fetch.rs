//! `wget` and `curl`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::time::Duration;

use sandbox_applet::{
    Args, Context, Failure, Long, Out, Outcome, Short, Value, error_output, open, text,
};
use url::Url;

use crate::http::{Request, Response, send};

/// Redirections followed before giving up.
const MAX_REDIRECTS: usize = 20;

fn parse_url(given: &str) -> Result<Url, Failure> {
    let whole = if given.contains("://") {
        given.to_owned()
    } else {
        format!("http://{given}")
    };
    Url::parse(&whole).map_err(|error| Failure::new(format!("{given}: {error}")).with_code(3))
}

fn seconds(text: &str) -> Result<Option<Duration>, Failure> {
    let parsed = text
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = parsed
        .ok_or_else(|| Failure::new(format!("invalid number of seconds '{text}'")).with_code(2))?;
    Ok((!time.is_zero()).then_some(time))
}

/// Asks, and follows redirections when `follow`; every head on the way goes to `show`.
fn ask(
    mut request: Request,
    follow: bool,
    show: &mut dyn FnMut(&Request, &Response) -> Result<(), Failure>,
) -> Result<(Response, Url), Failure> {
    for _ in 0..=MAX_REDIRECTS {
        let response = send(&request)?;
        show(&request, &response)?;
        let target = response
            .header("location")
            .filter(|_| (300..400).contains(&response.status) && follow);
        let Some(target) = target else {
            return Ok((response, request.url));
        };
        let next = request
            .url
            .join(target)
            .map_err(|error| Failure::new(format!("{target}: {error}")).with_code(3))?;
        if next.host() != request.url.host()
            || next.port_or_known_default() != request.url.port_or_known_default()
        {
            // What is secret is for the first server alone.
            request.headers.retain(|(name, _)| {
                !name.eq_ignore_ascii_case("authorization") && !name.eq_ignore_ascii_case("cookie")
            });
        }
        if response.status == 303 || (response.status < 303 && request.method == "POST") {
            request.method = "GET".to_owned();
            request.body = None;
            request
                .headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        }
        request.url = next;
    }
    Err(Failure::new("too many redirections").with_code(47))
}

fn header(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once(':')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

/// The last part of the path.
fn file_name(url: &Url) -> String {
    let last = url
        .path_segments()
        .and_then(|mut parts| parts.next_back())
        .unwrap_or_default();
    if last.is_empty() {
        "index.html".to_owned()
    } else {
        last.replace('/', "_")
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let value = chunk
            .iter()
            .fold(0u32, |value, &byte| value << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for at in 0..4 {
            out.push(if at <= chunk.len() {
                char::from(LETTERS[(value >> (18 - 6 * at) & 63) as usize])
            } else {
                '='
            });
        }
    }
    out
}

fn save(response: &mut Response, path: &str) -> Result<u64, Failure> {
    if path == "-" {
        let mut out = Out::new();
        let count = copy(&mut response.body, &mut out)?;
        out.finish()?;
        return Ok(count);
    }
    let mut file = File::create(path)
        .context(path)
        .map_err(|failure| failure.with_code(23))?;
    copy(&mut response.body, &mut file)
}

/// Passes on what comes as it comes.
fn copy(body: &mut dyn Read, out: &mut dyn Write) -> Result<u64, Failure> {
    let mut buf = vec![0; 64 << 10];
    let mut sum = 0;
    loop {
        let count = body
            .read(&mut buf)
            .map_err(|error| Failure::io("transfer", &error).with_code(18))?;
        if count == 0 {
            return Ok(sum);
        }
        out.write_all(&buf[..count])
            .and_then(|()| out.flush())
            .map_err(|error| Failure::io("write", &error).with_code(23))?;
        sum += count as u64;
    }
}

/// `wget`
pub fn wget(mut args: Args) -> Outcome {
    let (mut output, mut directory, mut quiet, mut show_head, mut spider) =
        (None, None, false, false, false);
    let mut timeout = Some(Duration::from_secs(900));
    let mut headers = vec![
        ("User-Agent".to_owned(), "Wget".to_owned()),
        ("Accept".to_owned(), "*/*".to_owned()),
    ];
    let mut body = None;
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('O') | Long("output-document") => output = Some(args.string()?),
            Short('P') | Long("directory-prefix") => directory = Some(args.string()?),
            Short('q') | Long("quiet" | "no-verbose") => quiet = true,
            // `-nv`, `-nc`
            Short('n') => {
                quiet |= args.optional_value().is_some_and(|value| value == "v");
            }
            Short('S') | Long("server-response") => show_head = true,
            Long("spider") => spider = true,
            Long("header") => {
                let value = args.string()?;
                headers.push(
                    header(&value)
                        .ok_or_else(|| Failure::new(format!("invalid header '{value}'")))?,
                );
            }
            Short('U') | Long("user-agent") => headers[0].1 = args.string()?,
            Long("post-data") => body = Some(args.string()?.into_bytes()),
            Long("post-file") => body = Some(read_file(&args.string()?)?),
            Short('T') | Long("timeout") => timeout = seconds(&args.string()?)?,
            Short('t') | Long("tries" | "waitretry") => {
                args.value()?;
            }
            Short('c' | 'N' | '4' | '6')
            | Long("no-check-certificate" | "continue" | "no-cache") => {}
            Long("progress" | "show-progress") => {
                args.optional_value();
            }
            Value(value) => operands.push(text(&value)?.to_owned()),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing URL"));
    }
    let mut failed = 0;
    for operand in &operands {
        let url = parse_url(operand)?;
        let mut headers = headers.clone();
        if body.is_some() {
            headers.push((
                "Content-Type".to_owned(),
                "application/x-www-form-urlencoded".to_owned(),
            ));
        }
        let method = if body.is_some() {
            "POST"
        } else if spider {
            "HEAD"
        } else {
            "GET"
        };
        let request = Request {
            method: method.to_owned(),
            url,
            headers,
            body: body.clone(),
            timeout,
        };
        let (mut response, url) = ask(request, true, &mut |_, response| {
            if show_head {
                error_output(&response.head);
            }
            Ok(())
        })
        .map_err(|failure| failure.with_code(4))?;
        if response.status >= 400 {
            let message = format!(
                "{url}: server returned error: {} {}",
                response.status, response.reason
            );
            sandbox_applet::warn("wget", message);
            failed = 8;
            continue;
        }
        if spider {
            continue;
        }
        let path = output.clone().unwrap_or_else(|| {
            let name = file_name(&url);
            directory.as_ref().map_or(name.clone(), |directory| {
                sandbox_applet::join(directory, &name)
            })
        });
        if let Some(directory) = &directory {
            fs::create_dir_all(directory).context(directory)?;
        }
        let count = save(&mut response, &path).map_err(|failure| failure.with_code(4))?;
        if !quiet {
            error_output(&format!("'{path}' saved [{count}]\n"));
        }
    }
    Ok(failed)
}

fn read_file(path: &str) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    open(path.as_ref())
        .and_then(|mut input| input.read_to_end(&mut content))
        .context(path)?;
    Ok(content)
}

#[derive(Default)]
struct Curl {
    output: Option<String>,
    remote_name: bool,
    method: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<Vec<u8>>,
    in_query: bool,
    head: bool,
    include: bool,
    follow: bool,
    fail: bool,
    silent: bool,
    show_error: bool,
    verbose: bool,
    write_out: Option<String>,
    upload: Option<String>,
    timeout: Option<Duration>,
}

/// `curl`
pub fn curl(mut args: Args) -> Outcome {
    let mut options = Curl::default();
    let mut operands = Vec::new();
    let usage = |failure: Failure| failure.with_code(2);
    while let Some(arg) = args.next().map_err(Failure::from).map_err(usage)? {
        match arg {
            Short('o') | Long("output") => options.output = Some(args.string()?),
            Short('O') | Long("remote-name") => options.remote_name = true,
            Short('X') | Long("request") => options.method = Some(args.string()?),
            Short('H') | Long("header") => {
                let value = args.string()?;
                // `Name:` takes a header away.
                options.headers.push(
                    header(&value)
                        .ok_or_else(|| usage(Failure::new(format!("invalid header '{value}'"))))?,
                );
            }
            Short('d') | Long("data" | "data-ascii") => {
                let value = args.string()?;
                options.data.push(match value.strip_prefix('@') {
                    Some(path) => read_file(path)?
                        .into_iter()
                        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
                        .collect(),
                    None => value.into_bytes(),
                });
            }
            Long("data-raw") => options.data.push(args.string()?.into_bytes()),
            Long("data-binary") => {
                let value = args.string()?;
                options.data.push(match value.strip_prefix('@') {
                    Some(path) => read_file(path)?,
                    None => value.into_bytes(),
                });
            }
            Long("json") => {
                let value = args.string()?;
                options.data.push(match value.strip_prefix('@') {
                    Some(path) => read_file(path)?,
                    None => value.into_bytes(),
                });
                options
                    .headers
                    .push(("Content-Type".to_owned(), "application/json".to_owned()));
                options
                    .headers
                    .push(("Accept".to_owned(), "application/json".to_owned()));
            }
            Long("data-urlencode") => {
                let value = args.string()?;
                let encode = |text: &str| {
                    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let encoded = match value.split_once('=') {
                    Some((name, value)) if !name.is_empty() => format!("{name}={}", encode(value)),
                    Some((_, value)) => encode(value),
                    None => encode(&value),
                };
                options.data.push(encoded.into_bytes());
            }
            Short('G') | Long("get") => options.in_query = true,
            Short('I') | Long("head") => options.head = true,
            Short('i') | Long("include" | "show-headers") => options.include = true,
            Short('L') | Long("location") => options.follow = true,
            Short('f') | Long("fail") => options.fail = true,
            Short('s') | Long("silent") => options.silent = true,
            Short('S') | Long("show-error") => options.show_error = true,
            Short('v') | Long("verbose") => options.verbose = true,
            Short('w') | Long("write-out") => options.write_out = Some(args.string()?),
            Short('T') | Long("upload-file") => options.upload = Some(args.string()?),
            Short('A') | Long("user-agent") => options
                .headers
                .push(("User-Agent".to_owned(), args.string()?)),
            Short('e') | Long("referer") => {
                options.headers.push(("Referer".to_owned(), args.string()?))
            }
            Short('b') | Long("cookie") => {
                options.headers.push(("Cookie".to_owned(), args.string()?))
            }
            Short('u') | Long("user") => {
                let value = base64(args.string()?.as_bytes());
                options
                    .headers
                    .push(("Authorization".to_owned(), format!("Basic {value}")));
            }
            Short('m') | Long("max-time" | "connect-timeout") => {
                options.timeout = seconds(&args.string()?)?
            }
            Long("retry" | "retry-delay" | "max-redirs" | "cacert" | "ciphers") => {
                args.value()?;
            }
            Long("url") => operands.push(args.string()?),
            Short('k' | 'g' | '4' | '6' | 'N' | '0' | '#')
            | Long(
                "insecure" | "compressed" | "globoff" | "no-buffer" | "progress-bar" | "http1.1"
                | "no-progress-meter" | "retry-connrefused",
            ) => {}
            Short('x') | Long("proxy") => {
                return Err(usage(Failure::new("proxies are not supported")));
            }
            Value(value) => operands.push(text(&value)?.to_owned()),
            other => return Err(usage(other.unexpected().into())),
        }
    }
    if operands.is_empty() {
        return Err(usage(Failure::new("no URL specified")));
    }
    let mut code = 0;
    for operand in &operands {
        if let Err(failure) = options.fetch(operand) {
            code = failure.code();
            if !options.silent || options.show_error {
                error_output(&format!("curl: ({code}) {}\n", failure.message()));
            }
        }
    }
    Ok(code)
}

impl Curl {
    fn request(&self, operand: &str) -> Result<Request, Failure> {
        let mut url = parse_url(operand)?;
        let mut headers = self.headers.clone();
        for (name, value) in [("User-Agent", "curl"), ("Accept", "*/*")] {
            if !headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        let mut body = (!self.data.is_empty()).then(|| self.data.join(&b'&'));
        if self.in_query
            && let Some(data) = body.take()
        {
            let query = String::from_utf8_lossy(&data).into_owned();
            let query = url
                .query()
                .map_or(query.clone(), |old| format!("{old}&{query}"));
            url.set_query(Some(&query));
        }
        if body.is_some()
            && !headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            headers.push((
                "Content-Type".to_owned(),
                "application/x-www-form-urlencoded".to_owned(),
            ));
        }
        let mut method = if self.head {
            "HEAD"
        } else if body.is_some() {
            "POST"
        } else {
            "GET"
        };
        if let Some(path) = &self.upload {
            body = Some(read_file(path).map_err(|failure| failure.with_code(26))?);
            method = "PUT";
        }
        let method = self.method.clone().unwrap_or_else(|| method.to_owned());
        Ok(Request {
            method,
            url,
            headers,
            body,
            timeout: self.timeout,
        })
    }

    fn fetch(&self, operand: &str) -> Result<(), Failure> {
        let request = self.request(operand)?;
        let mut heads = String::new();
        let (mut response, url) = ask(request, self.follow, &mut |request, response| {
            if self.verbose {
                error_output(&format!("> {} {}\n", request.method, request.url));
                for line in response.head.lines() {
                    error_output(&format!("< {line}\n"));
                }
            }
            if self.include || self.head {
                heads += &response.head;
            }
            Ok(())
        })?;
        if self.fail && response.status >= 400 {
            return Err(Failure::new(format!(
                "The requested URL returned error: {}",
                response.status
            ))
            .with_code(22));
        }
        let path = match (&self.output, self.remote_name) {
            (Some(path), _) => path.clone(),
            (None, true) => file_name(&url),
            (None, false) => "-".to_owned(),
        };
        response.body = Box::new(io::Cursor::new(heads.into_bytes()).chain(response.body));
        let count = save(&mut response, &path)?;
        if let Some(format) = &self.write_out {
            let mut out = Out::new();
            let filled = format
                .replace("%{http_code}", &format!("{:03}", response.status))
                .replace("%{response_code}", &format!("{:03}", response.status))
                .replace("%{size_download}", &count.to_string())
                .replace("%{url_effective}", url.as_str())
                .replace(
                    "%{content_type}",
                    response.header("content-type").unwrap_or_default(),
                )
                .replace("\\n", "\n")
                .replace("\\t", "\t");
            out.put(filled)?;
            out.finish()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_encoded() {
        assert_eq!(base64(b"user:pass"), "dXNlcjpwYXNz");
        assert_eq!(base64(b"a"), "YQ==");
        assert_eq!(base64(b"ab"), "YWI=");
        assert_eq!(base64(b""), "");
    }

    #[test]
    fn a_file_is_named_after_the_path() {
        assert_eq!(
            file_name(&parse_url("example.test/a/b.txt?x").unwrap()),
            "b.txt"
        );
        assert_eq!(file_name(&parse_url("example.test").unwrap()), "index.html");
    }
}
