//! From a query to its answer.

use super::super::policy::Policy;
use super::message::{self, Failure, Question};
use super::upstream;

/// The answer to `query`, with the most bytes the asker takes over UDP; none for what is no query.
/// Addresses in it are open by the time it is returned.
pub(super) fn resolve(query: &[u8], policy: &Policy) -> Option<Answer> {
    let question = match Question::read(query) {
        Ok(question) => question,
        Err(answer) => return answer.map(Answer::short),
    };
    let name = question.name.name();
    if !policy.may_look_up(name) {
        return Some(Answer::short(question.failure(Failure::Refused)));
    }
    let failed = || Some(Answer::short(question.failure(Failure::Unavailable)));
    let Ok(response) = upstream::ask(&question, &policy.upstreams(), policy.mark()) else {
        return failed();
    };
    // An answer whose addresses could not be opened would only lead to refused connections.
    if policy.learn(name, &question.addresses(&response)).is_err() {
        return failed();
    }
    Some(Answer {
        truncated: question.truncated(),
        udp_size: question.udp_size,
        message: message::with_id(response, question.id),
    })
}

/// An answer, and what to say instead when it does not fit.
#[derive(Debug)]
pub(super) struct Answer {
    message: Vec<u8>,
    truncated: Vec<u8>,
    udp_size: usize,
}

impl Answer {
    fn short(message: Vec<u8>) -> Self {
        Self {
            truncated: Vec::new(),
            udp_size: usize::MAX,
            message,
        }
    }

    pub(super) fn over_udp(&self) -> &[u8] {
        if self.message.len() <= self.udp_size {
            &self.message
        } else {
            &self.truncated
        }
    }

    pub(super) fn over_tcp(&self) -> &[u8] {
        &self.message
    }
}
