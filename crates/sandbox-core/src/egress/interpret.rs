//! What a kernel would do with a compiled filter.

use std::net::IpAddr;

use super::decide::Verdict;
use super::destination::Protocol;
use super::filter::{FilterClass, FilterRule, Matcher, PacketFilter, Transport};
use super::learned::LearnedAddresses;

/// A packet leaving a sandbox, in the direction in which its connection was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Packet {
    /// The destination address in the packet's header.
    pub to: IpAddr,
    /// Transport and destination port.
    pub protocol: Protocol,
}

impl Packet {
    /// The packet a program causes that opens a socket to `address`: an IPv4-mapped address
    /// becomes IPv4 traffic.
    pub fn from_socket(address: IpAddr, protocol: Protocol) -> Self {
        Self {
            to: address.to_canonical(),
            protocol,
        }
    }
}

impl PacketFilter {
    /// The verdict for `packet`, and the class of the rule that gave it. `learned` holds the
    /// addresses of names the same rules allow (see [`LearnedAddresses::retain_allowed`]).
    pub fn evaluate(&self, packet: &Packet, learned: &LearnedAddresses) -> (Verdict, FilterClass) {
        self.rules()
            .iter()
            .find(|rule| matches(rule, packet, learned))
            .map_or((Verdict::Deny, FilterClass::Default), |rule| {
                (rule.verdict, rule.class)
            })
    }
}

fn matches(rule: &FilterRule, packet: &Packet, learned: &LearnedAddresses) -> bool {
    let address = match &rule.to {
        Matcher::Any => true,
        Matcher::Nets { nets, except } => {
            nets.iter().any(|net| net.contains(&packet.to))
                && !except.iter().any(|net| net.contains(&packet.to))
        }
        Matcher::Learned => learned.name_of(packet.to).is_some(),
    };
    let transport = match &rule.transport {
        Transport::Any => true,
        Transport::Tcp(ports) => {
            matches!(packet.protocol, Protocol::Tcp(port) if ports.contains(&port))
        }
    };
    address && transport
}
