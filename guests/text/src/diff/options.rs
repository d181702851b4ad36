use sandbox_applet::{Args, Failure, Long, Short, Value, text};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layout {
    Normal,
    Unified,
    Context,
}

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Options {
    pub layout: Layout,
    pub context: usize,
    pub brief: bool,
    pub report_same: bool,
    pub recursive: bool,
    /// A file that is missing on one side counts as empty.
    pub new_file: bool,
    pub text: bool,
    pub ignore_case: bool,
    pub ignore_space: bool,
    pub ignore_space_change: bool,
    pub ignore_blank_lines: bool,
    pub strip_cr: bool,
    pub labels: Vec<String>,
    pub exclude: Vec<String>,
    /// The options, as the line before each file of a tree shows them.
    pub shown: String,
}

impl Options {
    /// Options and the two paths.
    pub fn parse(args: &mut Args) -> Result<(Self, String, String), Failure> {
        let words = args.rest(None)?;
        let mut args = Args::new(args.name(), words.clone());
        let mut options = Self {
            layout: Layout::Normal,
            context: 3,
            brief: false,
            report_same: false,
            recursive: false,
            new_file: false,
            text: false,
            ignore_case: false,
            ignore_space: false,
            ignore_space_change: false,
            ignore_blank_lines: false,
            strip_cr: false,
            labels: Vec::new(),
            exclude: Vec::new(),
            shown: String::new(),
        };
        let mut operands = Vec::new();
        while let Some(arg) = args.next()? {
            match arg {
                Short('u') => options.layout = Layout::Unified,
                Short('c') => options.layout = Layout::Context,
                Short('U') => options.set(Layout::Unified, Some(&args.string()?))?,
                Short('C') => options.set(Layout::Context, Some(&args.string()?))?,
                Long("unified") => {
                    let count = args.optional_value();
                    options.set(Layout::Unified, count.as_deref().map(text).transpose()?)?;
                }
                Long("context") => {
                    let count = args.optional_value();
                    options.set(Layout::Context, count.as_deref().map(text).transpose()?)?;
                }
                Long("normal") => options.layout = Layout::Normal,
                Short('q') | Long("brief") => options.brief = true,
                Short('s') | Long("report-identical-files") => options.report_same = true,
                Short('r') | Long("recursive") => options.recursive = true,
                Short('N') | Long("new-file") => options.new_file = true,
                Short('a') | Long("text") => options.text = true,
                Short('i') | Long("ignore-case") => options.ignore_case = true,
                Short('w') | Long("ignore-all-space") => options.ignore_space = true,
                Short('b') | Long("ignore-space-change") => options.ignore_space_change = true,
                Short('Z') | Long("ignore-trailing-space") => options.ignore_space_change = true,
                Short('B') | Long("ignore-blank-lines") => options.ignore_blank_lines = true,
                Long("strip-trailing-cr") => options.strip_cr = true,
                Short('L') | Long("label") => options.labels.push(args.string()?),
                Short('x') | Long("exclude") => options.exclude.push(args.string()?),
                Short('d' | 'p') | Long("minimal" | "show-c-function" | "speed-large-files") => {}
                Long("color") => {
                    args.optional_value();
                }
                Short('y' | 'e') | Long("side-by-side" | "ed") => {
                    return Err(Failure::new(
                        "this output format is not supported: use -u, -c or none",
                    ));
                }
                Value(value) => operands.push(text(&value)?.to_owned()),
                other => return Err(other.unexpected().into()),
            }
        }
        let shown = words
            .iter()
            .map(|word| word.to_string_lossy())
            .filter(|word| word.len() > 1 && word.starts_with('-'));
        options.shown = shown.map(|word| format!(" {word}")).collect();
        match <[String; 2]>::try_from(operands) {
            Ok([from, to]) => Ok((options, from, to)),
            Err(operands) if operands.len() > 2 => {
                Err(Failure::new(format!("extra operand '{}'", operands[2])))
            }
            Err(_) => Err(Failure::new("missing operand")),
        }
    }

    fn set(&mut self, layout: Layout, count: Option<&str>) -> Result<(), Failure> {
        self.layout = layout;
        if let Some(count) = count {
            self.context = count
                .parse()
                .map_err(|_| Failure::new(format!("invalid context length '{count}'")))?;
        }
        Ok(())
    }
}
