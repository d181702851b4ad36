use proptest::prelude::*;

use super::*;

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.as_bytes());
    }
    message.extend([0]);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    message
}

fn question(name: &str) -> Question {
    Question::read(&query(name, A)).unwrap()
}

/// `question` answered with records of which each is an owner, a type and its data.
fn response(question: &Question, records: &[(&str, u16, &[u8])]) -> Vec<u8> {
    let mut message = question.encode(7, RESPONSE, 0);
    message[7] = u8::try_from(records.len()).unwrap();
    for (owner, kind, data) in records {
        Question::read(&query(owner, A))
            .unwrap()
            .name
            .encode(&mut message);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        message.extend(*data);
    }
    message
}

fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    question(name).name.encode(&mut bytes);
    bytes
}

fn found(question: &Question, response: &[u8]) -> Vec<String> {
    let addresses = question.addresses(response);
    addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn a_query_goes_upstream_with_nothing_but_its_name_and_type() {
    let mut asked = query("ExAmple.com", AAAA);
    asked[11] = 1;
    asked.extend([0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 4, 0, 10, 0, 0]);
    let question = Question::read(&asked).unwrap();
    assert_eq!(question.udp_size, 0x4d0);
    let upstream = question.to_upstream(0xbeef);
    assert!(upstream.windows(7).any(|window| window == b"ExAmple"));
    assert_eq!(
        upstream.len(),
        12 + 13 + 4 + 11,
        "no option of the asker's is in it"
    );
    assert_eq!(question.name.name().as_str(), "example.com");
}

#[test]
fn addresses_of_the_name_and_its_aliases_are_found_and_no_others() {
    let question = question("a.example.com");
    let response = response(
        &question,
        &[
            ("a.example.com", CNAME, &wire("b.cdn.net")),
            ("b.cdn.net", A, &[203, 0, 113, 7]),
            ("unasked.net", A, &[10, 0, 0, 1]),
            ("A.Example.com", A, &[203, 0, 113, 8]),
        ],
    );
    assert!(question.is_answered_by(7, &response));
    assert_eq!(found(&question, &response), ["203.0.113.7", "203.0.113.8"]);
}

#[test]
fn a_chain_of_aliases_is_followed_so_far_and_no_further() {
    let question = question("n0.example.com");
    for (aliases, expected) in [(MAX_ALIASES, 1), (MAX_ALIASES + 1, 0)] {
        let names: Vec<String> = (0..=aliases).map(|n| format!("n{n}.example.com")).collect();
        let wires: Vec<Vec<u8>> = names.iter().map(|name| wire(name)).collect();
        let mut records: Vec<(&str, u16, &[u8])> = names
            .iter()
            .zip(&wires[1..])
            .map(|(owner, target)| (owner.as_str(), CNAME, target.as_slice()))
            .collect();
        records.push((&names[aliases], A, &[203, 0, 113, 7]));
        assert_eq!(
            found(&question, &response(&question, &records)).len(),
            expected
        );
    }
}

#[test]
fn a_name_behind_many_pointers_is_none() {
    let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0];
    for _ in 0..200 {
        let previous = message.len() - if message.len() == 15 { 3 } else { 2 };
        message.extend((0xc000 | u16::try_from(previous).unwrap()).to_be_bytes());
    }
    assert!(name::read(&message, 15).is_some(), "one pointer is a name");
    assert!(name::read(&message, message.len() - 2).is_none());
}

#[test]
fn an_answer_to_another_question_is_none() {
    let other = question("other.com");
    let answer = response(&other, &[]);
    assert!(!question("a.example.com").is_answered_by(7, &answer));
    assert!(!other.is_answered_by(8, &answer));
    assert!(!other.is_answered_by(7, &query("other.com", A)));
}

#[test]
fn what_is_no_lookup_is_refused() {
    let code = |query: &[u8]| {
        Question::read(query)
            .unwrap_err()
            .map(|answer| answer[3] & 15)
    };
    assert_eq!(code(&query("example.com", 252)), Some(5), "a transfer");
    assert_eq!(code(&query("example.com", 255)), Some(5), "any");
    assert_eq!(code(&query("ex ample.com", A)), Some(5));
    let mut two = query("example.com", A);
    two[5] = 2;
    assert_eq!(code(&two), Some(1));
    let mut update = query("example.com", A);
    update[2] |= 0x28;
    assert_eq!(code(&update), Some(4));
    let mut answer = query("example.com", A);
    answer[2] |= 0x80;
    assert_eq!(code(&answer), None, "answers are not answered");
    assert_eq!(code(b"short"), None);
}

#[test]
fn a_label_with_a_dot_in_it_is_not_two_labels() {
    let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(b"\x0dx.example.com\x00\x00\x01\x00\x01");
    assert!(Question::read(&message).is_err());
}

#[test]
fn pointers_that_do_not_lead_back_end_reading() {
    let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend([0xc0, 12, 0, 1, 0, 1]);
    assert!(Question::read(&message).is_err());
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Question::read(&bytes);
        let question = question("a.example.com");
        let mut framed = question.encode(7, RESPONSE, 0);
        framed.extend(&bytes);
        framed[7] = 9;
        let _ = question.addresses(&framed);
        let _ = question.is_answered_by(7, &bytes);
    }

    #[test]
    fn names_come_back_as_they_were_asked(name in "[a-zA-Z0-9]{1,20}(\\.[a-zA-Z_]{1,30}){1,4}") {
        let question = question(&name);
        prop_assert_eq!(question.failure(Failure::Refused)[12..].to_vec(), query(&name, A)[12..].to_vec());
        prop_assert!(question.is_answered_by(question.id, &question.failure(Failure::Refused)));
    }
}
