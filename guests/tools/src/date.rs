//! `date`, in UTC: a sandbox has no other time zone.

mod parse;

use sandbox_applet::date::fill;
use sandbox_applet::{Args, Context, Failure, Long, Out, Outcome, Short, Value, cwd, text};
use sandbox_guest::files;

/// Shows a time.
pub fn run(mut args: Args) -> Outcome {
    let now = u64::try_from(
        std::time::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_nanos(),
    )
    .unwrap_or(u64::MAX);
    let mut times = vec![now];
    let mut format = None;
    while let Some(arg) = args.next()? {
        match arg {
            Short('u') | Long("utc" | "universal") => {}
            Short('d') | Long("date") => {
                let value = args.string()?;
                times = vec![parse(&value, now)?];
            }
            Short('f') | Long("file") => {
                let path = args.string()?;
                let lines = std::fs::read_to_string(&path).context(&path)?;
                times = lines
                    .lines()
                    .map(|line| parse(line, now))
                    .collect::<Result<_, _>>()?;
            }
            Short('r') | Long("reference") => {
                let path = args.string()?;
                times = vec![files::stat(&cwd(), &path, true).context(&path)?.mtime_ns];
            }
            Short('R') | Long("rfc-email") => format = Some("%a, %d %b %Y %H:%M:%S %z".to_owned()),
            Short('I') | Long("iso-8601") => {
                let precision = args.optional_value();
                format = Some(iso(precision
                    .as_deref()
                    .and_then(|word| word.to_str())
                    .unwrap_or("date"))?);
            }
            Long("rfc-3339") => {
                format = Some(match &*args.string()? {
                    "date" => "%Y-%m-%d".to_owned(),
                    "seconds" => "%Y-%m-%d %H:%M:%S%:z".to_owned(),
                    "ns" => "%Y-%m-%d %H:%M:%S.%N%:z".to_owned(),
                    other => {
                        return Err(Failure::new(format!(
                            "invalid argument '{other}' for '--rfc-3339'"
                        )));
                    }
                });
            }
            Short('s') | Long("set") => {
                return Err(Failure::new("cannot set date: Operation not permitted"));
            }
            Value(value) => match text(&value)?.strip_prefix('+') {
                Some(given) if format.is_none() => format = Some(given.to_owned()),
                Some(_) => return Err(Failure::new("multiple output formats specified")),
                None => return Err(Failure::new(format!("invalid date '{}'", value.display()))),
            },
            other => return Err(other.unexpected().into()),
        }
    }
    let format = format.as_deref().unwrap_or("%a %b %e %H:%M:%S %Z %Y");
    let mut out = Out::new();
    for ns in times {
        out.line(fill(format, ns))?;
    }
    out.finish()?;
    Ok(0)
}

fn parse(text: &str, now: u64) -> Result<u64, Failure> {
    parse::parse(text, now).ok_or_else(|| Failure::new(format!("invalid date '{text}'")))
}

fn iso(precision: &str) -> Result<String, Failure> {
    let time = match precision {
        "date" => return Ok("%Y-%m-%d".to_owned()),
        "hours" => "%H",
        "minutes" => "%H:%M",
        "seconds" => "%H:%M:%S",
        "ns" => "%H:%M:%S,%N",
        other => {
            return Err(Failure::new(format!(
                "invalid argument '{other}' for '--iso-8601'"
            )));
        }
    };
    Ok(format!("%Y-%m-%dT{time}%:z"))
}
