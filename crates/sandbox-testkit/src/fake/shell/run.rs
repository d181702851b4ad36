//! Carrying out what was parsed.

use sandbox_core::Signal;

use super::syntax::{Compound, Node, Redirect, Simple};
use super::{Job, Jump, Ran, Running, Shell, subshell};
use crate::fake::kernel::{Fd, LookupError, pipe, run_program};

impl Shell {
    pub(super) fn run<'a>(&'a mut self, node: &'a Node) -> Running<'a> {
        Box::pin(async move {
            let ran = match node {
                Node::Sequence(commands) => self.sequence(commands).await,
                Node::AndOr(first, rest) => self.and_or(first, rest).await,
                Node::Pipeline { negated, stages } => {
                    let code = self.pipeline(stages).await?;
                    Ok(if *negated { u8::from(code == 0) } else { code })
                }
                Node::Simple(simple) => self.simple(simple, false).await,
                Node::Compound(compound, redirects) => self.compound(compound, redirects).await,
            };
            if let Ok(code) = ran {
                self.last = code;
            }
            ran
        })
    }

    /// Runs the last thing that this process does: a program takes its place.
    pub(super) fn run_and_leave<'a>(&'a mut self, node: &'a Node) -> Running<'a> {
        match node {
            Node::Simple(simple) => Box::pin(self.simple(simple, true)),
            Node::Sequence(_) | Node::AndOr(..) | Node::Pipeline { .. } | Node::Compound(..) => {
                self.run(node)
            }
        }
    }

    async fn sequence(&mut self, commands: &[(Node, bool)]) -> Ran {
        let mut code = 0;
        for (command, background) in commands {
            code = match background {
                true => self.background(command).await?,
                false => self.run(command).await?,
            };
        }
        Ok(code)
    }

    async fn and_or(&mut self, first: &Node, rest: &[(bool, Node)]) -> Ran {
        let mut code = self.run(first).await?;
        for (on_success, next) in rest {
            if (code == 0) == *on_success {
                code = self.run(next).await?;
            }
        }
        Ok(code)
    }

    /// Starts `node` in a process of its own with these descriptors on top.
    pub(super) async fn start(&mut self, node: &Node, fds: Vec<(u32, Fd)>) -> Result<Job, Jump> {
        let name = self.task.proc.info().argv;
        let Ok(mut task) = self.task.fork(name) else {
            return Err(self.cannot_fork().await);
        };
        task.fds.extend(fds);
        let job = Job {
            pid: task.proc.pid,
            exit: task.proc.watch_exit(),
        };
        let shell = Self {
            task: task.clone(),
            ..self.clone()
        };
        let node = node.clone();
        // The new shell's descriptors are the only ones that the new process holds.
        task.fds.clear();
        task.start(|_| subshell(shell, node));
        Ok(job)
    }

    async fn cannot_fork(&self) -> Jump {
        let message = "sh: can't fork: Resource temporarily unavailable";
        self.task.complain(message).await;
        Jump::Exit(2)
    }

    async fn background(&mut self, node: &Node) -> Ran {
        // Without job control, what runs in the background does not read the shell's input.
        let job = self.start(node, vec![(0, Fd::NULL)]).await?;
        self.last_job = Some(job.pid);
        self.jobs.push(job);
        Ok(0)
    }

    async fn pipeline(&mut self, stages: &[Node]) -> Ran {
        if let [only] = stages {
            return self.run(only).await;
        }
        let mut jobs = Vec::new();
        let mut input = None;
        for (index, stage) in stages.iter().enumerate() {
            let mut fds: Vec<(u32, Fd)> = input.take().map(|fd| (0, fd)).into_iter().collect();
            if index + 1 < stages.len() {
                let (reader, writer) = pipe();
                fds.push((1, Fd::PipeOut(writer)));
                input = Some(Fd::PipeIn(reader));
            }
            jobs.push(self.start(stage, fds).await?);
        }
        let mut code = 0;
        for job in jobs {
            code = job.wait().await;
        }
        Ok(code)
    }

    async fn compound(&mut self, compound: &Compound, redirects: &[Redirect]) -> Ran {
        if let Compound::Subshell(body) = compound {
            let saved = self.task.fds.clone();
            if !self.redirect(redirects).await? {
                self.task.fds = saved;
                return Ok(1);
            }
            let job = self.start(body, Vec::new()).await;
            self.task.fds = saved;
            return Ok(job?.wait().await);
        }
        let saved = self.task.fds.clone();
        let ran = match self.redirect(redirects).await {
            Ok(true) => self.body(compound).await,
            Ok(false) => Ok(1),
            Err(jump) => Err(jump),
        };
        self.task.fds = saved;
        ran
    }

    async fn body(&mut self, compound: &Compound) -> Ran {
        match compound {
            Compound::Subshell(body) | Compound::Group(body) => self.run(body).await,
            Compound::Loop {
                until,
                condition,
                body,
            } => {
                let mut code = 0;
                loop {
                    self.task.step().await;
                    if (self.run(condition).await? == 0) == *until {
                        return Ok(code);
                    }
                    match self.iteration(body).await? {
                        Some(last) => code = last,
                        None => return Ok(0),
                    }
                }
            }
            Compound::If { arms, otherwise } => {
                for (condition, body) in arms {
                    if self.run(condition).await? == 0 {
                        return self.run(body).await;
                    }
                }
                match otherwise {
                    Some(body) => self.run(body).await,
                    None => Ok(0),
                }
            }
            Compound::For { name, words, body } => {
                let mut code = 0;
                for value in self.expand_all(words).await? {
                    self.task.step().await;
                    self.assign(name, value);
                    match self.iteration(body).await? {
                        Some(last) => code = last,
                        None => return Ok(0),
                    }
                }
                Ok(code)
            }
        }
    }

    /// Runs a loop's body once; `None` when it broke out.
    async fn iteration(&mut self, body: &Node) -> Result<Option<u8>, Jump> {
        match self.run(body).await {
            Ok(code) => Ok(Some(code)),
            Err(Jump::Continue(1)) => Ok(Some(0)),
            Err(Jump::Continue(outer)) => Err(Jump::Continue(outer - 1)),
            Err(Jump::Break(1)) => Ok(None),
            Err(Jump::Break(outer)) => Err(Jump::Break(outer - 1)),
            Err(exit @ Jump::Exit(_)) => Err(exit),
        }
    }

    /// Runs a simple command; with `leave`, in this process's place.
    async fn simple(&mut self, simple: &Simple, leave: bool) -> Ran {
        self.task.step().await;
        let words = self.expand_all(&simple.words).await?;
        let Some(name) = words.first() else {
            return self.assignments_alone(simple).await;
        };
        if name == "exec" {
            return self.exec(simple, &words[1..]).await;
        }
        if Self::is_builtin(name) {
            let saved = self.task.fds.clone();
            let ran = match self.redirect(&simple.redirects).await {
                Ok(true) => self.builtin(&words).await,
                Ok(false) => Ok(1),
                Err(jump) => Err(jump),
            };
            self.task.fds = saved;
            return ran;
        }
        self.external(simple, words, leave).await
    }

    async fn assignments_alone(&mut self, simple: &Simple) -> Ran {
        self.last = 0;
        for (name, value) in &simple.assignments {
            let value = self.expand_joined(value).await?;
            self.assign(name, value);
        }
        let saved = self.task.fds.clone();
        let opened = self.redirect(&simple.redirects).await;
        self.task.fds = saved;
        Ok(if opened? { self.last } else { 1 })
    }

    /// `exec`: redirects for good, and another program in this process.
    async fn exec(&mut self, simple: &Simple, words: &[String]) -> Ran {
        if !self.redirect(&simple.redirects).await? {
            return Err(Jump::Exit(1));
        }
        if words.is_empty() {
            return Ok(0);
        }
        self.external(simple_without_redirects(), words.to_vec(), true)
            .await
    }

    async fn external(&mut self, simple: &Simple, words: Vec<String>, leave: bool) -> Ran {
        let mut environment = Vec::new();
        for (name, value) in &simple.assignments {
            environment.push((name.clone(), self.expand_joined(value).await?));
        }
        let program = match self.task.find_program(&words[0]) {
            Ok(program) => program,
            Err(problem) => {
                let saved = self.task.fds.clone();
                self.redirect(&simple.redirects).await?;
                let (code, what) = match problem {
                    LookupError::NotFound => (127, "not found"),
                    LookupError::Denied => (126, "Permission denied"),
                };
                self.task
                    .complain(&format!("sh: {}: {what}", words[0]))
                    .await;
                self.task.fds = saved;
                return if leave {
                    Err(Jump::Exit(code))
                } else {
                    Ok(code)
                };
            }
        };
        let exported = self.exported_variables();
        let saved = self.task.fds.clone();
        if !self.redirect(&simple.redirects).await? {
            self.task.fds = saved;
            return Ok(1);
        }
        let mut task = if leave {
            self.task.proc.set_argv(words.clone());
            self.task.proc.set_memory(0);
            let mut task = self.task.clone();
            // What takes this process's place holds its descriptors alone.
            std::mem::swap(&mut task.fds, &mut self.task.fds);
            self.task.fds.clear();
            task
        } else {
            let forked = self.task.fork(words.clone());
            self.task.fds = saved;
            match forked {
                Ok(task) => task,
                Err(_) => return Err(self.cannot_fork().await),
            }
        };
        task.env = exported;
        task.env.extend(environment);
        if leave {
            let code = run_program(program, task, words).await;
            return Err(Jump::Exit(code));
        }
        let job = Job {
            pid: task.proc.pid,
            exit: task.proc.watch_exit(),
        };
        task.start(|task| run_program(program, task, words));
        Ok(job.wait().await)
    }
}

fn simple_without_redirects() -> &'static Simple {
    static NONE: std::sync::LazyLock<Simple> = std::sync::LazyLock::new(Simple::default);
    &NONE
}

impl Job {
    /// Waits for its end, and gives its code as a shell does.
    pub(super) async fn wait(mut self) -> u8 {
        let status = self.exit.wait_for(Option::is_some).await;
        let status = status.ok().and_then(|status| *status);
        let code = status.map_or(-1, |status| status.shell_code());
        // A lost child looks as if it had been killed.
        u8::try_from(code).unwrap_or(128 + Signal::KILL.number() as u8)
    }
}
