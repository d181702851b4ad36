//! Requests, and who carries them out.

use sandbox_core::ErrorKind;

use super::channel::Channel;
use super::worker::Completion;
use super::{Agent, files};
use crate::protocol::{MAX_CHANNELS, Packet, Reply, Request, WireError};

impl Agent {
    pub(super) fn take_request(&mut self, packet: Packet) {
        let channel = packet.header.channel;
        let message = match self.requests.take(packet) {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(_) => {
                let error = WireError::new(ErrorKind::LimitExceeded, "the request is too long");
                self.reply(channel, Err(error));
                return;
            }
        };
        let request = match serde_json::from_slice(&message) {
            Ok(request) => request,
            Err(error) => {
                let message = format!("the request makes no sense: {error}");
                self.reply(
                    channel,
                    Err(WireError::new(ErrorKind::InvalidSpec, message)),
                );
                return;
            }
        };
        if self.channels.contains_key(&channel) || self.channels.len() >= MAX_CHANNELS {
            let message = format!("{MAX_CHANNELS} channels are open, or this one is");
            self.reply(
                channel,
                Err(WireError::new(ErrorKind::LimitExceeded, message)),
            );
            return;
        }
        self.carry_out(channel, request);
    }

    fn carry_out(&mut self, channel: u32, request: Request) {
        let reply = match request {
            Request::Ping => Ok(Reply::Done),
            Request::Spawn(command) => return self.spawn(channel, command),
            Request::Attach { pid } => self.attach(channel, pid),
            Request::Processes => return self.send_processes(channel),
            Request::Signal { pid, signal } => self.signal_process(pid, signal),
            Request::SignalGroup { process, signal } => self.signal_group(process, signal),
            Request::Resize { process, size } => self.resize(process, size),
            Request::Read { path, options } => return self.open_read(channel, &path, options),
            Request::Write { path, options } => self.open_write(channel, path, &options),
            Request::Stat { path } => {
                files::stat(&path, &mut self.accounts).map(|info| Reply::File(Box::new(info)))
            }
            Request::List { path, options } => return self.list(channel, path, options),
            Request::MakeDir { path, options } => self.make_dir(&path, &options),
            Request::Rename { from, to } => files::rename(&from, &to).map(|()| Reply::Done),
            Request::Remove { path, recursive } => return self.remove(channel, path, recursive),
            Request::Watch { path, options } => return self.watch(channel, path, options),
            Request::Connect { port } => return self.connect(channel, port),
            Request::Stats => Ok(Reply::Stats(super::stats::collect())),
        };
        match reply {
            // The answer to a write follows its content.
            Ok(Reply::Done) if matches!(self.channels.get(&channel), Some(Channel::Write(_))) => {}
            reply => self.reply(channel, reply),
        }
    }

    /// Gives a job to a worker; its answer is the answer to the request.
    pub(super) fn submit(
        &mut self,
        channel: u32,
        job: impl FnOnce() -> Result<Reply, WireError> + Send + 'static,
    ) {
        let number = self.new_job();
        self.channels.insert(channel, Channel::Job(number));
        let completions = self.workers.completions.clone();
        self.workers.submit(move || {
            completions.push(Completion::Done(number, job()));
        });
    }

    pub(super) fn new_job(&mut self) -> u64 {
        self.next_job += 1;
        self.next_job
    }

    /// Takes what workers have to say. A channel that was closed meanwhile hears nothing.
    pub(super) fn take_completions(&mut self) {
        for completion in self.workers.completions.take() {
            match completion {
                Completion::Swept(id) => self.swept(id),
                Completion::Done(job, result) => {
                    if let Some(channel) = self.channel_of_job(job) {
                        self.channels.remove(&channel);
                        self.reply(channel, result);
                    }
                }
                Completion::Lines(job) => {
                    if let Some(channel) = self.channel_of_job(job) {
                        self.ready_now(channel);
                    }
                }
                Completion::Watching(job, result) => {
                    if let Some(channel) = self.channel_of_job(job) {
                        self.start_watch(channel, result);
                    }
                }
            }
        }
    }

    fn channel_of_job(&self, job: u64) -> Option<u32> {
        let mut channels = self.channels.iter();
        let found = channels.find(|(_, channel)| match channel {
            Channel::Job(number) => *number == job,
            Channel::Lines(lines) => lines.job == job,
            Channel::Exec(_)
            | Channel::Read(_)
            | Channel::Write(_)
            | Channel::Socket(_)
            | Channel::Watch(_) => false,
        });
        found.map(|(channel, _)| *channel)
    }
}
