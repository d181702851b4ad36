use jaq_all::fmts::read::json;
use jaq_all::json::Val;
use sandbox_applet::{Args, Context, Failure, Long, Short, Value, open, text};

/// What the command line asks for.
pub struct Options {
    pub filter: String,
    pub files: Vec<String>,
    pub null_input: bool,
    pub raw_input: bool,
    pub slurp: bool,
    pub exit_status: bool,
    pub raw_output: bool,
    pub sort_keys: bool,
    pub color: bool,
    /// `None`: all on one line.
    pub indent: Option<String>,
    /// What follows each value.
    pub end: Option<char>,
    pub variables: Vec<(String, Val)>,
}

impl Options {
    /// Options, filter and files.
    pub fn parse(args: &mut Args) -> Result<Self, Failure> {
        let mut options = Self {
            filter: String::new(),
            files: Vec::new(),
            null_input: false,
            raw_input: false,
            slurp: false,
            exit_status: false,
            raw_output: false,
            sort_keys: false,
            color: false,
            indent: Some("  ".to_owned()),
            end: Some('\n'),
            variables: Vec::new(),
        };
        let mut filter = None;
        let mut positional: Vec<Val> = Vec::new();
        // What operands behind the filter are: files, texts, or JSON.
        let mut rest = 'f';
        while let Some(arg) = args.next()? {
            match arg {
                Short('n') | Long("null-input") => options.null_input = true,
                Short('R') | Long("raw-input") => options.raw_input = true,
                Short('s') | Long("slurp") => options.slurp = true,
                Short('e') | Long("exit-status") => options.exit_status = true,
                Short('r') | Long("raw-output") => options.raw_output = true,
                Short('j') | Long("join-output") => {
                    (options.raw_output, options.end) = (true, None)
                }
                Long("raw-output0") => (options.raw_output, options.end) = (true, Some('\0')),
                Short('S') | Long("sort-keys") => options.sort_keys = true,
                Short('C') | Long("color-output") => options.color = true,
                Short('M') | Long("monochrome-output") => options.color = false,
                Short('c') | Long("compact-output") => options.indent = None,
                Long("tab") => options.indent = Some("\t".to_owned()),
                Long("indent") => {
                    let value = args.string()?;
                    let count: usize = value
                        .parse()
                        .ok()
                        .filter(|count| *count <= 7)
                        .ok_or_else(|| Failure::new("Cannot indent more than 7 characters"))?;
                    options.indent = (count > 0).then(|| " ".repeat(count));
                }
                Short('a' | 'b') | Long("ascii-output" | "unbuffered" | "binary") => {}
                Short('f') | Long("from-file") => {
                    let path = args.string()?;
                    filter = Some(read(&path)?);
                }
                Long("arg") => {
                    let (name, value) = (args.string()?, args.string()?);
                    options.variables.push((name, Val::from(value)));
                }
                Long("argjson") => {
                    let (name, value) = (args.string()?, args.string()?);
                    options.variables.push((name, parse(&value)?));
                }
                Long("rawfile") => {
                    let (name, path) = (args.string()?, args.string()?);
                    options.variables.push((name, Val::from(read(&path)?)));
                }
                Long("slurpfile") => {
                    let (name, path) = (args.string()?, args.string()?);
                    let content = read(&path)?;
                    let values: Result<Vec<Val>, _> =
                        json::parse_many(content.as_bytes()).collect();
                    let values =
                        values.map_err(|error| Failure::new(format!("{path}: {error}")))?;
                    options.variables.push((name, values.into_iter().collect()));
                }
                Long("args") => rest = 'a',
                Long("jsonargs") => rest = 'j',
                Value(value) if filter.is_none() => filter = Some(text(&value)?.to_owned()),
                Value(value) => {
                    let value = text(&value)?;
                    match rest {
                        'f' => options.files.push(value.to_owned()),
                        'a' => positional.push(Val::from(value.to_owned())),
                        _ => positional.push(parse(value)?),
                    }
                }
                other => return Err(other.unexpected().into()),
            }
        }
        options.filter = filter.unwrap_or_else(|| ".".to_owned());
        let key = |name: &str| Val::from(name.to_owned());
        let named = options
            .variables
            .iter()
            .map(|(name, value)| (key(name), value.clone()));
        let all = Val::obj(
            [
                (key("positional"), positional.into_iter().collect()),
                (key("named"), Val::obj(named.collect())),
            ]
            .into_iter()
            .collect(),
        );
        options.variables.push(("ARGS".to_owned(), all));
        let environment = std::env::vars().map(|(name, value)| (Val::from(name), Val::from(value)));
        options
            .variables
            .push(("ENV".to_owned(), Val::obj(environment.collect())));
        Ok(options)
    }
}

fn read(path: &str) -> Result<String, Failure> {
    let mut content = String::new();
    std::io::Read::read_to_string(&mut open(path.as_ref()).context(path)?, &mut content)
        .context(path)?;
    Ok(content)
}

fn parse(text: &str) -> Result<Val, Failure> {
    json::parse_single(text.as_bytes())
        .map_err(|error| Failure::new(format!("Invalid JSON text: {text}: {error}")))
}
